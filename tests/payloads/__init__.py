"""Whole deliveries, a file each: where their shape is documented, their headers and body, and what they ask for.

`senders()` are those of senders.example.toml, so that each recipe's row is what its payloads are read with.
"""

import functools
import json
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.registry import Sender, Senders, load_senders
from integrations.senders.requests import UnverifiedRequest
from integrations.senders.sample_deliveries import DELIVERIES as SAMPLES
from integrations.senders.sample_deliveries import read_sample
from tests.rsa_keys import pem_of

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "senders.example.toml"
BASE_URL = "https://cobrowse.example.com"
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def environ(text: str) -> dict[str, str]:
    """A secret for each variable that a senders file names, of the form that its row's scheme takes.

    whsec_ and base64 where it takes texts, which every scheme can; the private half of a key where it takes keys.
    """
    found: dict[str, str] = {}
    for row in tomllib.loads(text)["senders"].values():
        for reference in (*row.get("secrets", ()), row.get("verify_token", "")):
            if name := reference.removeprefix("$"):
                found[name] = secret_of(row["signature"], f"{len(found):04}".encode().hex().ljust(32, "A"))
    return found


@functools.cache
def secret_of(scheme: str, text: str) -> str:
    """A secret of the form that a scheme takes, made of a text; a private key, so that it can sign too."""
    if scheme == "jwt":
        return _pem(ed25519.Ed25519PrivateKey.from_private_bytes(sha256(text.encode()).digest()))
    if scheme == "freshchat":
        return pem_of()
    made = SCHEMES[scheme].secret_form(SCHEMES[scheme].preset).sample(text)
    return f"whsec_{text}" if made == text or scheme == "standard-webhooks" else made


def _pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())


@functools.cache
def senders() -> Senders:
    text = EXAMPLE.read_text()
    return load_senders(EXAMPLE, environ(text), public_base_url=BASE_URL)


def write_senders(folder: Path) -> Path:
    """Write the example file without its rates, for tests that ask often, and return its path."""
    rows = folder / "senders.toml"
    rows.write_text(re.sub(r"(?m)^rate_limit = .*$", "", EXAMPLE.read_text()))
    return rows


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
        signed = sender.sign("POST", f"/webhooks/{sender.name}", self.body, now, self.headers)
        path, _, query = signed.target(f"/webhooks/{sender.name}").partition("?")
        headers = {name.lower(): value for name, value in {**self.headers, **signed.headers}.items()}
        return UnverifiedRequest("POST", path, query, headers, self.body, "192.0.2.7")


def deliveries() -> list[Delivery]:
    """Those of the recipes, and what else each sender may send."""
    found = [
        Delivery(
            one.sender,
            "example",
            one.source,
            dict(one.headers),
            one.body.encode(),
            [dict(entry) for entry in one.expect],
        )
        for one in map(read_sample, sorted(SAMPLES.glob("*.json")))
    ]
    for path in sorted(HERE.glob("*/*.json")):
        held = json.loads(path.read_text())
        body = held["raw"] if "raw" in held else json.dumps(held["body"])
        found.append(
            Delivery(path.parent.name, path.stem, held["source"], held["headers"], body.encode(), held["expect"])
        )
    return found


def example(sender: str) -> Any:
    """The body of a recipe's delivery."""
    return json.loads((SAMPLES / f"{sender}.json").read_text())["body"]
