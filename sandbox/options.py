"""How the sandbox behaves: what it is started with and what a test may change while it runs."""

from dataclasses import dataclass, replace
from typing import Any

from marshmallow import fields

from sandbox.documents import Document, integer, number, one_of, read, text
from sandbox.faults import OPERATIONS

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

    def copy_from(self, other: "Options") -> None:
        """Become like the other one, in place: every part of the sandbox holds this object."""
        vars(self).update(vars(other))

    def document(self) -> dict[str, object]:
        """The settings that can be changed, as the control endpoint shows them."""
        shown: dict[str, Any] = Changeable().dump(self)
        return shown


class Changeable(Document):
    """The settings that can be changed."""

    api = one_of(APIS)
    grants = fields.List(text())
    expires_in = integer(1, YEAR, data_key="expiresIn")
    rate_limit = integer(1, 1_000_000, data_key="rateLimit", allow_none=True)
    auto_create = fields.Boolean(data_key="autoCreate")
    rejected_topics = fields.List(text(), data_key="rejectedTopics")
    user_required = fields.List(one_of(OPERATIONS), data_key="userRequired")
    session_ttl = number(YEAR, data_key="sessionTtl")


def change_options(options: Options, document: object) -> Options:
    """The options changed by the document's fields.

    Raises:
        InvalidDocument: a field is unknown, its value can't be used, or there is none.
    """
    return replace(options, **read(Changeable(), document, empty=False))
