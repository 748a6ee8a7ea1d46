"""The flat contract of Architect's data action: what comes in."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, get_args

import orjson
from marshmallow import RAISE, ValidationError, fields, validate

from cobrowse.model import Channel, StartWhen
from schemas.input_schema import InputSchema
from schemas.json_text import parse_json
from schemas.texts import CHANNELS, SHOWN_LENGTH, conversation_id_in, input_name, label_in, medium_in, placeholder_in

SETTINGS_BYTES = 4_096
IDEMPOTENCY_KEY = (
    "Up to 255 visible ASCII characters, new for each new request and the same for its retries: a retry gets the "
    "first answer again and never starts a second session. Empty counts as none."
)
# A key's form, for the API reference: it is checked where a header's is.
KEY_FORM = {"maxLength": 255, "pattern": r"^[\x20-\x7e]*$"}


def field_metadata(text: str, **more: object) -> dict[str, object]:
    """A field's metadata: its description in the API reference and the data action's contract; `more`: JSON Schema."""
    return {"description": text, **more}


class ConversationIdField(fields.Field[str]):
    """A conversation's id, however it is written."""

    def _deserialize(self, value: Any, attr: str | None, *_: Any, **__: Any) -> str:
        found = conversation_id_in(value) if isinstance(value, str) else ""
        if found:
            return found
        if placeholder := placeholder_in(value):
            name = input_name(placeholder, attr or "conversationId")
            raise ValidationError(f"The data action's input {name} was not set; {value[:SHOWN_LENGTH]!r} came.")
        raise ValidationError(f"Must be a UUID; {_describe_value(value)} came.")


class ChannelField(fields.Field["Channel | None"]):
    """A channel, by any of Genesys's names for it; None for one that Genesys does not know itself."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Channel | None:
        medium = medium_in(value) if isinstance(value, str) else "none"
        if medium not in CHANNELS:
            raise ValidationError(f"Must be one of webchat, voice, message; {_describe_value(value)} came.")
        return CHANNELS[medium]


class LabelField(fields.Field[str]):
    """Who or what asks, cut to its length: it is for the record, and stops nothing."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        return label_in(value)


class JsonObjectField(fields.Field[Mapping[str, Any]]):
    """A JSON object written into a string, since a data action can't send objects."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if not isinstance(value, str):
            raise ValidationError("Must be a string that holds a JSON object.")
        raw = value.encode(errors="surrogatepass")
        if len(raw) > SETTINGS_BYTES:
            raise ValidationError(f"Must be at most {SETTINGS_BYTES} bytes.")
        try:
            loaded = parse_json(raw)
        except orjson.JSONDecodeError:
            raise ValidationError("Must be a string that holds a JSON object; this is not JSON.") from None
        if not isinstance(loaded, dict):
            raise ValidationError("Must be a string that holds a JSON object, in braces.")
        try:
            # It reads deeper nesting than it writes; these are sent on, and hashed inside the request.
            orjson.dumps([loaded])
        except orjson.JSONEncodeError:
            raise ValidationError("Is nested too deeply.") from None
        return loaded


class LowercaseField(fields.String):
    """One of a few words, in any case."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return str(super()._deserialize(value, attr, data, **kwargs)).strip().lower()


# A field that is true or false, also as a text or a number.
boolean_field = partial(fields.Boolean, error_messages={"invalid": "Must be true or false; {input!r:.60} came."})


class KeyField(fields.String):
    """A key, which a template without quotes around it makes a number; its form is checked where a header's is."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError(f"Must be a text; {_describe_value(value)} came.")
        return str(value)


def inputs_in(data: Any, is_unset: Callable[[str, object], bool]) -> dict[str, Any]:
    """What is set of a data action's body, without the blanks around its texts. ValidationError if it is no object."""
    if isinstance(data, str):
        raise ValidationError("Must be one JSON object; a JSON string came: leave out the quotes around the template.")
    if not isinstance(data, Mapping):
        raise ValidationError(f"Must be one JSON object; {_describe_value(data)} came.")
    inputs = {key: value.strip() if isinstance(value, str) else value for key, value in data.items()}
    return {key: value for key, value in inputs.items() if not is_unset(key, value)}


