"""The marshmallow schemas as JSON Schema: what apispec makes of them, and what it can't know."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from cobrowse.errors import error_types_by_code
from integrations.senders.payloads.envelopes import ENVELOPES
from schemas.callbacks import CallbackOutcomeSchema, CallbackSchema
from schemas.data_action import (
    AnswerSchema,
    ChannelField,
    ConversationIdField,
    DeliveryAnswerSchema,
    JsonObjectField,
    LabelField,
    StartRequestSchema,
)
from schemas.health import HealthSchema, ReadinessSchema
from schemas.session_actions import (
    EndRequestSchema,
    InitiationSchema,
    InitiationsSchema,
    StatusAnswerSchema,
    StatusRequestSchema,
)
from schemas.texts import CHANNELS

Json = dict[str, Any]

KEY_PATTERN = r"^[\x20-\x7e]*$"

_NO_ID: Json = {"not": {"required": ["conversationId"]}}
_CONVERSATION: list[Json] = [
    {"title": "By its id", "required": ["conversationId"], "properties": {"latest": {"const": False}}},
    {"title": "The newest", "required": ["latest"], "properties": {"latest": {"const": True}}, **_NO_ID},
]


# What callers send, with the fields of which one must be there.
_ONE_OF: dict[type[Schema], tuple[str, ...]] = {
    StatusRequestSchema: ("initiationId", "idempotencyKey", "conversationId"),
    EndRequestSchema: ("initiationId", "conversationId"),
}


def _require_one_of(names: tuple[str, ...]) -> list[Json]:
    return [{"required": [name], "properties": {name: {"type": "string", "minLength": 1}}} for name in names]


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
    converter.add_attribute_function(_constraints)  # type: ignore[no-untyped-call]  # apispec's is untyped
    flat = {"description": "What a data action sends: flat.", "oneOf": _CONVERSATION}
    spec.components.schema("StartRequest", flat, schema=StartRequestSchema)
    for request, names in _ONE_OF.items():
        spec.components.schema(
            name_of(request), {"description": request.__doc__, "anyOf": _require_one_of(names)}, schema=request
        )
    schemas = (
        *(AnswerSchema(), DeliveryAnswerSchema(), StatusAnswerSchema(), InitiationSchema(), InitiationsSchema()),
        *(CallbackOutcomeSchema(), CallbackSchema(), HealthSchema(), ReadinessSchema()),
    )
    for schema in (*schemas, *{type(envelope.schema): envelope.schema for envelope in ENVELOPES.values()}.values()):
        spec.components.schema(name_of(schema), {"description": type(schema).__doc__}, schema=schema)


def query(schema: type[Schema], **examples: str) -> list[Json]:
    """The parameters of a query, none of them required, with these examples."""
    made = plugin()
    APISpec("query", "1", "3.1.0", plugins=[made])
    assert made.converter is not None  # noqa: S101 - an APISpec gives it one
    made.converter.field_mapping[ConversationIdField] = ("string", "uuid")
    found: list[Json] = []
    for one in made.converter.schema2parameters(schema, location="query"):
        shape, example = dict(one["schema"]), {"example": examples[one["name"]]} if one["name"] in examples else {}
        if shape.pop("default") is None:  # which leaves it out: a query has no null
            shape["type"], _ = shape["type"]
        else:
            shape["default"] = one["schema"]["default"]
        found.append(
            {"name": one["name"], "in": "query", "required": False, "schema": shape}
            | {"description": one["description"], **example}
        )
    return found


def _error_codes(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:  # noqa: ARG001 - apispec's
    """The codes that an answer can hold."""
    if isinstance(field.parent, AnswerSchema) and field.name == "errorCode":
        return {"enum": ["", *error_types_by_code()]}
    return {}


def _constraints(_converter: OpenAPIConverter, field: fields.Field[Any], ret: Json) -> Json:
    """What apispec can't know of a request's field. The operation's description has what the service reads besides."""
    if not isinstance(field.parent, (StartRequestSchema, *_ONE_OF)):
        return {}
    if ret.get("default") in ("", None):
        ret.pop("default", None)
    if isinstance(field, JsonObjectField):
        held = {"contentMediaType": "application/json", "contentSchema": {"type": "object"}}
        return {"pattern": r"^\s*\{[\s\S]*\}\s*$", **held}
    if isinstance(field, ChannelField):
        names = [name for name in CHANNELS if name]
        return {"enum": [*names, *(name.upper() for name in names)]}
    return {"pattern": KEY_PATTERN, "maxLength": 255} if field.name == "idempotency_key" else {}
