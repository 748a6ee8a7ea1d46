"""What a sign-in at an identity provider consists of, apart from the library that does it, which takes 5 MB."""

from dataclasses import dataclass


class ProviderUnavailable(Exception):
    """The provider can't be reached, or what it answers is not OpenID Connect; the log says why."""


class SignInRefused(Exception):
    """The provider has not confirmed who it is; the log says why."""


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in under way: where the browser goes, and what must come back with it."""

    url: str
    state: str
    nonce: str
    code_verifier: str
