"""Headers that hold more than one signature, or a timestamp beside it: `t={timestamp},v1={signature}`."""

import re
from dataclasses import dataclass

from integrations.senders.auth import checks

# Signatures in one header: a sender has one for each of its keys, and two while one of them is replaced.
MOST = 10
_ITEM = re.compile(r"([^{}]*)\{(timestamp|signature)\}")
_SEPARATORS = ",; "


@dataclass(frozen=True, slots=True)
class SignatureFormat:
    """What stands before the signature and before the timestamp (None: there is none), and between the two."""

    signature: str
    timestamp: str | None
    separator: str

    @classmethod
    def of(cls, text: str) -> "SignatureFormat":
        """The format in this text. ValueError says what is wrong with it."""
        separator = next((mark for mark in _SEPARATORS if mark in text.strip().partition("}")[2]), ",")
        prefixes: dict[str, str] = {}
        for item in text.split(separator):
            found = _ITEM.fullmatch(item.strip())
            if found is None or found[2] in prefixes:
                raise ValueError("must be items such as t={timestamp},v1={signature}, each a text and one of the two")
            prefixes[found[2]] = found[1]
        if "signature" not in prefixes:
            raise ValueError("has no {signature}")
        if len(set(prefixes.values())) < len(prefixes):
            raise ValueError("has the same text before {timestamp} and {signature}, which can't be distinguished")
        return cls(prefixes["signature"], prefixes.get("timestamp"), separator)

    def read(self, header: str) -> tuple[list[str], list[str]]:
        """The signatures and the timestamps of a header, as they are written."""
        items = [item.strip() for item in header.split(self.separator)]
        # The longer text first: `v1=` does not begin with `v=`, but `t=` may begin with nothing.
        prefixes = sorted(
            ((self.signature, 0), *([(self.timestamp, 1)] if self.timestamp is not None else [])),
            key=lambda prefix: -len(prefix[0]),
        )
        found: tuple[list[str], list[str]] = ([], [])
        for item in items:
            for prefix, place in prefixes:
                if item.startswith(prefix):
                    found[place].append(item[len(prefix) :])
                    break
        return found

    def write(self, signature: str, timestamp: str) -> str:
        """A header of this format."""
        timed = [f"{self.timestamp}{timestamp}"] if self.timestamp is not None else []
        return self.separator.join([*timed, f"{self.signature}{signature}"])


def check_format(value: object) -> str:
    """A signature_format of the senders file."""
    if wrong := checks.text(value):
        return wrong
    try:
        SignatureFormat.of(str(value))
    except ValueError as error:
        return str(error)
    return ""
