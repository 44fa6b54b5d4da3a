"""Secrets by file: ``SEVENSTEP_TOKEN_FILE`` names the file that holds what ``..._TOKEN`` would.

Container engines hand secrets over so: an environment can be read by whoever may inspect a
container, a mounted file by its processes alone.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

MOST_BYTES = 64 * 1024
"""More is no secret: somebody named the wrong file."""


class SecretFileError(ValueError):
    """A secret's file cannot be used; the message names the variable, the file and the cure."""


class SettingsWithSecrets(BaseSettings):
    """Settings of which those named in ``secrets`` may come by file.

    Raises:
        SecretFileError: A secret's file cannot be used.
    """

    secrets: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keywords first, then the environment, then files that it names."""
        return init_settings, env_settings, SecretFileSource(settings_cls, cls.secrets)


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads the settings that may come by file, of ``<prefix><NAME>_FILE`` in the environment.

    Args:
        settings_cls: The settings.
        names: Which of its fields are secrets.
    """

    def __init__(self, settings_cls: type[BaseSettings], names: Collection[str]) -> None:
        super().__init__(settings_cls)
        self._prefix = str(self.config.get("env_prefix", ""))
        self._names = names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """A field's value; None when no file is named for it.

        Raises:
            SecretFileError: The file cannot be read, is empty, or the value is given twice.
        """
        variable = f"{self._prefix}{field_name}".upper()
        path = os.environ.get(f"{variable}_FILE", "")
        if not path:
            return None, field_name, False
        if os.environ.get(variable):
            raise SecretFileError(f"{variable} and {variable}_FILE are both set; unset one")
        return _read(f"{variable}_FILE", Path(path)), field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values of the fields whose file is named."""
        fields = self.settings_cls.model_fields
        values = {name: self.get_field_value(fields[name], name)[0] for name in self._names}
        return {name: value for name, value in values.items() if value is not None}


def _read(variable: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SecretFileError(
            f"{variable}: {str(path)!r} cannot be read ({error.strerror});"
            " name a file this process may read"
        ) from error
    # Editors and `echo` end a file with a line break; no secret of ours does.
    secret = content.decode(errors="replace").strip()
    if not secret or len(content) > MOST_BYTES or "\n" in secret or "\ufffd" in secret:
        raise SecretFileError(
            f"{variable}: {str(path)!r} does not hold one line of text; write the secret into it"
        )
    return secret
