"""Whole deliveries, a file each: where their shape is documented, their headers and body, and what they ask for.

`senders()` are those of senders.example.toml, so that each recipe's row is what its payloads are read with.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from integrations.senders.registry import Sender, Senders, load_senders
from integrations.senders.requests import UnverifiedRequest

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "senders.example.toml"
BASE_URL = "https://cobrowse.example.com"
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def environ(text: str) -> dict[str, str]:
    """A secret for each variable that a senders file names; whsec_ and base64, which every scheme can take."""
    names = sorted(set(re.findall(r'"\$([A-Z0-9_]+)"', text)))
    return {name: "whsec_" + f"{number:04}".encode().hex().ljust(32, "A") for number, name in enumerate(names)}


def senders() -> Senders:
    text = EXAMPLE.read_text()
    return load_senders(EXAMPLE, environ(text), public_base_url=BASE_URL)


@dataclass(frozen=True)
class Delivery:
    sender: str
    name: str
    source: str
    headers: dict[str, str]
    body: bytes
    expect: list[dict[str, Any]]

    def signed_by(self, sender: Sender, now: datetime = NOW) -> UnverifiedRequest:
        """The delivery as it would come: what the sender adds is added."""
        signed = sender.sign("POST", f"/webhooks/{sender.name}", self.body, now)
        path, _, query = signed.target(f"/webhooks/{sender.name}").partition("?")
        headers = {name.lower(): value for name, value in {**self.headers, **signed.headers}.items()}
        return UnverifiedRequest("POST", path, query, headers, self.body, "192.0.2.7")


def deliveries() -> list[Delivery]:
    found = []
    for path in sorted(HERE.glob("*/*.json")):
        held = json.loads(path.read_text())
        body = held["raw"] if "raw" in held else json.dumps(held["body"])
        found.append(
            Delivery(path.parent.name, path.stem, held["source"], held["headers"], body.encode(), held["expect"])
        )
    return found
