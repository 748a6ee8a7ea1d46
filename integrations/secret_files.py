"""Variables whose value may lie in a file: `NAME_FILE` names it, as container platforms mount secrets."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Bytes: more than any secret has.
MAX_BYTES = 65_536


class SecretFileError(ValueError):
    """A `NAME_FILE` that can't be used; the text names it and says what to do."""


class Variables(Mapping[str, str]):
    """An environment in which NAME is what the file of NAME_FILE holds, without its last line feed.

    A byte order mark in front, which editors on Windows write, is not part of it either.

    Raises SecretFileError at the look-up of a name whose file can't be read, or that is set twice.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Variables":
        """The environment with its files, or itself where it has them already."""
        return environ if isinstance(environ, cls) else cls(environ)

    def select(self, names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """Those of these variables that are set, and a line for each whose file can't be used."""
        values: dict[str, str] = {}
        errors: list[str] = []
        for name in names:
            try:
                values |= {name: self[name]} if name in self else {}
            except SecretFileError as error:
                errors.append(str(error))
        return values, errors

    def __getitem__(self, name: str) -> str:
        value, file = self._environ.get(name, ""), self._environ.get(f"{name}_FILE", "")
        if not file:
            return self._environ[name]
        if value:
            raise SecretFileError(f"{name}_FILE: set together with {name}; set one of the two")
        try:
            with Path(file).open(encoding="utf-8-sig") as stream:
                text = stream.read(MAX_BYTES + 1)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SecretFileError(f"{name}_FILE: {file[:200]} can't be read: {reason}; name a file of text") from None
        if len(text) > MAX_BYTES:
            raise SecretFileError(f"{name}_FILE: {file[:200]} is over {MAX_BYTES} bytes; name the secret's own file")
        return text.removesuffix("\n").removesuffix("\r")

    def __contains__(self, name: object) -> bool:
        return name in self._environ or bool(self._environ.get(f"{name}_FILE"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
