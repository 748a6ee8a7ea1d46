"""What a scheme is: all that the service, the command line and the documents need to know of one."""

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
    """This sender's proof can't be made here: only the sender has what it takes."""


@dataclass(frozen=True, slots=True)
class SenderContext:
    """What the service's settings give to a row."""

    environ: Mapping[str, str]
    public_base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: int = 2_097_152
    schemes: Mapping[str, "Scheme"] = field(default_factory=dict)
    participant_data: bool = False


def _nothing(_row: Row, _context: SenderContext) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to authenticate.

    `preset` is what its vendor has fixed; `keys` are those of a sender's row it uses besides `secrets`, each with its
    form, `required` those it can't do without; `settings` are the service's own that it needs. `secrets`: whether a
    row must, may or can't name any. `key_of` makes a secret's key, None if it is not written as `key_form` has it;
    `sample` makes a secret of the right form out of a text, for trials on a sandbox. `secret_prefix`: its secrets are
    this and the key in base64.

    `errors` are faults of a row across its keys, `warnings` what is valid and yet weak. `complete` adds what follows
    from the row's own keys. `own` makes what the scheme alone uses; `start` starts what that does beside the requests.

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
    secret_prefix: str = ""
    response_policy: str = ""
    errors: Callable[[Row, SenderContext], list[str]] = _nothing
    warnings: Callable[[Row], list[str]] = lambda _row: []
    complete: Callable[[Row], Row] = lambda row: row
    own: Callable[[AuthConfig, Row], Any] = lambda _auth_config, _row: None
    start: Callable[[Any], None] = lambda _own: None
    key_of: Callable[[str, Row], bytes | None] = lambda secret, _row: secret_bytes(secret)
    key_form: Callable[[Row], str] = lambda _row: ""
    sample: Callable[[str, Row], str] = lambda text, _row: text
