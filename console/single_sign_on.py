"""Sign-in at an OpenID Connect provider: the person and role that claims give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from console.sign_in import SignedIn
from schemas.texts import label_in

if TYPE_CHECKING:  # its library takes 5 MB
    from integrations.identity_provider import IdentityProvider

# The claims that may have a person's name, the first that is there.
_NAMES = ("preferred_username", "email", "name", "sub")


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """A provider, and the values of one of its claims that give each role."""

    provider: "IdentityProvider"
    claim: str
    operators: frozenset[str]
    viewers: frozenset[str]

    @property
    def name(self) -> str:
        """What its button says: the provider's host."""
        return urlsplit(self.provider.issuer).hostname or ""

    def person_of(self, claims: Mapping[str, Any]) -> SignedIn | None:
        """The person with these claims; None if none of the claim's values has a role."""
        claim = claims.get(self.claim)
        values = {each for each in (claim if isinstance(claim, list) else [claim]) if isinstance(each, str)}
        # An unverified address may be another person's.
        if self.claim == "email" and claims.get("email_verified") is not True:
            values = set()
        name = next(filter(None, (label_in(claims.get(each)) for each in _NAMES)), "")
        if name and values & self.operators:
            return SignedIn(name, "operator")
        return SignedIn(name, "viewer") if name and values & self.viewers else None


def values_of(text: str) -> frozenset[str]:
    """The values that commas separate; a group's name may have blanks."""
    return frozenset(filter(None, map(str.strip, text.split(","))))
