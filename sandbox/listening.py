"""What the calls around notification channels do: channels, topics, queues, users, and analytics' conversations."""

from __future__ import annotations

from typing import TypeVar

import orjson
from flask import request

from sandbox import shapes
from sandbox.answers import Answer, json_answer
from sandbox.channels import MOST_TOPICS
from sandbox.directory import QUEUES, USERS
from sandbox.endpoints import admit
from sandbox.errors import GenesysError
from sandbox.fake_genesys import FakeGenesys
from sandbox.streams import PREFIX

T = TypeVar("T")


def make_channel(world: FakeGenesys) -> Answer:
    """`POST /api/v2/notifications/channels`."""
    admit(world)
    channel = world.channels.make()
    uri = f"ws://{request.host}{PREFIX}{channel.id}"
    return json_answer({"id": channel.id, "connectUri": uri, "expires": shapes.stamp(channel.expires)})


def subscribe(world: FakeGenesys, channel_id: str) -> Answer:
    """`PUT …/subscriptions`: the channel's topics, all of them anew."""
    admit(world)
    topics = [one.get("id") for one in _json(list) if isinstance(one, dict)]
    if len(topics) > MOST_TOPICS or not all(isinstance(one, str) for one in topics):
        raise GenesysError("bad.request")
    wrong = [topic for topic in topics if topic in world.options.rejected_topics]
    if wrong and request.args.get("ignoreErrors", "").lower() != "true":
        raise GenesysError("missing.permissions", permissions="routing:queue:view")
    world.channels.subscribe(channel_id, [str(topic) for topic in topics if topic not in wrong])
    return json_answer({"entities": [_topic(str(topic), rejected=topic in wrong) for topic in topics]})


def list_queues(world: FakeGenesys) -> Answer:
    """`GET /api/v2/routing/queues`: by name, or all."""
    admit(world)
    name = request.args.get("name", "").strip("*").lower()
    found = [{"id": one, "name": called} for called, one in QUEUES.items() if name in called.lower()]
    return json_answer({"entities": found, "pageNumber": 1, "pageSize": 100, "total": len(found)})


def search_users(world: FakeGenesys) -> Answer:
    """`POST /api/v2/users/search`: by exact name or e-mail address."""
    admit(world)
    wanted = {str(one.get("value")).lower() for one in _json(dict).get("query", []) if isinstance(one, dict)}
    found = [
        {"id": one, "name": called, "email": f"{called.lower()}@sandbox.example"}
        for called, one in USERS.items()
        if wanted & {called.lower(), f"{called.lower()}@sandbox.example"}
    ]
    return json_answer({"results": found, "total": len(found)})


def query_details(world: FakeGenesys) -> Answer:
    """`POST /api/v2/analytics/conversations/details/query`: live conversations of queues and users."""
    admit(world)
    query = _json(dict)
    of = {
        (part.get("dimension"), part.get("value"))
        for one in query.get("segmentFilters", [])
        for part in one.get("predicates", [])
    }
    found = [
        {"conversationId": one.id, "conversationStart": shapes.stamp(one.started)}
        for one in world.state.conversations()
        if one.ended is None and of & {("queueId", one.queue), ("userId", one.user)}
    ]
    size, number = int(query["paging"]["pageSize"]), int(query["paging"]["pageNumber"])
    return json_answer({"conversations": found[size * (number - 1) : size * number], "totalHits": len(found)})


def _topic(topic: str, *, rejected: bool) -> dict[str, object]:
    if not rejected:
        return {"id": topic, "state": "Permitted"}
    missing = {"rejectionReason": "missing permissions", "missingPermissions": ["routing:queue:view"]}
    return {"id": topic, "state": "Rejected", **missing}


def _json(kind: type[T]) -> T:
    """The body, a list or an object as `kind` says."""
    try:
        document = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise GenesysError("bad.request") from error
    if not isinstance(document, kind):
        raise GenesysError("bad.request")
    return document
