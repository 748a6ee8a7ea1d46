"""The sandbox's own endpoints, under /sandbox: faults, counts, calls, conversations, tokens, settings, reset."""

from collections.abc import Mapping

import orjson
from flask import Blueprint, Response, request

from sandbox import shapes, state
from sandbox.channels import DISTURBANCES
from sandbox.errors import GenesysError
from sandbox.fake_genesys import FakeGenesys
from sandbox.faults import parse
from sandbox.fields import Refused, choice, flag, mapping, text, texts, whole
from sandbox.options import SCOPES, YEAR, change_options

FIXED: Mapping[str, str] = {
    "webchat": state.WEBCHAT,
    "voice": state.VOICE,
    "message": state.MESSAGE,
    "ended": state.ENDED,
    "email": state.EMAIL,
    "live": state.LIVE,
}


def control(world: FakeGenesys) -> Blueprint:
    """The control endpoints of one sandbox; they take no token, keep no record of calls, and meet no faults."""
    plan = Blueprint("control", __name__, url_prefix="/sandbox")

    @plan.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return _json({"message": str(error)}, 400)

    @plan.errorhandler(GenesysError)
    def absent(_error: GenesysError) -> Response:
        # Here it can only be a conversation that isn't there.
        return _json({"message": "id: there is no such conversation"}, 404)

    @plan.get("/state")
    def show_state() -> Response:
        return _json(snapshot(world))

    @plan.get("/calls")
    def show_calls() -> Response:
        calls = world.record.newest(request.args.get("operation"))
        return _json({"total": world.record.total(), "calls": [one.document() for one in calls]})

    @plan.post("/reset")
    def reset() -> Response:
        world.reset()
        return _json(snapshot(world))

    @plan.get("/settings")
    def show_settings() -> Response:
        return _json(world.options.document())

    @plan.post("/settings")
    def change_settings() -> Response:
        world.options.take(change_options(world.options, _document()))
        return _json(world.options.document())

    @plan.post("/tokens")
    def add_token() -> Response:
        given = mapping(_document(), ("token", "scopes", "expiresIn"))
        value = text(given["token"], "token") if "token" in given else None
        scopes = texts(given["scopes"], "scopes") if "scopes" in given else SCOPES
        seconds = whole(given["expiresIn"], "expiresIn", 1, YEAR) if "expiresIn" in given else None
        token = world.add_user_token(value, scopes, seconds)
        return _json({"access_token": token.value, "scopes": sorted(token.scopes), "expires_in": seconds}, 201)

    @plan.delete("/logins")
    def revoke_logins() -> Response:
        world.logins.revoke()
        return _json({"renewed": world.logins.renewed})

    _conversations(plan, world)
    _channels(plan, world)
    _faults(plan, world)
    return plan


def _conversations(plan: Blueprint, world: FakeGenesys) -> None:
    @plan.post("/conversations")
    def add_conversation() -> Response:
        given = mapping(_document(), ("id", "channel", "state", "agent"))
        name = text(given["id"], "id") if "id" in given else None
        channel, how = given.get("channel", "webchat"), given.get("state", "active")
        new = world.add_conversation(str(channel), str(how), name, str(given.get("agent", "connected")))
        return _json(shapes.conversation(new, world.options.api), 201)

    @plan.patch("/conversations/<conversation_id>")
    def end_conversation(conversation_id: str) -> Response:
        given = mapping(_document(), ("state", "customer", "agent", "cobrowse", "transfer"))
        if "state" in given or not given:
            choice(given.get("state"), "state", ("ended",))
            world.state.end(conversation_id)
        if "cobrowse" in given:
            world.state.turn(conversation_id, choice(given["cobrowse"], "cobrowse", state.ENDINGS))
        if "transfer" in given and flag(given["transfer"], "transfer"):
            world.state.move(conversation_id, agent="alerting", transfers=1)
        moved = {side: choice(given[side], side, state.PRESENCES) for side in ("customer", "agent") if side in given}
        there = world.state.move(conversation_id, moved.get("customer"), moved.get("agent"))
        world.tell(there)
        return _json(shapes.conversation(there, world.options.api))


def _channels(plan: Blueprint, world: FakeGenesys) -> None:
    @plan.get("/channels")
    def show_channels() -> Response:
        return _json({"made": world.channels.made, "listening": world.channels.listening()})

    @plan.post("/channels")
    def disturb() -> Response:
        given = mapping(_document(), ("disturb",))
        world.channels.disturb(choice(given.get("disturb"), "disturb", DISTURBANCES))
        return _json({"made": world.channels.made, "listening": world.channels.listening()})


def _faults(plan: Blueprint, world: FakeGenesys) -> None:
    @plan.post("/faults")
    def add_fault() -> Response:
        return _json(world.faults.arm(parse(_document())).document(), 201)

    @plan.get("/faults")
    def show_faults() -> Response:
        return _json({"faults": [one.document() for one in world.faults.asked()]})

    @plan.delete("/faults")
    def clear_faults() -> Response:
        world.faults.clear()
        return _json({"faults": []})


def snapshot(world: FakeGenesys) -> dict[str, object]:
    """What the sandbox holds and has counted."""
    conversations = world.state.conversations()
    counted = world.state.invitations()
    return {
        "api": world.options.api,
        "fixed": FIXED,
        "conversations": [
            {"id": one.id, "channel": one.channel, "state": "active" if one.ended is None else "ended"}
            for one in conversations
        ],
        "sessions": [
            {
                "id": one.id,
                "flow": one.flow,
                "conversationId": one.conversation_id,
                "settings": one.settings,
                "created": shapes.stamp(one.made),
                "expires": shapes.stamp(one.expires),
            }
            for one in world.sessions()
        ],
        "attachments": [
            shapes.attached(medium) | {"conversationId": one.id, "time": shapes.stamp(medium.attached)}
            for one in conversations
            for medium in one.media
        ],
        "invitations": {"total": sum(counted.values()), "byConversation": counted},
        "tokens": {"issued": world.tokens.issued, "renewed": world.logins.renewed},
    }


def _document() -> object:
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise Refused("the document is not JSON") from error


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, content_type="application/json")
