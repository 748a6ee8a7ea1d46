"""What the code knows of the OpenAPI document's components: marshmallow's schemas, and the schemes of the senders."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from integrations.senders.auth.scheme import Scheme
from integrations.senders.auth.schemes import SCHEMES
from schemas import answers, session_actions  # noqa: F401 - for marshmallow's registry, where apispec looks
from schemas.data_action import ChannelField, ConversationIdField, JsonObjectField, LabelField
from schemas.input_schema import InputSchema
from schemas.texts import CHANNELS

Json = dict[str, Any]

# What apispec can't know of a field of a class of our own: its type and format, and what else it says.
_TYPES: dict[type, tuple[str | None, str | None]] = {
    ConversationIdField: ("string", "uuid"),
    ChannelField: ("string", None),
    JsonObjectField: ("string", "json-object"),
    LabelField: ("string", None),  # what else comes is read as one or left out, and never refused
}
_VALUES: Mapping[type[fields.Field[Any]], Json] = {
    ChannelField: {"enum": [case(name) for case in (str.lower, str.upper) for name in CHANNELS if name]},
    JsonObjectField: {
        "pattern": r"^\s*\{[\s\S]*\}\s*$",
        "contentMediaType": "application/json",
        "contentSchema": {"type": "object"},
    },
    fields.Raw: {"type": ["string", "number", "boolean", "object", "array", "null"]},
}


class _Converter(OpenAPIConverter):
    field_mapping = OpenAPIConverter.field_mapping | _TYPES

    def schema2jsonschema(self, schema: Schema) -> Json:
        """A schema's component, with the first words of its docstring."""
        made: Json = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]  # apispec's is untyped
        return {"description": str(type(schema).__doc__).partition("\n\n")[0]} | made

    def field2property(self, field: fields.Field[Any]) -> Json:
        """A field's property, without a default that stands for what is not given."""
        made: Json = super().field2property(field) | _VALUES.get(type(field), {})
        if made.get("default", "") in ("", None):
            made.pop("default", None)
        if "enum" in made and "null" in made["type"]:
            made["enum"] = [*made["enum"], None]
        return made

    def field2nullable(self, field: fields.Field[Any], ret: Json) -> Json:
        """The type with null where the schema takes null as not given, whatever the field itself takes."""
        key, nullable = field.data_key or field.name, copy(field)
        takes_null = isinstance(field.parent, InputSchema) and key not in field.parent.prepare({key: None})
        nullable.allow_none = takes_null and not field.required
        made: Json = super().field2nullable(nullable, ret)
        return made


class Plugin(MarshmallowPlugin):
    """For an APISpec: a component for each schema that it refers to."""

    Converter = _Converter

    def reference(self, schema: Schema) -> Json:
        """A reference to this schema's component."""
        assert self.converter is not None  # noqa: S101 - an APISpec gives it one
        made: Json = self.converter.resolve_nested_schema(schema)  # type: ignore[no-untyped-call]  # apispec's is untyped
        return made


def security_schemes(schemes: Mapping[str, Scheme] = SCHEMES) -> dict[str, Json]:
    """The senders' schemes. OpenAPI has no signatures: the nearest is a key."""
    rows = (
        (name, f'Senders whose row has `signature = "{name}"`.', scheme.openapi) for name, scheme in schemes.items()
    )
    return {name: {**openapi, "description": f"{text} {openapi['description']}"} for name, text, openapi in rows}
