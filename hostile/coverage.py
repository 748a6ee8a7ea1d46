"""`python -m hostile.coverage [-runs=50000]`: atheris on the signature and envelope parsers, guided by coverage.

Its own environment has it: `make .venv-fuzz/.installed`, then `.venv-fuzz/bin/python -m hostile.coverage`.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import atheris

# What a parser holds the start and the end of a text to becomes a guide too.
atheris.enabled_hooks.add("str")

with atheris.instrument_imports(include=["integrations.senders", "schemas"]):
    from hostile.documents import places, put
    from hostile.parsers import authenticated, genuine, known, read, with_headers
    from integrations.senders.incoming import Incoming

# atheris has no types.
_Source = Any
# Values that a parser may take for more than they are.
_TELLING = ("", " ", "0", "-1", "null", "{}", '{"a":1}', "[]", "${input.x}", "webchat", "COBROWSE", "/Date(1)/", "\0")
# Characters of a text or a header that is made up, and lists and objects in each other.
_LONGEST, _DEEPEST = 80, 3


def _document(body: bytes) -> tuple[Any, list[tuple[Any, ...]]] | None:
    """A JSON body with all of its places; nothing for XML."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document, places(document)


_CASES = [(sender, delivery, _document(delivery.body)) for sender, delivery in genuine(known()[0])]


def one(data: bytes) -> None:
    """One input: a real delivery, with some of its headers and a part of its body replaced."""
    source: _Source = atheris.FuzzedDataProvider(data)
    sender, whole, document = source.PickValueInList(_CASES)
    incoming = with_headers(whole, _headers(source, whole))
    how = source.ConsumeIntInRange(0, 3)
    if how == 1 or (how > 1 and document is None):
        incoming = replace(incoming, body=_spliced(source, whole.body))
    elif how > 1:
        incoming = replace(incoming, body=_changed(source, *document))
    wrong = authenticated(sender, whole, incoming) or read(sender, incoming)
    if wrong:
        raise AssertionError(f"{sender.name}: {wrong}")


def _headers(source: _Source, whole: Incoming) -> dict[str, str | None]:
    """None to two headers, each taken away, made up or changed inside."""
    headers: dict[str, str | None] = {}
    for _ in range(source.ConsumeIntInRange(0, 2)):
        name = source.PickValueInList(sorted(whole.headers))
        how = source.ConsumeIntInRange(0, 5)
        if how == 0:
            headers[name] = None
        elif how == 1:
            headers[name] = source.ConsumeBytes(source.ConsumeIntInRange(0, _LONGEST)).decode("latin-1")
        else:
            headers[name] = _spliced(source, whole.headers[name].encode("latin-1")).decode("latin-1")
    return headers


def _spliced(source: _Source, real: bytes) -> bytes:
    """The real bytes, with some others in the place of some."""
    start = source.ConsumeIntInRange(0, len(real))
    end = min(len(real), start + source.ConsumeIntInRange(0, 64))
    others: bytes = source.ConsumeBytes(source.ConsumeIntInRange(0, _LONGEST))
    return real[:start] + others + real[end:]


def _changed(source: _Source, document: object, known_places: list[tuple[Any, ...]]) -> bytes:
    """The document with another value in one or two of its places."""
    changed = put(document, source.PickValueInList(known_places), _value(source, _DEEPEST))
    if source.ConsumeBool():
        changed = put(changed, source.PickValueInList(places(changed)), _value(source, _DEEPEST))
    return json.dumps(changed, ensure_ascii=source.ConsumeBool()).encode(errors="surrogatepass")


def _value(source: _Source, depth: int) -> object:
    """Any JSON value, not deeper than this."""
    plain: tuple[Callable[[], object], ...] = (
        lambda: None,
        source.ConsumeBool,
        lambda: source.ConsumeInt(8),
        source.ConsumeFloat,
        lambda: source.PickValueInList(list(_TELLING)),
        lambda: source.ConsumeUnicode(source.ConsumeIntInRange(0, _LONGEST)),
    )
    nested: tuple[Callable[[], object], ...] = (
        lambda: [_value(source, depth - 1) for _ in range(source.ConsumeIntInRange(0, 3))],
        lambda: {_name(source): _value(source, depth - 1) for _ in range(source.ConsumeIntInRange(0, 3))},
    )
    return source.PickValueInList(list(plain + nested if depth else plain))()


def _name(source: _Source) -> str:
    """A field's name: often one that some delivery has."""
    return str(source.PickValueInList(_NAMES) if source.ConsumeBool() else source.ConsumeUnicode(8))


_NAMES = sorted({str(path[-1]) for _, _, found in _CASES if found for path in found[1] if path})


def main() -> None:
    """Run until the arguments say that it is enough."""
    atheris.Setup([sys.argv[0], "-runs=50000", "-max_len=4096", "-timeout=5", *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
