"""The data action's flat contract, with Architect's habits."""

import pytest
from marshmallow import ValidationError, fields

from cobrowse.model import Outcome, Session, Status
from schemas.answers import AnswerSchema
from schemas.data_action import StartRequestSchema
from schemas.session_actions import EndRequestSchema, StatusRequestSchema
from schemas.validation_errors import describe_errors
from tests.unit.test_texts import PLACEHOLDERS
from web.responses import to_answer

ID = "0c1f7d1e-7c4b-4a7e-9a57-0d4b2f1d7a11"
SCHEMA = StartRequestSchema()
NAMES = tuple(str(field.data_key or name) for name, field in SCHEMA.fields.items())


def fault(**body):
    with pytest.raises(ValidationError) as error:
        SCHEMA.load(body)
    return describe_errors(error.value.messages, NAMES)


def test_the_id_alone_is_enough():
    loaded = SCHEMA.load({"conversationId": ID})
    assert str(loaded["conversation_id"]) == ID
    assert (loaded["latest"], loaded["requested_by"], loaded["session_settings"]) == (False, "", {})
    assert (loaded["channel"], loaded["idempotency_key"]) == (None, "")


def test_an_empty_string_and_null_mean_not_given():
    loaded = SCHEMA.load(
        {"conversationId": ID, "channel": "", "latest": "", "requestedBy": "", "sessionSettings": None}
    )
    assert loaded["channel"] is None
    assert loaded["latest"] is False


@pytest.mark.parametrize(
    ("sent", "meant"), [("true", True), ("1", True), (True, True), ("false", False), ("0", False), (0, False)]
)
def test_booleans_may_be_written_as_architect_writes_them(sent, meant):
    body = {"latest": sent} if meant else {"latest": sent, "conversationId": ID}
    assert SCHEMA.load(body)["latest"] is meant


def test_the_placeholder_of_an_unset_id_is_refused_by_its_own_name_and_shown():
    assert fault(conversationId="${input.conversationId}") == (
        "conversationId: The data action's input conversationId was not set; '${input.conversationId}' came."
    )
    assert "input convId was not set" in fault(conversationId="$!{input.convId}")
    assert "input conversationId was not set; '$esc.jsonEncode(${input.conversationId})' came" in fault(
        conversationId="$esc.jsonEncode(${input.conversationId})"
    )


def test_the_word_for_an_unset_id_is_shown_under_the_fields_name():
    assert fault(conversationId="NOT_SET") == (
        "conversationId: The data action's input conversationId was not set; 'NOT_SET' came."
    )


@pytest.mark.parametrize("unset", ["${input.conversationId}", "NOT_SET", "null"])
def test_with_latest_an_unset_id_is_as_good_as_none(unset):
    assert "conversation_id" not in SCHEMA.load({"latest": " true ", "conversationId": unset})


@pytest.mark.parametrize(
    ("field", "sent", "shown"),
    [
        ("latest", "sometimes", "Must be true or false; 'sometimes' came."),
        ("dryRun", [1], "Must be true or false; [1] came."),
        ("participantData", "x" * 500, f"Must be true or false; '{'x' * 59} came."),
        ("startWhen", "agentConnected", "Must be one of customer_connected, agent_connected; 'agentconnected' came."),
        ("idempotencyKey", True, "Must be a text; a value of type bool came."),
    ],
)
def test_a_wrong_word_is_named_and_shown(field, sent, shown):
    assert fault(conversationId=ID, **{field: sent}) == f"{field}: {shown}"


@pytest.mark.parametrize("schema", [StartRequestSchema(), EndRequestSchema(), StatusRequestSchema()])
def test_a_key_without_quotes_in_the_template_is_the_number_as_a_text(schema):
    assert schema.load({"conversationId": ID, "idempotencyKey": 4711})["idempotency_key"] == "4711"


@pytest.mark.parametrize("schema", [StartRequestSchema(), EndRequestSchema(), StatusRequestSchema()])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"conversationId": "x"}', "a JSON string came: leave out the quotes around the template."),
        ([{}], "a value of type list came."),
        (None, "a value of type NoneType came."),
    ],
)
def test_a_body_that_is_no_object_is_described(schema, body, words):
    with pytest.raises(ValidationError) as error:
        schema.load(body)
    assert describe_errors(error.value.messages) == f"Must be one JSON object; {words}"


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_the_placeholder_of_an_optional_input_is_as_good_as_none(placeholder):
    body = dict.fromkeys(("channel", "latest", "requestedBy", "sessionSettings", "idempotencyKey"), placeholder)
    loaded = SCHEMA.load({"conversationId": ID, **body})
    assert loaded == SCHEMA.load({"conversationId": ID})


def test_a_missing_id_is_named_with_the_remedy():
    assert fault() == "conversationId: Missing; send the conversation's id."
    assert fault(conversationId="") == "conversationId: Missing; send the conversation's id."


def test_latest_takes_the_place_of_the_id_and_not_both():
    assert SCHEMA.load({"latest": "true"})["latest"] is True
    assert "latest: Send either" in fault(conversationId=ID, latest=True)


def test_a_wrong_id_is_named_and_shown_in_part():
    assert fault(conversationId="latest one") == "conversationId: Must be a UUID; 'latest one' came."
    assert fault(conversationId="x" * 500) == f"conversationId: Must be a UUID; '{'x' * 60}' came."
    assert fault(conversationId=17) == "conversationId: Must be a UUID; a value of type int came."


def test_unknown_fields_are_refused_by_name():
    assert fault(conversationId=ID, conversation_id=ID).startswith(
        "'conversation_id' is not a field here; the fields are conversationId,"
    )


def test_a_wrong_channel_names_the_choices():
    assert fault(conversationId=ID, channel="email") == (
        "channel: Must be one of webchat, voice, message; 'email' came."
    )


def test_session_settings_are_a_json_object_in_a_string():
    assert SCHEMA.load({"conversationId": ID, "sessionSettings": '{"mask": true}'})["session_settings"] == {
        "mask": True
    }
    assert "in braces" in fault(conversationId=ID, sessionSettings="[1]")
    assert "not JSON" in fault(conversationId=ID, sessionSettings="{nope}")
    assert "Must be a string" in fault(conversationId=ID, sessionSettings={"mask": True})
    assert "at most 4096 bytes" in fault(conversationId=ID, sessionSettings='{"a": "' + "ü" * 2048 + '"}')
    assert SCHEMA.load({"conversationId": ID, "sessionSettings": '{"a":"' + "x" * 4088 + '"}'})


def test_the_answer_has_exactly_the_contracts_keys_flat_without_null_and_of_their_types():
    answer = to_answer(Outcome(Status.INITIATED, "i-1", "c-1", Session(verified=True)))
    kinds = {fields.Boolean: bool, fields.Integer: int, fields.String: str}
    contract = AnswerSchema().fields
    assert list(answer) == list(contract)
    assert {name: type(value) for name, value in answer.items()} == {
        name: kinds[type(field)] for name, field in contract.items()
    }
    assert AnswerSchema().validate(answer) == {}


@pytest.mark.parametrize("digit", ["\uff11", "\u0661", "\u0967", "\U0001d7cf"])
def test_a_digit_of_another_script_is_none_of_a_uuids(digit):
    came = f"{digit}1111111-1111-4111-8111-111111111111"
    assert fault(conversationId=came) == f"conversationId: Must be a UUID; {came!r} came."
