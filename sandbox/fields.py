"""Strict reading of the JSON that the control endpoints take: each refusal names the field and what it may be."""

import math
from collections.abc import Callable, Iterable, Mapping

Reader = Callable[[object, str], object]


class Refused(ValueError):
    """A control document that can't be used."""


def mapping(document: object, known: Iterable[str]) -> Mapping[str, object]:
    """The document, if it is an object with none but the known fields."""
    names = list(known)
    if not isinstance(document, dict):
        raise Refused(f"the document must be a JSON object with {', '.join(names)}")
    for name in document:
        if name not in names:
            raise Refused(f"{name}: unknown field; there are {', '.join(names)}")
    return document


def choice(value: object, field: str, choices: Iterable[object]) -> str:
    """One of the choices."""
    known = list(choices)
    if isinstance(value, bool) or value not in known:
        raise Refused(f"{field}: {value!r} is none of {', '.join(str(one) for one in known)}")
    return str(value)


def whole(value: object, field: str, least: int, most: int) -> int:
    """A whole number between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(f"{field}: must be a whole number from {least} to {most}")
    return value


def number(value: object, field: str, least: float, most: float) -> float:
    """A finite number between two bounds."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not least <= float(str(value)) <= most:
        raise Refused(f"{field}: must be a number from {least:g} to {most:g}")
    return float(str(value))


def text(value: object, field: str) -> str:
    """Text that can stand in a header or an id: printable, no line breaks, and not empty."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Refused(f"{field}: must be text without control characters")
    return value


def flag(value: object, field: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Refused(f"{field}: must be true or false")
    return value


def texts(value: object, field: str) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list):
        raise Refused(f"{field}: must be a list of text")
    return tuple(text(one, field) for one in value)
