"""The sandbox's own endpoints, under /sandbox: faults, counts, calls, conversations, tokens, settings, reset."""

import orjson
from flask import Blueprint, Response, request

from sandbox import shapes, state
from sandbox.channels import DISTURBANCES
from sandbox.errors import GenesysError
from sandbox.fake_genesys import FakeGenesys
from sandbox.faults import parse
from sandbox.fields import Refused, choice, flag, mapping, text, texts, whole
from sandbox.options import SCOPES, YEAR, change_options


def control(genesys: FakeGenesys) -> Blueprint:
    """The control endpoints of one sandbox; they take no token, keep no record of calls, and meet no faults."""
    blueprint = Blueprint("control", __name__, url_prefix="/sandbox")

    @blueprint.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return _json({"message": str(error)}, 400)

    @blueprint.errorhandler(GenesysError)
    def absent(_error: GenesysError) -> Response:
        # Here it can only be a conversation that isn't there.
        return _json({"message": "id: there is no such conversation"}, 404)

    @blueprint.get("/state")
    def show_state() -> Response:
        return _json(snapshot(genesys))

    @blueprint.get("/calls")
    def show_calls() -> Response:
        calls = genesys.record.newest(request.args.get("operation"))
        return _json({"total": genesys.record.total(), "calls": [one.document() for one in calls]})

    @blueprint.post("/reset")
    def reset() -> Response:
        genesys.reset()
        return _json(snapshot(genesys))

    @blueprint.get("/settings")
    def show_settings() -> Response:
        return _json(genesys.options.document())

    @blueprint.post("/settings")
    def change_settings() -> Response:
        genesys.options.copy_from(change_options(genesys.options, _document()))
        return _json(genesys.options.document())

    @blueprint.post("/tokens")
    def add_token() -> Response:
        fields = mapping(_document(), ("token", "scopes", "expiresIn"))
        value = text(fields["token"], "token") if "token" in fields else None
        scopes = texts(fields["scopes"], "scopes") if "scopes" in fields else SCOPES
        seconds = whole(fields["expiresIn"], "expiresIn", 1, YEAR) if "expiresIn" in fields else None
        token = genesys.add_user_token(value, scopes, seconds)
        return _json({"access_token": token.value, "scopes": sorted(token.scopes), "expires_in": seconds}, 201)

    @blueprint.delete("/logins")
    def revoke_logins() -> Response:
        genesys.logins.revoke()
        return _json({"renewed": genesys.logins.renewed})

    _conversations(blueprint, genesys)
    _channels(blueprint, genesys)
    _faults(blueprint, genesys)
    return blueprint


def _conversations(blueprint: Blueprint, genesys: FakeGenesys) -> None:
    @blueprint.post("/conversations")
    def add_conversation() -> Response:
        fields = mapping(_document(), ("id", "channel", "state", "agent"))
        name = text(fields["id"], "id") if "id" in fields else None
        channel, status = fields.get("channel", "webchat"), fields.get("state", "active")
        new = genesys.add_conversation(str(channel), str(status), name, str(fields.get("agent", "connected")))
        return _json(shapes.conversation(new, genesys.options.api), 201)

    @blueprint.patch("/conversations/<conversation_id>")
    def end_conversation(conversation_id: str) -> Response:
        fields = mapping(_document(), ("state", "customer", "agent", "cobrowse", "transfer"))
        if "state" in fields or not fields:
            choice(fields.get("state"), "state", ("ended",))
            genesys.state.end(conversation_id)
        if "cobrowse" in fields:
            genesys.state.change_cobrowse(conversation_id, choice(fields["cobrowse"], "cobrowse", state.ENDINGS))
        if "transfer" in fields and flag(fields["transfer"], "transfer"):
            genesys.state.move(conversation_id, agent="alerting", transfers=1)
        presences = {
            side: choice(fields[side], side, state.PRESENCES) for side in ("customer", "agent") if side in fields
        }
        conversation = genesys.state.move(conversation_id, presences.get("customer"), presences.get("agent"))
        genesys.notify(conversation)
        return _json(shapes.conversation(conversation, genesys.options.api))


def _channels(blueprint: Blueprint, genesys: FakeGenesys) -> None:
    @blueprint.get("/channels")
    def show_channels() -> Response:
        return _json({"made": genesys.channels.made, "listening": genesys.channels.listening()})

    @blueprint.post("/channels")
    def disturb() -> Response:
        fields = mapping(_document(), ("disturb",))
        genesys.channels.disturb(choice(fields.get("disturb"), "disturb", DISTURBANCES))
        return _json({"made": genesys.channels.made, "listening": genesys.channels.listening()})


def _faults(blueprint: Blueprint, genesys: FakeGenesys) -> None:
    @blueprint.post("/faults")
    def add_fault() -> Response:
        return _json(genesys.faults.enqueue(parse(_document())).document(), 201)

    @blueprint.get("/faults")
    def show_faults() -> Response:
        return _json({"faults": [one.document() for one in genesys.faults.all()]})

    @blueprint.delete("/faults")
    def clear_faults() -> Response:
        genesys.faults.clear()
        return _json({"faults": []})


def snapshot(genesys: FakeGenesys) -> dict[str, object]:
    """What the sandbox holds and has counted."""
    conversations = genesys.state.conversations()
    invitations = genesys.state.invitations()
    return {
        "api": genesys.options.api,
        "fixed": state.FIXED,
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
            for one in genesys.sessions()
        ],
        "attachments": [
            shapes.attached(medium) | {"conversationId": one.id, "time": shapes.stamp(medium.attached)}
            for one in conversations
            for medium in one.media
        ],
        "invitations": {"total": sum(invitations.values()), "byConversation": invitations},
        "tokens": {"issued": genesys.tokens.issued, "renewed": genesys.logins.renewed},
    }


def _document() -> object:
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise Refused("the document is not JSON") from error


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, content_type="application/json")
