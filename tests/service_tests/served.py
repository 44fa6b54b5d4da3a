"""The application with real parts: a SQLite file, the conductor's thread, the HTTP door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from service.server.app import create_app
from service.settings import Settings
from service.use_cases import tokens
from service.web.security import TokenScope, cookie_name

HOST = "http://127.0.0.1:8080"
STUDY = {"name": "first", "task": "digits"}


class Served(TestClient):
    """A client with an admin's token, which knows how to make others."""

    def token(self, scope: TokenScope) -> str:
        with self.app.state.context.database.write() as session:  # type: ignore[attr-defined]
            return tokens.replace_token(session, name=f"test {scope}", scope=scope)

    @property
    def cookie(self) -> str:
        """What this service calls a browser's session."""
        return cookie_name({"app": self.app})

    def create(self, **fields: Any) -> dict[str, Any]:
        answer = self.post("/api/v1/studies", json={**STUDY, **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@contextmanager
def served(data_dir: Path, template: Path, **fields: Any) -> Iterator[Served]:
    """A service on a fresh database, ended afterwards."""
    data_dir.mkdir(exist_ok=True)
    (data_dir / "sevenstep.db").write_bytes(template.read_bytes())
    settings = Settings(data_dir=data_dir, **fields)
    with Served(create_app(settings), base_url=HOST, raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {client.token(TokenScope.ADMIN)}"
        yield client