class StartRequestSchema(InputSchema):
    """POST /data-actions/cobrowse. An empty or blank string, null or an unfilled placeholder counts as not given.

    Architect sends the one or the other for an input that is not set. Every input of the contract is a field, so that
    Genesys's own default template, `${input.rawRequest}`, makes a body that is taken.
    """

    class Meta:
        unknown: ClassVar[str] = RAISE

    conversation_id = ConversationIdField(
        data_key="conversationId",
        metadata=field_metadata(
            "The conversation that gets the cobrowse session: its UUID. Required unless latest is true."
        ),
    )
    channel = ChannelField(
        load_default=None,
        metadata=field_metadata(
            "webchat, voice or message, or Genesys's own word in any case (CHAT, CALL, WEBMESSAGING): chooses the "
            "scope of the token that is requested. Naming it saves a call: if it is empty, all scopes are requested, "
            "and the media flow checks the conversation first."
        ),
    )
    latest = boolean_field(
        load_default=False,
        metadata=field_metadata(
            "true takes the newest active webchat instead of a conversationId. Refused unless the service has "
            "ALLOW_LATEST=true, since it can pick another customer's conversation."
        ),
    )
    requested_by = LabelField(
        data_key="requestedBy",
        load_default="",
        metadata=field_metadata(
            "The person or system that requests the session, for the record: cut to 200 characters."
        ),
    )
    start_when = LowercaseField(
        data_key="startWhen",
        load_default="customer_connected",
        validate=validate.OneOf(get_args(StartWhen), error="Must be one of {choices}; {input!r:.60} came."),
        metadata=field_metadata(
            "customer_connected (the default), or agent_connected: nothing is started before an agent has answered, "
            "and the answer is agent_not_connected until then."
        ),
    )
    participant_data = boolean_field(
        data_key="participantData",
        load_default=None,
        metadata=field_metadata(
            "true writes the session's links, code and id into the customer's participant data, where agents' scripts "
            "and flows read them; one call more. Empty: as the service's PARTICIPANT_DATA says."
        ),
    )
    dry_run = boolean_field(
        data_key="dryRun",
        load_default=False,
        metadata=field_metadata(
            "true says what would happen (would_start, already_active, or the error) and does nothing: no invitation, "
            "no session, no key used."
        ),
    )
    session_settings = JsonObjectField(
        data_key="sessionSettings",
        load_default=dict,
        metadata=field_metadata(
            "A string that holds a JSON object of up to 4096 bytes: what the session is created with. A data action "
            "can't send objects."
        ),
    )
    idempotency_key = KeyField(
        data_key="idempotencyKey",
        load_default="",
        metadata=field_metadata(f"The same as the header Idempotency-Key, which wins. {IDEMPOTENCY_KEY}", **KEY_FORM),
    )

    def prepare(self, data: Any) -> Mapping[str, Any]:
        """What is set."""
        inputs = inputs_in(data, _is_unset)
        latest = inputs.get("latest")
        is_latest = isinstance(latest, (str, bool, int)) and latest in fields.Boolean.truthy
        if is_latest and placeholder_in(inputs.get("conversationId")):
            del inputs["conversationId"]
        return inputs

    def check(self, loaded: Mapping[str, Any]) -> None:
        """A conversation's id or `latest`, not both."""
        if loaded["latest"] and "conversation_id" in loaded:
            raise ValidationError("Send either conversationId or latest, not both.", "latest")
        if not loaded["latest"] and "conversation_id" not in loaded:
            raise ValidationError("Missing; send the conversation's id.", "conversationId")


def _is_unset(key: str, value: object) -> bool:
    # The id's own placeholder is kept: where an id is needed, the error names it.
    return value is None or value == "" or (key != "conversationId" and bool(placeholder_in(value)))


def _describe_value(value: object) -> str:
    return repr(value[:SHOWN_LENGTH]) if isinstance(value, str) else f"a value of type {type(value).__name__}"
