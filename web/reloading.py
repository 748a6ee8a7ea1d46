"""The active configuration: .env and the senders file as they were last valid. SIGHUP reads both again.

gunicorn's master holds it, and each worker is forked from there: a file that is broken keeps what is in force, for the
workers of a reload as for one that takes a dead one's place.
"""

from collections.abc import Callable, Mapping, MutableMapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from schemas.env_file import EnvFileError, env_file_text

Check = Callable[[Mapping[str, str], str | None], list[str]]
"""The errors of an environment and of the text of its senders file, a line each."""


class ActiveConfiguration:
    """The configuration in force. `senders` is the senders file's text, None: as it is on the disk.

    `errors`: why what is on the disk is not in force, a line for each error; empty while it is.
    """

    def __init__(self) -> None:
        self._environ: MutableMapping[str, str] = {}
        self._outer: dict[str, str] | None = None
        self._env_file = ""
        self._from_file: set[str] = set()
        self.senders: str | None = None
        self.errors: tuple[str, ...] = ()

    def read_env_file(self, environ: MutableMapping[str, str], path: str) -> None:
        """Add the variables of a .env to the process's environment, whose own win. Nothing the second time.

        Raises EnvFileError if it can't be read; that there is none is no error.
        """
        if self._outer is None:
            self._environ, self._outer, self._env_file = environ, dict(environ), path
            self._apply(self._candidate())

    def snapshot_senders(self) -> None:
        """Keep the senders file's present text."""
        self.senders = _text(self._environ)

    def reload(self, check: Check) -> tuple[str, ...]:
        """Read .env and the senders file again; use them if they are valid. Returns the errors, empty if so."""
        try:
            candidate = self._candidate()
        except EnvFileError as error:
            self.errors = (str(error),)
            return self.errors
        senders = _text(candidate)
        self.errors = tuple(check(candidate, senders))
        if not self.errors:
            self._apply(candidate)
            self.senders = senders
        return self.errors

    def _candidate(self) -> dict[str, str]:
        """The environment as it would be: what the process was started with, and .env as it is now."""
        outer = self._outer if self._outer is not None else dict(self._environ)
        found = dotenv_values(stream=StringIO(env_file_text(Path(self._env_file)) if self._env_file else ""))
        return {**{name: value for name, value in found.items() if value is not None}, **outer}

    def _apply(self, candidate: Mapping[str, str]) -> None:
        named = candidate.keys() - (self._outer or {}).keys()
        for name in self._from_file - named:
            self._environ.pop(name, None)
        for name in named:
            self._environ[name] = candidate[name]
        self._from_file = named


ACTIVE_CONFIGURATION = ActiveConfiguration()


def _text(environ: Mapping[str, str]) -> str | None:
    """The senders file's text; None if there is none that can be read, which the check then says."""
    path = environ.get("SENDERS_FILE", "").strip()
    try:
        return Path(path).read_text("utf-8-sig") if path else None
    except (OSError, UnicodeDecodeError):
        return None
