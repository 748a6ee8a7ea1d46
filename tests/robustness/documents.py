"""Places in a JSON document, and the document with something else in one of them."""

from typing import Any


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value; of a long list the first five."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:5]):
            found += places(inner, (*path, number))
    return found


def put(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """The value with the new one at this place; the value itself stays as it is."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy
