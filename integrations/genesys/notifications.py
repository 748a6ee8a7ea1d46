"""Genesys's notification channels: what to subscribe to, a new channel with its topics, and who talks just now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from cobrowse.errors import GenesysBadResponse
from cobrowse.flow import Attempt
from integrations.genesys.client import Client
from integrations.genesys.operations import CONVERSATION, Operation, UpstreamRejected
from schemas import genesys_notifications as schemas

# A channel that nobody connects to is dropped by Genesys, so one more than needed does no harm.
CHANNEL = Operation(
    "channel", "POST", "/api/v2/notifications/channels", schemas.ChannelSchema(), repeatable=True, sends_json=True
)
# Replaces the channel's topics. With ignoreErrors each topic's own state is answered, and the good ones hold.
SUBSCRIBE = Operation(
    "subscribe",
    "PUT",
    "/api/v2/notifications/channels/{target}/subscriptions?ignoreErrors=true",
    schemas.SubscriptionsSchema(),
    repeatable=True,
    sends_json=True,
)
QUEUES = Operation("queues", "GET", "/api/v2/routing/queues?pageSize=100", schemas.EntitiesSchema(), repeatable=True)
USERS = Operation(
    "users", "POST", "/api/v2/users/search", schemas.UserResultsSchema(), repeatable=True, sends_json=True
)
DETAILS = Operation(
    "details",
    "POST",
    "/api/v2/analytics/conversations/details/query",
    schemas.ConversationDetailsSchema(),
    repeatable=True,
    sends_json=True,
)
# Most conversations a page of analytics has, and most pages that are read.
PAGE, MAX_PAGES = 100, 50
# How long ago a live conversation may have begun to be found again after a gap.
LOOKBACK = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel with its topics: where to connect, when it ends, and which topics Genesys rejected, with the reason."""

    id: str
    uri: str
    expires: datetime | None
    rejected: Mapping[str, str]


class Notifications:
    """The calls around a channel. `new_attempt` gives each its deadline. All raise CobrowseError."""

    def __init__(self, client: Client, new_attempt: Callable[[], Attempt]) -> None:
        self._client = client
        self._new_attempt = new_attempt

    def queue_id(self, name: str) -> str:
        """The id of the queue that is called so."""
        operation = replace(QUEUES, path=f"{QUEUES.path}&name={quote(name, safe='')}")
        return _only(name, "queues", self._call(operation)["entities"])

    def user_id(self, name: str) -> str:
        """The id of the user who has this name or e-mail address."""
        query = {"query": [{"type": "EXACT", "fields": ["name", "email"], "value": name}], "pageSize": 100}
        found = self._call(USERS, query)["results"]
        return _only(
            name, "users", [one for one in found if name.lower() in (one["name"].lower(), one["email"].lower())]
        )

    def open_channel(self, topics: Sequence[str]) -> Channel:
        """A new channel that has these topics."""
        made = self._call(CHANNEL, {})
        answered = self._call(SUBSCRIBE, [{"id": topic} for topic in topics], target=(made["id"],))
        rejected = {one["id"]: _why(one) for one in answered["entities"] if one["state"].lower() == "rejected"}
        return Channel(made["id"], made["connectUri"], made["expires"], rejected)

    def live_conversations(self, queues: Sequence[str], users: Sequence[str], now: datetime) -> list[str]:
        """The ids of these queues' and users' conversations that have not ended, as far as analytics knows."""
        of = [("queueId", one) for one in queues] + [("userId", one) for one in users]
        query: dict[str, Any] = {
            "interval": f"{_stamp(now - LOOKBACK)}/{_stamp(now + timedelta(minutes=5))}",
            "conversationFilters": [
                {"type": "and", "predicates": [{"dimension": "conversationEnd", "operator": "notExists"}]}
            ],
            "segmentFilters": [
                {"type": "or", "predicates": [{"dimension": dimension, "value": value} for dimension, value in of]}
            ],
        }
        found: list[str] = []
        for number in range(1, MAX_PAGES + 1):
            page = self._call(DETAILS, query | {"paging": {"pageSize": PAGE, "pageNumber": number}})["conversations"]
            found += [one["conversationId"] for one in page if one["conversationId"]]
            if len(page) < PAGE:
                break
        return found

    def conversation(self, conversation_id: str) -> Mapping[str, Any]:
        """The conversation's state now, as a notification about it would have it."""
        return self._call(CONVERSATION, conversation_id=conversation_id)

    def _call(
        self, operation: Operation, json: object = None, conversation_id: str = "", target: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        try:
            return self._client.call(
                self._new_attempt(), operation, "", conversation_id=conversation_id, target=target, json=json
            )
        except UpstreamRejected as refused:
            raise GenesysBadResponse(refused.message) from None


def _only(name: str, kind: str, found: Sequence[Mapping[str, str]]) -> str:
    """The id of the one that is found. Genesys's filter finds more than the name: `Support*` too."""
    same = [one["id"] for one in found if kind == "users" or one["name"].lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    what = "none" if not same else f"{len(same)}"
    raise GenesysBadResponse(
        f"[listen] {kind}: {name[:60]!r}: Genesys shows {what} of this name",
        hint="Put the id in its place; the client's role must be allowed to see it (routing:queue:view, "
        "directory:user:view, and its division).",
    )


def _why(topic: Mapping[str, Any]) -> str:
    missing = ", ".join(topic["missingPermissions"])
    return f"missing permission: {missing}" if missing else topic["rejectionReason"] or "no reason is given"


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
