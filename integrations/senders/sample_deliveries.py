"""Sample deliveries of senders.example.toml's senders, to which docs/senders.md links: for `send`, Postman and tests.

The files in `deliveries/` hold what the vendor documents, about one conversation and one moment; what makes a delivery
another one is put into its text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

DELIVERIES = Path(__file__).parent / "deliveries"
# The conversation of every file, and the moment, as seconds, milliseconds and ISO 8601.
CONVERSATION = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
_ISO = re.compile(r"2026-11-24T09:00:4\d(\.\d+)?Z")
_MILLISECONDS, _SECONDS = re.compile(r"1763974845\d{3}(?!\d)"), re.compile(r"1763974845(?!\d)")
# What a client of its own connection says.
_OF_THE_CONNECTION = frozenset({"connection", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Replacements:
    """What a delivery is made another one with: texts that stand where the file's own stood."""

    conversation: str
    delivery: str
    number: str
    seconds: str
    iso: str


# Not slots: cached properties are stored beside the fields.
@dataclass(frozen=True)
class SampleDelivery:
    """One sender's delivery. `expect` is what the row makes of it, an entry for each event."""

    sender: str
    what: str
    source: str
    headers: Mapping[str, str]
    body: str
    expect: tuple[Mapping[str, Any], ...]

    @cached_property
    def delivery_id(self) -> str:
        """The id that it comes with; "" if it has none. The row may add the conversation to it."""
        first = self.expect[0].get("wanted", self.expect[0])
        return str(first.get("delivery_id", "")).removesuffix(f":{CONVERSATION}")

    @cached_property
    def channel(self) -> str:
        """The channel of the conversation that it is about."""
        return self.expect[0].get("wanted", {}).get("channel") or "webchat"

    def render(self, replacements: Replacements) -> tuple[dict[str, str], str]:
        """The headers and the body of another delivery like this one."""
        headers = {
            name: self._replace_times(value, replacements)
            for name, value in self.headers.items()
            if name.lower() not in _OF_THE_CONNECTION
        }
        return headers, self._replace_times(self.body, replacements)

    def _replace_times(self, text: str, replacements: Replacements) -> str:
        text = re.sub(CONVERSATION, replacements.conversation, text, flags=re.IGNORECASE)
        if self.delivery_id and not _MILLISECONDS.search(self.delivery_id):
            text = text.replace(
                self.delivery_id, replacements.number if self.delivery_id.isdigit() else replacements.delivery
            )
        return _SECONDS.sub(
            replacements.seconds, _MILLISECONDS.sub(replacements.number, _ISO.sub(replacements.iso, text))
        )


def sample_delivery(sender: str) -> SampleDelivery | None:
    """The sample of this name; None if there is none."""
    path = DELIVERIES / f"{sender}.json"
    return read_sample(path) if re.fullmatch(r"[a-z0-9-]{1,40}", sender) and path.is_file() else None


def sample_names() -> list[str]:
    """The names of all samples."""
    return sorted(path.stem for path in DELIVERIES.glob("*.json"))


def read_sample(path: Path) -> SampleDelivery:
    """The sample in this file."""
    document = json.loads(path.read_text("utf-8"))
    body = document["raw"] if "raw" in document else json.dumps(document["body"], indent=2, ensure_ascii=False)
    return SampleDelivery(
        path.stem, document["example"], document["source"], document["headers"], body, tuple(document["expect"])
    )
