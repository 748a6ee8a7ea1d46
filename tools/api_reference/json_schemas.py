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
    DeliveryAnswerSchema,
    JsonObjectField,
    LabelField,
    StartRequestSchema,
)
from schemas.health import HealthSchema, ReadinessSchema
from schemas.texts import CHANNELS

Json = dict[str, Any]

KEY_PATTERN = r"^[\x20-\x7e]*$"

# What stands for "not given": Architect sends an empty string for an input that is not set.
_NOT_GIVEN: Json = {"enum": ["", None], "description": "Counts as not given."}
_ENTRY = fields.Boolean()


# A boolean and what is read as it.
_TRUE = [True, 1, *sorted(value for value in _ENTRY.truthy if isinstance(value, str))]
_FALSE = [False, 0, *sorted(value for value in _ENTRY.falsy if isinstance(value, str))]
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


def plugin() -> MarshmallowPlugin:
    """The plugin that reads marshmallow, for an APISpec."""
    return MarshmallowPlugin(schema_name_resolver=name_of)


def name_of(schema: type[Schema] | Schema | str) -> str:
    """A schema's name in the document: its class's, without the word Schema."""
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def add_to(spec: APISpec, made: MarshmallowPlugin) -> None:
    """Add every schema as a component; `made` is the plugin of this spec."""
    converter = made.converter
    assert converter is not None  # noqa: S101 - an APISpec gives it one
    converter.field_mapping[JsonObjectField] = ("string", "json-object")
    converter.field_mapping[ConversationIdField] = ("string", "uuid")
    converter.field_mapping[ChannelField] = ("string", None)
    # Anything: a label is cut or left out, and never refused.
    converter.field_mapping[LabelField] = (None, None)
    converter.add_attribute_function(_error_codes)  # type: ignore[no-untyped-call]  # apispec's is untyped
    converter.add_attribute_function(_as_callers_send_it)  # type: ignore[no-untyped-call]  # apispec's is untyped
    flat = {"description": "What a data action sends: flat.", "oneOf": _WHICH_CONVERSATION}
    spec.components.schema("StartRequest", flat, schema=StartRequestSchema)
    schemas = (AnswerSchema(), DeliveryAnswerSchema(), HealthSchema(), ReadinessSchema())
    for schema in (*schemas, *{type(envelope.schema): envelope.schema for envelope in ENVELOPES.values()}.values()):
        spec.components.schema(name_of(schema), {"description": type(schema).__doc__}, schema=schema)


def _error_codes(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:  # noqa: ARG001 - apispec's
    """The codes that an answer can hold."""
    if isinstance(field.parent, AnswerSchema) and field.name == "errorCode":
        return {"enum": ["", *error_types_by_code()]}
    return {}


def _as_callers_send_it(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:
    """A field of a request also takes what Architect sends for "not set", and a boolean also its spellings."""
    if not isinstance(field.parent, StartRequestSchema):
        return {}
    kept: Json = {key: ret.pop(key) for key in ("description", "default") if key in ret}
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
    if kept.get("default") in ("", None):
        kept.pop("default", None)
    return {**kept, "anyOf": [meant, *spelled, _NOT_GIVEN]}
