"""What each of Genesys's calls does, and the answer of one that works."""

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

import orjson
from flask import Response, request

from sandbox import responses
from sandbox.answers import json_answer
from sandbox.directory import ORGANIZATION, SERVICE_USER
from sandbox.errors import GenesysError
from sandbox.fake_genesys import FakeGenesys
from sandbox.logins import GRANTS
from sandbox.tokens import Token, require_scopes

T = TypeVar("T")

# The scope that a channel asks for beside cobrowse:initiate; e-mail has none, since it is refused anyway.
CHANNEL_SCOPES: Mapping[str, tuple[str, ...]] = {
    "webchat": ("conversation:webchat",),
    "voice": ("conversation:voice",),
    "message": ("conversation:message",),
    "email": (),
}
NATIVE_PERMISSIONS = "conversation:cobrowse:add, conversation:cobrowseVoice:add"


def login(genesys: FakeGenesys) -> Response:
    """`POST /oauth/token`: client credentials, in the Basic header or in the form; a user's code or refresh token."""
    form, authorization = request.form.to_dict(), request.headers.get("Authorization")
    is_user = form.get("grant_type") in GRANTS
    document = genesys.logins.grant(authorization, form) if is_user else genesys.tokens.login(authorization, form)
    return json_answer(document, headers={"Cache-Control": "no-store"})


def authorize(genesys: FakeGenesys) -> Response:
    """`GET /oauth/authorize`: where a user logs in."""
    return genesys.logins.page(request.args.to_dict())


def get_me(genesys: FakeGenesys) -> Response:
    """`GET /api/v2/users/me`: whose token it is; a client's has nobody."""
    if not authenticate(genesys).is_user:
        raise GenesysError("user.context.required")
    return json_answer({**SERVICE_USER, "organization": ORGANIZATION})


def list_webchats(genesys: FakeGenesys) -> Response:
    """`GET /api/v2/conversations/webchat`: the webchats, newest first."""
    authenticate(genesys, "conversation:read")
    active = request.args.get("active", "true").lower() != "false"
    size, number = _count("pageSize", 25), _count("pageNumber", 1)
    return json_answer(responses.webchat_page(genesys.state.webchats(active=active), size, number, genesys.options.api))


def get_conversation(genesys: FakeGenesys, conversation_id: str) -> Response:
    """`GET /api/v2/conversations/{id}`: what verification reads in both flows."""
    authenticate(genesys, "conversation:read")
    return json_answer(responses.conversation(genesys.state.view(conversation_id), genesys.options.api))


def create_session(genesys: FakeGenesys) -> Response:
    """`POST /api/v2/cobrowse/sessions`: a session that is not attached to anything yet."""
    authenticate(genesys, "cobrowse:initiate")
    return json_answer(responses.created_session(genesys.state.create(parse_body(dict))), 201)


def attach_medium(genesys: FakeGenesys, conversation_id: str) -> Response:
    """`POST /api/v2/conversations/{id}/media`: the session becomes a medium and the customer is invited."""
    token = authenticate(genesys, "cobrowse:initiate")
    require_scopes(token, *CHANNEL_SCOPES[genesys.state.conversation(conversation_id).channel])
    body = parse_body(dict)
    kind, session_id = body.get("type"), body.get("cobrowseSessionId")
    if kind != "cobrowse":
        raise GenesysError("invalid.value", value=str(kind), type="type", allowableValues="cobrowse")
    if not isinstance(session_id, str):
        raise GenesysError("bad.request", details=({"errorCode": "bad.request", "fieldName": "cobrowseSessionId"},))
    lag = partial(genesys.faults.next_visibility_delay, "attach")
    medium, new = genesys.state.attach(conversation_id, session_id, lag)
    genesys.notify(genesys.state.conversation(conversation_id))
    return json_answer(responses.attached(medium), 201 if new else 200)


def start_cobrowse(genesys: FakeGenesys, conversation_id: str) -> Response:
    """`POST /api/v2/conversations/{id}/cobrowse`: the native flow in one call; a body is neither needed nor read."""
    authenticate(genesys, "cobrowse:initiate", permissions=NATIVE_PERMISSIONS)
    session = genesys.state.start(conversation_id, partial(genesys.faults.next_visibility_delay, "cobrowse"))
    genesys.notify(genesys.state.conversation(conversation_id))
    return json_answer(responses.started_session(session, genesys.state.conversation(conversation_id).channel))


def disconnect(genesys: FakeGenesys, conversation_id: str, participant_id: str, communication_id: str) -> Response:
    """`PATCH …/communications/{id}`: end a cobrowse; no other change is possible."""
    authenticate(genesys, "cobrowse:initiate")
    if parse_body(dict).get("state") != "disconnected":
        raise GenesysError("communication.state.required")
    conversation = genesys.state.conversation(conversation_id)
    medium = responses.medium_of(conversation.media, conversation.id, participant_id, communication_id)
    if medium is None:
        raise GenesysError("not.found")
    genesys.state.disconnect(conversation.id, medium.id)
    return json_answer({})


def set_attributes(genesys: FakeGenesys, conversation_id: str, participant_id: str) -> Response:
    """`PATCH …/participants/{id}/attributes`: the customer's participant data."""
    authenticate(genesys, "conversation:read")
    attributes = parse_body(dict).get("attributes")
    texts = isinstance(attributes, dict) and all(isinstance(value, str) for value in attributes.values())
    if not texts or not isinstance(attributes, dict):
        raise GenesysError("bad.request", details=({"errorCode": "bad.request", "fieldName": "attributes"},))
    conversation = genesys.state.conversation(conversation_id)
    if participant_id != responses.derive_id(conversation.id, "customer"):
        raise GenesysError("not.found")
    genesys.state.set_attributes(conversation.id, attributes)
    return json_answer({})


def get_cobrowse(genesys: FakeGenesys, conversation_id: str) -> Response:
    """`GET /api/v2/conversations/cobrowsesessions/{id}`: the cobrowse of a conversation, if there is one."""
    authenticate(genesys, "conversation:read")
    conversation = genesys.state.view(conversation_id)
    if not conversation.media:
        raise GenesysError("not.found")
    return json_answer(responses.cobrowse_conversation(conversation))


def authenticate(genesys: FakeGenesys, *scopes: str, permissions: str = "") -> Token:
    """The token that came with this call; GenesysError where it is none, is used up or lacks one of the scopes."""
    token = genesys.tokens.authenticate(request.headers.get("Authorization"))
    require_scopes(token, *scopes, permissions=permissions)
    return token


def parse_body(kind: type[T]) -> T:
    """The body as JSON of this kind, an object or a list; none at all is an empty one."""
    raw = request.get_data()
    if not raw:
        return kind()
    if request.mimetype != "application/json":
        raise GenesysError("unsupported.media.type")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise GenesysError("bad.request") from error
    if not isinstance(document, kind):
        raise GenesysError("bad.request")
    return document


def _count(name: str, default: int) -> int:
    """A positive number of the query."""
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:6]) <= 1000:
        raise GenesysError("invalid.value", value=value, type=name, allowableValues="1 to 1000")
    return int(value)
