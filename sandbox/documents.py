"""The JSON documents that the control endpoints take: each is refused with the field and what it may be."""

from collections.abc import Collection
from typing import Any, TypedDict, Unpack

from marshmallow import Schema, ValidationError, fields, validate


class InvalidDocument(ValueError):
    """A control document that can't be used."""


class Document(Schema):
    """An object without fields other than the schema's."""

    error_messages = {"type": "must be a JSON object", "unknown": "unknown field"}  # noqa: RUF012 - as marshmallow has it


class FieldOptions(TypedDict, total=False):
    """A field's further options, as marshmallow names them."""

    data_key: str
    required: bool
    load_default: object
    allow_none: bool


def read(schema: Schema, document: object, *, empty: bool = True) -> dict[str, Any]:
    """The fields of a document. InvalidDocument names each wrong one, or says that there is none where not `empty`."""
    known = ", ".join(field.data_key or name for name, field in schema.fields.items())
    try:
        given: dict[str, Any] = schema.load(document)  # type: ignore[arg-type]  # whatever JSON came
    except ValidationError as error:
        wrong = "; ".join(f"{name}: {_first(text)}" for name, text in error.messages_dict.items())
        raise InvalidDocument(f"{wrong.replace('_schema', 'the document')}; the fields are {known}") from None
    if not given and not empty:
        raise InvalidDocument(f"give at least one of {known}")
    return given


def one_of(choices: Collection[object], **options: Unpack[FieldOptions]) -> fields.Raw:
    """A value of these, of its type too: 302.0 is no status."""
    named = ", ".join(map(str, choices))

    def check(value: object) -> None:
        if not any(type(value) is type(one) and value == one for one in choices):
            raise ValidationError(f"{value!r} is none of {named}")

    return fields.Raw(validate=check, error_messages=_messages(f"must be one of {named}"), **options)


def integer(least: int, most: int, **options: Unpack[FieldOptions]) -> fields.Integer:
    """A whole number between two bounds."""
    said = f"must be a whole number from {least} to {most}"
    bounds = validate.Range(least, most, error=said)
    return fields.Integer(strict=True, validate=bounds, error_messages=_messages(said), **options)


def number(most: float, **options: Unpack[FieldOptions]) -> fields.Float:
    """A number from 0."""
    said = f"must be a number from 0 to {most:g}"
    return fields.Float(validate=validate.Range(0, most, error=said), error_messages=_messages(said), **options)


def text(**options: Unpack[FieldOptions]) -> fields.String:
    """Text that can stand in a header or an id: printable, no line breaks, and not empty."""
    return fields.String(validate=check_text, **options)


def _messages(text: str) -> dict[str, Any]:
    """What is said of a value that is missing or no such thing."""
    return dict.fromkeys(("required", "null", "invalid", "special", "too_large"), text)


def check_text(value: object) -> None:
    """ValidationError unless it is such a text."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValidationError("must be text without control characters")


def _first(messages: object) -> str:
    """The first of marshmallow's messages: a list, or one of them for each place in a list."""
    if isinstance(messages, dict):
        return _first(next(iter(messages.values())))
    return _first(messages[0]) if isinstance(messages, list) else str(messages)
