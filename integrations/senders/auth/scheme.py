"""A scheme: everything that the service, the command line and the documents need to know about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cobrowse.model import Secret
from integrations.senders.auth.checks import Check
from integrations.senders.auth.config import AuthConfig, AuthParts, secret_bytes
from integrations.senders.requests import UnverifiedRequest

Json = dict[str, Any]
Row = Mapping[str, Any]
Verify = Callable[[AuthConfig, UnverifiedRequest, datetime], str]
Sign = Callable[[AuthConfig, Secret, UnverifiedRequest, datetime], AuthParts]


class CanNotSignError(Exception):
    """The request can't be signed here: only the sender has the key."""


@dataclass(frozen=True, slots=True)
class SecretForm:
    """How a secret is written.

    `key_of` makes its key, None if it is not written as `name` has it ("" where any text is one); `sample` makes a
    secret of the form out of a text, for trials on a sandbox. With a `prefix` it is that and the key in base64.
    """

    name: str = ""
    key_of: Callable[[str], bytes | None] = secret_bytes
    sample: Callable[[str], str] = lambda text: text
    prefix: str = ""


TEXT = SecretForm()


@dataclass(frozen=True, slots=True)
class SenderContext:
    """What the service's settings give to a row."""

    environ: Mapping[str, str]
    public_base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: int = 2_097_152
    schemes: Mapping[str, "Scheme"] = field(default_factory=dict)
    participant_data: bool = False


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to authenticate.

    `preset` is what its vendor has fixed; `keys` are those of a sender's row it uses besides `secrets`, each with its
    form, `required` those it can't do without; `settings` are the service's own that it needs. `secrets`: whether a
    row must, may or can't name any.

    `errors` are a row's errors across its keys. `with_defaults` adds what follows from the row's own keys; of these and
    `preset` together, `secret_form` says how secrets are written, `warnings` what is valid and yet weak, and `prepare`
    makes `AuthConfig.prepared`. `start` starts its background work.

    `covers_body`: it covers the body's bytes, so that nothing can be altered on the way. `delivery_ids` are headers
    with the delivery's id, the first that came counts; it is signed too if `covers_delivery_id`. `openapi` is its
    Security Scheme Object in the API reference.
    """

    name: str
    verify: Verify
    sign: Sign
    openapi: Json = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    secrets: Literal["required", "optional", "none"] = "required"
    covers_body: bool = False
    delivery_ids: tuple[str, ...] = ()
    covers_delivery_id: bool = False
    response_policy: str = ""
    errors: Callable[[Row, SenderContext], list[str]] = lambda _row, _context: []
    warnings: Callable[[Row], list[str]] = lambda _row: []
    with_defaults: Callable[[Row], Row] = lambda row: row
    prepare: Callable[[AuthConfig, Row], Any] = lambda _auth_config, _row: None
    start: Callable[[Any], None] = lambda _prepared: None
    secret_form: Callable[[Row], SecretForm] = lambda _parameters: TEXT

    def parameters(self, row: Row) -> dict[str, Any]:
        """What the vendor has fixed, and what a valid row's own keys say."""
        return {**self.preset, **self.with_defaults({key: row[key] for key in self.keys if key in row})}


def header_key(header: str, description: str) -> Json:
    """The Security Scheme Object of a proof in this header: OpenAPI has no signatures, the nearest is a key."""
    return {"type": "apiKey", "in": "header", "name": header, "description": description}
