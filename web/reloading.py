"""What the workers start with: .env and the senders file as they were last found valid. SIGHUP reads both again.

gunicorn's master holds it, and each worker is forked from there: a file that is broken keeps what is in force, for the
workers of a reload as for one that takes a dead one's place.
"""

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from dotenv import dotenv_values

Check = Callable[[Mapping[str, str], str | None], list[str]]
"""What is wrong with an environment and the text of its senders file, a line each."""


class EnvFileError(ValueError):
    """A .env that can't be read; the text names it and says why."""


class InForce:
    """The configuration in force. `senders` is the senders file's text, None: as it is on the disk.

    `refused`: why what is on the disk is not in force, a line for each fault; empty while it is.
    """

    def __init__(self) -> None:
        self._environ: MutableMapping[str, str] = {}
        self._outer: dict[str, str] | None = None
        self._env_file = ""
        self._from_file: set[str] = set()
        self.senders: str | None = None
        self.refused: tuple[str, ...] = ()

    def read_env_file(self, environ: MutableMapping[str, str], path: str) -> None:
        """Add the variables of a .env to the process's environment, whose own win. Nothing the second time.

        Raises EnvFileError if it can't be read; that there is none is no fault.
        """
        if self._outer is None:
            self._environ, self._outer, self._env_file = environ, dict(environ), path
            self._apply(self._candidate())

    def keep_senders(self) -> None:
        """Keep the senders file's present text."""
        self.senders = _text(self._environ)

    def renew(self, check: Check) -> tuple[str, ...]:
        """Read all again and put it in force if it is valid; else keep what is. `refused`, as it is from now on."""
        try:
            candidate = self._candidate()
        except EnvFileError as error:
            self.refused = (str(error),)
            return self.refused
        senders = _text(candidate)
        self.refused = tuple(check(candidate, senders))
        if not self.refused:
            self._apply(candidate)
            self.senders = senders
        return self.refused

    def _candidate(self) -> dict[str, str]:
        """The environment as it would be: what the process was started with, and .env as it is now."""
        outer = self._outer if self._outer is not None else dict(self._environ)
        try:
            found = dotenv_values(self._env_file) if self._env_file else {}
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a text in UTF-8"
            raise EnvFileError(f"{self._env_file} can't be read: {why}") from None
        return {**{name: value for name, value in found.items() if value is not None}, **outer}

    def _apply(self, candidate: Mapping[str, str]) -> None:
        named = candidate.keys() - (self._outer or {}).keys()
        for name in self._from_file - named:
            self._environ.pop(name, None)
        for name in named:
            self._environ[name] = candidate[name]
        self._from_file = named


IN_FORCE = InForce()


def _text(environ: Mapping[str, str]) -> str | None:
    """The senders file's text; None if there is none that can be read, which the check then says."""
    path = environ.get("SENDERS_FILE", "").strip()
    try:
        return Path(path).read_text("utf-8-sig") if path else None
    except (OSError, UnicodeDecodeError):
        return None
