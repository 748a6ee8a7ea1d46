"""`python -m hostile.coverage [-runs=50000]`: atheris on the signature and envelope parsers, guided by coverage."""

import sys
from dataclasses import replace
from typing import Any

import atheris

with atheris.instrument_imports(include=["integrations.senders", "schemas"]):
    from hostile.parsers import authenticated, known, read, with_headers


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


_SENDERS, _DELIVERIES = known()
_GENUINE = [
    (row, delivery.signed_by(row))
    for delivery in _DELIVERIES
    if (row := _SENDERS.get(delivery.sender)) is not None and _is_text(delivery.body)
]


def one(data: bytes) -> None:
    """One input: a real delivery, with some of its headers and a part of its body replaced."""
    source: Any = atheris.FuzzedDataProvider(data)
    sender, genuine = _GENUINE[source.ConsumeIntInRange(0, len(_GENUINE) - 1)]
    headers: dict[str, str | None] = {}
    for _ in range(source.ConsumeIntInRange(0, 2)):
        name = source.PickValueInList(sorted(genuine.headers))
        headers[name] = source.ConsumeBytes(source.ConsumeIntInRange(0, 80)).decode("latin-1")
    start = source.ConsumeIntInRange(0, len(genuine.body))
    end = min(len(genuine.body), start + source.ConsumeIntInRange(0, 64))
    body = genuine.body[:start] + source.ConsumeBytes(source.remaining_bytes()) + genuine.body[end:]
    incoming = replace(with_headers(genuine, headers), body=body)
    wrong = authenticated(sender, genuine, incoming) or read(sender, incoming)
    if wrong:
        raise AssertionError(f"{sender.name}: {wrong}")


def main() -> None:
    """Run until the arguments say that it is enough."""
    atheris.Setup([sys.argv[0], "-runs=50000", "-max_len=4096", "-timeout=5", *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
