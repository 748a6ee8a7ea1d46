"""What the calls around notification channels do: channels, topics, queues, users, and analytics' conversations."""

from flask import Response, request

from sandbox import responses
from sandbox.answers import json_answer
from sandbox.channels import MAX_TOPICS
from sandbox.directory import QUEUES, USERS
from sandbox.endpoints import authenticate, parse_body
from sandbox.errors import GenesysError
from sandbox.fake_genesys import FakeGenesys
from sandbox.streams import PREFIX


def make_channel(genesys: FakeGenesys) -> Response:
    """`POST /api/v2/notifications/channels`."""
    authenticate(genesys)
    channel = genesys.channels.make()
    uri = f"ws://{request.host}{PREFIX}{channel.id}"
    return json_answer({"id": channel.id, "connectUri": uri, "expires": responses.stamp(channel.expires)})


def subscribe(genesys: FakeGenesys, channel_id: str) -> Response:
    """`PUT …/subscriptions`: replaces the channel's topics."""
    authenticate(genesys)
    topics = [one.get("id") for one in parse_body(list) if isinstance(one, dict)]
    if len(topics) > MAX_TOPICS or not all(isinstance(one, str) for one in topics):
        raise GenesysError("bad.request")
    wrong = [topic for topic in topics if topic in genesys.options.rejected_topics]
    if wrong and request.args.get("ignoreErrors", "").lower() != "true":
        raise GenesysError("missing.permissions", permissions="routing:queue:view")
    genesys.channels.subscribe(channel_id, [str(topic) for topic in topics if topic not in wrong])
    return json_answer({"entities": [_topic(str(topic), rejected=topic in wrong) for topic in topics]})


def list_queues(genesys: FakeGenesys) -> Response:
    """`GET /api/v2/routing/queues`: by name, or all."""
    authenticate(genesys)
    name = request.args.get("name", "").strip("*").lower()
    found = [{"id": one, "name": called} for called, one in QUEUES.items() if name in called.lower()]
    return json_answer({"entities": found, "pageNumber": 1, "pageSize": 100, "total": len(found)})


def search_users(genesys: FakeGenesys) -> Response:
    """`POST /api/v2/users/search`: by exact name or e-mail address."""
    authenticate(genesys)
    wanted = {str(one.get("value")).lower() for one in parse_body(dict).get("query", []) if isinstance(one, dict)}
    found = [
        {"id": one, "name": called, "email": f"{called.lower()}@sandbox.example"}
        for called, one in USERS.items()
        if wanted & {called.lower(), f"{called.lower()}@sandbox.example"}
    ]
    return json_answer({"results": found, "total": len(found)})


def query_details(genesys: FakeGenesys) -> Response:
    """`POST /api/v2/analytics/conversations/details/query`: live conversations of queues and users."""
    authenticate(genesys)
    query = parse_body(dict)
    of = {
        (part.get("dimension"), part.get("value"))
        for one in query.get("segmentFilters", [])
        for part in one.get("predicates", [])
    }
    found = [
        {"conversationId": one.id, "conversationStart": responses.stamp(one.started)}
        for one in genesys.state.conversations()
        if one.ended is None and of & {("queueId", one.queue), ("userId", one.user)}
    ]
    size, number = int(query["paging"]["pageSize"]), int(query["paging"]["pageNumber"])
    return json_answer({"conversations": found[size * (number - 1) : size * number], "totalHits": len(found)})


def _topic(topic: str, *, rejected: bool) -> dict[str, object]:
    if not rejected:
        return {"id": topic, "state": "Permitted"}
    missing = {"rejectionReason": "missing permissions", "missingPermissions": ["routing:queue:view"]}
    return {"id": topic, "state": "Rejected", **missing}
