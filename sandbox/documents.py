"""The JSON documents that the control endpoints take: each is refused with the field and what it may be."""

from collections.abc import Collection
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate


class Refused(ValueError):
    """A control document that can't be used."""


class Document(Schema):
    """An object without fields beside those of the schema."""

    error_messages = {"type": "must be a JSON object", "unknown": "unknown field"}  # noqa: RUF012 - as marshmallow has it


def read(schema: Schema, document: object, *, empty: bool = True) -> dict[str, Any]:
    """The fields that a document gives. Refused names what is wrong; giving none is wrong unless it may be `empty`."""
    known = ", ".join(field.data_key or name for name, field in schema.fields.items())
    try:
        given: dict[str, Any] = schema.load(document)  # type: ignore[arg-type]  # whatever JSON came
    except ValidationError as error:
        wrong = "; ".join(f"{name}: {_first(text)}" for name, text in error.messages_dict.items())
        raise Refused(f"{wrong.replace('_schema', 'the document')}; the fields are {known}") from None
    if not given and not empty:
        raise Refused(f"give at least one of {known}")
    return given


def one_of(choices: Collection[object], **options: Any) -> fields.Raw:  # noqa: ANN401 - a field's own
    """A value of these, of its type too: 302.0 is no status."""
    named = ", ".join(map(str, choices))

    def check(value: object) -> None:
        if not any(type(value) is type(one) and value == one for one in choices):
            raise ValidationError(f"{value!r} is none of {named}")

    return fields.Raw(validate=check, error_messages=_said(f"must be one of {named}"), **options)


def whole(least: int, most: int, **options: Any) -> fields.Integer:  # noqa: ANN401 - a field's own
    """A whole number between two bounds."""
    said = f"must be a whole number from {least} to {most}"
    bounds = validate.Range(least, most, error=said)
    return fields.Integer(strict=True, validate=bounds, error_messages=_said(said), **options)


def number(most: float, **options: Any) -> fields.Float:  # noqa: ANN401 - a field's own
    """A number from 0."""
    said = f"must be a number from 0 to {most:g}"
    return fields.Float(validate=validate.Range(0, most, error=said), error_messages=_said(said), **options)


def text(**options: Any) -> fields.String:  # noqa: ANN401 - a field's own
    """Text that can stand in a header or an id: printable, no line breaks, and not empty."""
    return fields.String(validate=check_text, **options)


def _said(text: str) -> dict[str, Any]:
    """What is said of a value that is missing or no such thing."""
    return dict.fromkeys(("required", "null", "invalid", "special", "too_large"), text)


def check_text(value: object) -> None:
    """ValidationError unless it is such a text."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValidationError("must be text without control characters")


def _first(messages: Any) -> str:  # noqa: ANN401 - marshmallow's lists, and one of them for each place in a list
    while not isinstance(messages, str):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages))
    return messages
