"""The sandbox's own endpoints, under /sandbox: faults, counts, calls, conversations, settings, reset."""

import orjson
from flask import Blueprint, Response, request
from marshmallow import fields

from sandbox import responses
from sandbox.answers import json_answer
from sandbox.channels import DISTURBANCES
from sandbox.documents import Document, InvalidDocument, one_of, read, text
from sandbox.errors import GenesysError
from sandbox.fake_genesys import FakeGenesys
from sandbox.faults import parse
from sandbox.options import change_options
from sandbox.state import CHANNELS, ENDINGS, PRESENCES, STATES


class _Conversation(Document):
    conversation_id = text(data_key="id")
    channel = one_of(CHANNELS)
    state = one_of(STATES)
    agent = one_of(PRESENCES)


class _Change(Document):
    state = one_of(("ended",))
    customer = one_of(PRESENCES)
    agent = one_of(PRESENCES)
    cobrowse = one_of(ENDINGS)
    transfer = fields.Boolean()


class _Disturbance(Document):
    disturb = one_of(DISTURBANCES, required=True)


def control(genesys: FakeGenesys) -> Blueprint:
    """The control endpoints of one sandbox; they take no token, keep no record of calls, and meet no faults."""
    blueprint = Blueprint("control", __name__, url_prefix="/sandbox")

    @blueprint.errorhandler(InvalidDocument)
    def refused(error: InvalidDocument) -> Response:
        return json_answer({"message": str(error)}, 400)

    @blueprint.errorhandler(GenesysError)
    def absent(_error: GenesysError) -> Response:
        # Here it can only be a conversation that isn't there.
        return json_answer({"message": "id: there is no such conversation"}, 404)

    @blueprint.get("/state")
    def show_state() -> Response:
        return json_answer(snapshot(genesys))

    @blueprint.get("/calls")
    def show_calls() -> Response:
        calls = genesys.record.newest(request.args.get("operation"))
        return json_answer({"total": genesys.record.total(), "calls": [one.document() for one in calls]})

    @blueprint.post("/reset")
    def reset() -> Response:
        genesys.reset()
        return json_answer(snapshot(genesys))

    @blueprint.get("/settings")
    def show_settings() -> Response:
        return json_answer(genesys.options.document())

    @blueprint.post("/settings")
    def change_settings() -> Response:
        genesys.options.copy_from(change_options(genesys.options, _document()))
        return json_answer(genesys.options.document())

    @blueprint.delete("/logins")
    def revoke_logins() -> Response:
        genesys.logins.revoke()
        return json_answer({"renewed": genesys.logins.renewed})

    _conversations(blueprint, genesys)
    _channels(blueprint, genesys)
    _faults(blueprint, genesys)
    return blueprint


def _conversations(blueprint: Blueprint, genesys: FakeGenesys) -> None:
    @blueprint.post("/conversations")
    def add_conversation() -> Response:
        new = genesys.add_conversation(**read(_Conversation(), _document()))
        return json_answer(responses.conversation(new, genesys.options.api), 201)

    @blueprint.patch("/conversations/<conversation_id>")
    def end_conversation(conversation_id: str) -> Response:
        given = read(_Change(), _document(), empty=False)
        if "state" in given:
            genesys.state.end(conversation_id)
        if "cobrowse" in given:
            genesys.state.change_cobrowse(conversation_id, given["cobrowse"])
        if given.get("transfer"):
            genesys.state.move(conversation_id, agent="alerting", transfers=1)
        conversation = genesys.state.move(conversation_id, given.get("customer"), given.get("agent"))
        genesys.notify(conversation)
        return json_answer(responses.conversation(conversation, genesys.options.api))


def _channels(blueprint: Blueprint, genesys: FakeGenesys) -> None:
    @blueprint.post("/channels")
    def disturb() -> Response:
        genesys.channels.disturb(read(_Disturbance(), _document())["disturb"])
        return json_answer({"made": genesys.channels.made, "listening": genesys.channels.listening()})


def _faults(blueprint: Blueprint, genesys: FakeGenesys) -> None:
    @blueprint.post("/faults")
    def add_fault() -> Response:
        return json_answer(genesys.faults.enqueue(parse(_document())).document(), 201)

    @blueprint.get("/faults")
    def show_faults() -> Response:
        return json_answer({"faults": [one.document() for one in genesys.faults.all()]})

    @blueprint.delete("/faults")
    def clear_faults() -> Response:
        genesys.faults.clear()
        return json_answer({"faults": []})


def snapshot(genesys: FakeGenesys) -> dict[str, object]:
    """The conversations there are, and how often the customer of each was invited."""
    invitations = genesys.state.invitations()
    return {
        "api": genesys.options.api,
        "conversations": [
            {
                "id": one.id,
                "channel": one.channel,
                "state": "active" if one.ended is None else "ended",
                "invitations": invitations.get(one.id, 0),
            }
            for one in genesys.state.conversations()
        ],
    }


def _document() -> object:
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise InvalidDocument("the document is not JSON") from error
