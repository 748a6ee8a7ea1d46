"""The marshmallow schemas as JSON Schema: what apispec makes of them, and what it can't know."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from cobrowse.errors import error_types_by_code
from integrations.senders.payloads.envelopes import ENVELOPES
from schemas.data_action import (
    SETTINGS_BYTES,
    AnswerSchema,
    ChannelField,
    ConversationIdField,
    EndRequestSchema,
    InitiationSchema,
    InitiationsSchema,
    JsonObjectField,
    LabelField,
    StartRequestSchema,
    StatusAnswerSchema,
    StatusRequestSchema,
)
from schemas.texts import CHANNELS
from tools.api_reference import fields as words
from tools.api_reference.headers import KEY_PATTERN

Json = dict[str, Any]

# What callers send, each with its fields in words.
REQUESTS: dict[type[Schema], dict[str, str]] = {
    StartRequestSchema: words.START,
    StatusRequestSchema: words.STATUS,
    EndRequestSchema: words.END,
}
# What stands for "not given": Architect sends an empty string for an input that is not set.
_NOT_GIVEN: Json = {"enum": ["", None], "description": "Counts as not given."}
_ENTRY = fields.Boolean()


def _spellings(values: "set[Any]", *, itself: bool) -> list[Any]:
    """A boolean and what is read as it, in an order that doesn't change from run to run."""
    return [
        itself,
        *sorted(
            (value for value in values if value is not itself), key=lambda value: (str(value), isinstance(value, str))
        ),
    ]


_TRUE = _spellings(_ENTRY.truthy, itself=True)
_FALSE = _spellings(_ENTRY.falsy, itself=False)
_WHICH_CONVERSATION: list[Json] = [
    {
        "title": "A conversation by its id",
        "required": ["conversationId"],
        "properties": {
            "conversationId": {"type": "string", "format": "uuid"},
            "latest": {"enum": [*_FALSE, "", None]},
        },
    },
    {
        "title": "The newest active webchat",
        "required": ["latest"],
        "properties": {"latest": {"enum": _TRUE}, "conversationId": {"enum": ["", None]}},
    },
]
_WHICH_INITIATION = ("initiationId", "idempotencyKey", "conversationId")


def plugin() -> MarshmallowPlugin:
    """The plugin that reads marshmallow; pass it to `extend` once it stands in an APISpec."""
    return MarshmallowPlugin(schema_name_resolver=name_of)


def name_of(schema: type[Schema] | Schema | str) -> str:
    """A schema's name in the document: its class's, without the word Schema."""
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def extend(made: MarshmallowPlugin) -> None:
    """Register this service's own fields with the plugin."""
    converter = made.converter
    assert converter is not None  # noqa: S101 - an APISpec gives it one
    converter.field_mapping[JsonObjectField] = ("string", "json-object")
    converter.field_mapping[ConversationIdField] = ("string", "uuid")
    converter.field_mapping[ChannelField] = ("string", None)
    # Anything: a label is cut or left out, and never refused.
    converter.field_mapping[LabelField] = (None, None)
    converter.add_attribute_function(_explained)  # type: ignore[no-untyped-call]  # apispec's is untyped
    converter.add_attribute_function(_as_callers_send_it)  # type: ignore[no-untyped-call]  # apispec's is untyped


def add_schemas(spec: APISpec) -> None:
    """Every border's schema, as a component."""
    spec.components.schema(
        "StartRequest",
        {"description": "What a data action sends: flat.", "oneOf": _WHICH_CONVERSATION},
        schema=StartRequestSchema,
    )
    for request in (StatusRequestSchema, EndRequestSchema):
        names = [name for name in _WHICH_INITIATION if name in REQUESTS[request]]
        if request is EndRequestSchema:
            names.remove("idempotencyKey")
        any_of = [{"required": [name], "properties": {name: {"type": "string", "minLength": 1}}} for name in names]
        spec.components.schema(name_of(request), {"description": request.__doc__, "anyOf": any_of}, schema=request)
    for answer in (AnswerSchema, StatusAnswerSchema, InitiationSchema, InitiationsSchema):
        spec.components.schema(name_of(answer), {"description": answer.__doc__}, schema=answer)
        # A later release may add a key, and a caller must not trip over it.
        spec.components.schemas[name_of(answer)].pop("additionalProperties", None)
    for schema in {type(envelope.schema): envelope.schema for envelope in ENVELOPES.values()}.values():
        spec.components.schema(name_of(schema), {"description": type(schema).__doc__}, schema=schema)


def _explained(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:  # noqa: ARG001 - apispec's
    """The words for a request's field, and the codes that an answer can hold."""
    told = next((words for schema, words in REQUESTS.items() if isinstance(field.parent, schema)), None)
    if told is not None:
        return {"description": told[str(field.data_key or field.name)]}
    if isinstance(field.parent, AnswerSchema) and field.name == "errorCode":
        return {"enum": ["", *error_types_by_code()]}
    return {}


def _as_callers_send_it(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:
    """A field of a request also takes what Architect sends for "not set", and a boolean also its spellings."""
    if type(field.parent) not in REQUESTS:
        return {}
    told: Json = {key: ret.pop(key) for key in ("description", "default") if key in ret}
    meant = dict(ret)
    ret.clear()
    if isinstance(field, JsonObjectField):
        meant |= {
            "pattern": r"^\s*\{[\s\S]*\}\s*$",
            "contentMediaType": "application/json",
            "contentSchema": {"type": "object"},
            "description": f"At most {SETTINGS_BYTES} bytes.",
        }
    if isinstance(field, ChannelField):
        names = [name for name in CHANNELS if name]
        meant |= {"enum": [*names, *(name.upper() for name in names)], "description": "In any case."}
    if field.name == "idempotency_key":
        meant |= {"pattern": KEY_PATTERN, "maxLength": 255}
    spelled = [{"enum": [*_TRUE, *_FALSE], "description": "true or false, as written."}]
    if not isinstance(field, fields.Boolean):
        spelled = []
    if told.get("default") in ("", None):
        told.pop("default", None)
    return {**told, "anyOf": [meant, *spelled, _NOT_GIVEN]}
