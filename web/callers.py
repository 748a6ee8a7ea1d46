"""Who calls with one of the service's own keys."""

from dataclasses import dataclass
from typing import Protocol

from flask import Request

from integrations.senders.auth.credentials import Headers


class Keys(Protocol):
    """Authenticates callers."""

    def identify(self, headers: Headers) -> str:
        """The caller's name. Raises NotAuthenticated."""


@dataclass(frozen=True, slots=True)
class Callers:
    """The callers of the data actions and of what they started. `open_to_all`: a sandbox without API_KEYS."""

    keys: Keys
    open_to_all: bool = False

    def identify(self, request: Request) -> str:
        """The name of the caller's credential. Raises NotAuthenticated."""
        if self.open_to_all:
            return "anyone"
        return self.keys.identify(request.headers)
