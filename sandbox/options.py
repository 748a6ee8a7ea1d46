"""How the sandbox behaves: what it is started with and what a test may change while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from sandbox.faults import OPERATIONS
from sandbox.fields import Reader, Refused, choice, flag, mapping, number, texts, whole

APIS = ("both", "media", "native")

# The scopes that the calls of both flows ask for; a client has all of them by default.
SCOPES = (
    "cobrowse:initiate",
    "conversation:read",
    "conversation:webchat",
    "conversation:voice",
    "conversation:message",
)

YEAR = 31_536_000


@dataclass
class Options:
    """The sandbox's settings.

    `api` says which of the two flows exists. `expires_in` is a token's life in seconds (Genesys's default is a day),
    `rate_limit` the calls that a token has in a minute (Genesys's default is 300) or None for no limit, `session_ttl`
    the seconds in which a session must be attached. With `auto_create` any conversation that is asked for exists, as
    an active webchat. `rejected_topics` are those that a notification channel may not have. Of the operations of
    `user_required` each call needs a user's token, which a login through `user_client_id` gives.
    """

    api: str = "both"
    client_id: str = "sandbox"
    client_secret: str = "sandbox-secret"  # noqa: S105 - the published credential of a toy
    user_client_id: str = "sandbox-user"
    user_client_secret: str = "sandbox-user-secret"  # noqa: S105 - as above
    grants: tuple[str, ...] = SCOPES
    expires_in: int = 86_400
    rate_limit: int | None = 300
    auto_create: bool = False
    session_ttl: float = 600.0
    rejected_topics: tuple[str, ...] = ()
    user_required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        choice(self.api, "api", APIS)
        _operations(list(self.user_required), "user_required")

    def copy_from(self, other: "Options") -> None:
        """Become like the other one, in place: every part of the sandbox holds this object."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))

    def document(self) -> dict[str, object]:
        """The settings that can be changed, as the control endpoint shows them."""
        return {name: getattr(self, attribute) for name, (attribute, _) in CHANGEABLE.items()}


def _rate(value: object, field: str) -> int | None:
    return None if value is None else whole(value, field, 1, 1_000_000)


def _operations(value: object, field: str) -> tuple[str, ...]:
    return tuple(choice(one, field, OPERATIONS) for one in texts(value, field))


# JSON name → (attribute, reader)
CHANGEABLE: Mapping[str, tuple[str, Reader]] = {
    "api": ("api", lambda value, field: choice(value, field, APIS)),
    "grants": ("grants", texts),
    "expiresIn": ("expires_in", lambda value, field: whole(value, field, 1, YEAR)),
    "rateLimit": ("rate_limit", _rate),
    "autoCreate": ("auto_create", flag),
    "rejectedTopics": ("rejected_topics", texts),
    "userRequired": ("user_required", _operations),
    "sessionTtl": ("session_ttl", lambda value, field: number(value, field, 0, YEAR)),
}


def change_options(options: Options, document: object) -> Options:
    """The options with the document's fields put in.

    Raises:
        Refused: a field is unknown, or its value can't be used.
    """
    changes = mapping(document, CHANGEABLE)
    if not changes:
        raise Refused(f"give at least one of {', '.join(CHANGEABLE)}")
    new = replace(options)
    for name, value in changes.items():
        attribute, read = CHANGEABLE[name]
        setattr(new, attribute, read(value, name))
    return new
