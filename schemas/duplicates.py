"""JSON objects with one name twice: parsers differ in which value counts, so one that decides something is refused."""

import json
from collections.abc import Callable, Collection
from functools import cache

from cobrowse.errors import InvalidRequest


def check_duplicate_names(body: bytes, names: Collection[str]) -> None:
    """Raise InvalidRequest if an object of this JSON document has one of these names twice.

    The document is parsed a second time only where a name may be there twice: it is so in the bytes, or may be written
    with escapes.
    """
    if b"\\" not in body and not any(body.count(_quoted(name)) > 1 for name in names):
        return
    try:
        # Numbers stay text: those of many digits are refused otherwise.
        json.loads(
            body.decode("utf-8-sig", "replace"), object_pairs_hook=_make_checker(names), parse_int=str, parse_float=str
        )
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None


@cache
def _quoted(name: str) -> bytes:
    return f'"{name}"'.encode()


def _make_checker(names: Collection[str]) -> Callable[[list[tuple[str, object]]], None]:
    def check(pairs: list[tuple[str, object]]) -> None:
        seen = set()
        for name, _ in pairs:
            if name in names and name in seen:
                raise InvalidRequest(f"{name}: Comes more than once.")
            seen.add(name)

    return check
