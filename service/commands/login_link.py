"""The link that signs a browser in, as commands print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from service.server.server_file import ServerFile

TIMEOUT_SECONDS = 10.0


def login_link(file: ServerFile, path: str = "/studies") -> str:
    """A page's address that signs one browser in, once.

    Where the service makes none, the page's plain address: it asks for a token then.

    Args:
        file: Of the service that runs.
        path: The page.
    """
    headers = {"Authorization": f"Bearer {file.token}"}
    try:
        answer = httpx2.post(
            f"{file.address}/api/v1/tokens/links",
            params={"next": path},
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )
        if answer.status_code == 201:
            return f"{file.address}{answer.json()['path']}"
    except httpx2.TransportError:
        pass  # whoever asks speaks to the service itself, and says then that it is gone
    return f"{file.address}{path}"
