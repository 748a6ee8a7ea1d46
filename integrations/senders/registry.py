"""The senders file: every sender a row, checked whole before anything starts."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from cobrowse.model import Secret, StartWhen
from integrations.secret_files import SecretFileError
from integrations.senders.auth.config import AuthConfig, AuthParts, secret_bytes
from integrations.senders.auth.credentials import SHORTEST
from integrations.senders.auth.schemes import SCHEMES, Scheme, sign
from integrations.senders.auth.standard_webhooks import key_bytes
from integrations.senders.payload_shapes import HEADER_ID, PATHS, warnings_of
from integrations.senders.payloads import chat_events
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.payloads.parser import EventParser
from integrations.senders.payloads.paths import Path
from integrations.senders.requests import Ignored, InvalidEvent, SessionRequested, UnverifiedRequest
from integrations.senders.response_policies import RESPONSE_POLICIES, ResponsePolicy
from integrations.senders.validation import AUTH_KEYS, SenderContext, response_policy_of, row_errors

__all__ = ["Ignored", "InvalidEvent", "Sender", "Senders", "SendersFileError", "SessionRequested", "load_senders"]

# The data action's own name, whose credentials are API_KEYS.
RESERVED = "architect"
# Bytes: the most that any known sender sends. The service's setting of the same name has this default.
MAX_BODY_BYTES = 2_097_152
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")


class SendersFileError(Exception):
    """The senders file is not one to start with. `errors` has a line for each thing wrong, and never a secret."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Sender:
    """One row, checked. `deadline_seconds` is how long the sender is kept waiting at most."""

    name: str
    signature: str
    envelope: str
    deadline_seconds: float
    always_200: bool
    reuse_live_session: bool
    start_when: StartWhen
    rate_limit: str
    rate_limit_fail_open: bool
    max_body_bytes: int
    response_policy: ResponsePolicy
    scheme: Scheme
    auth_config: AuthConfig
    parser: EventParser
    row: Mapping[str, object] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets it may use, in the row's order."""
        return self.auth_config.secrets

    @property
    def is_timed(self) -> bool:
        """Whether its signature covers the time of the delivery."""
        return bool(self.auth_config.timestamp_header or self.scheme.covers_delivery_id)

    def authenticate(self, incoming: UnverifiedRequest, now: datetime) -> str:
        """The name of the credential it authenticated with, for the log. Raises the 401 kinds of cobrowse.errors."""
        return self.scheme.verify(self.auth_config, incoming, now)

    def read(self, incoming: UnverifiedRequest) -> tuple[SessionRequested | Ignored, ...]:
        """What an authenticated delivery asks for, at least one. Raises MalformedRequest, UnsupportedType, …."""
        return self.parser.read(incoming)

    def sign(self, method: str, path_with_query: str, body: bytes, now: datetime) -> AuthParts:
        """What this sender would add to this request, made with its first secret."""
        secret = self.secrets[0] if self.secrets else Secret()
        return sign(self.scheme, self.auth_config, secret, method, path_with_query, body, now)


@dataclass(frozen=True, slots=True)
class Senders:
    """All senders of the file, by their names."""

    rows: Mapping[str, Sender] = field(default_factory=dict)

    def get(self, name: str) -> Sender | None:
        """The sender of this name."""
        return self.rows.get(name)

    def __iter__(self) -> Iterator[Sender]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def masked(self) -> list[dict[str, object]]:
        """Each sender as `cobrowse-bridge senders` shows it: secrets by the names of their variables only."""
        return [
            {
                "name": sender.name,
                "path": f"/webhooks/{sender.name}",
                "signature": sender.signature,
                "secrets": [f"${name} •••" for name in sender.auth_config.names],
                "envelope": sender.envelope,
                "responsePolicy": sender.response_policy.name,
                "conversationId": sender.parser.conversation_id.text if sender.parser.conversation_id else "",
                "deadlineSeconds": sender.deadline_seconds,
                "always200": sender.always_200,
                "reuseLiveSession": sender.reuse_live_session,
                "startWhen": sender.start_when,
                "rateLimit": sender.rate_limit,
                "rateLimitFailOpen": sender.rate_limit_fail_open,
                "maxBodyBytes": sender.max_body_bytes,
                "warnings": list(sender.warnings),
            }
            for sender in self
        ]


def load_senders(
    path_or_text: FilePath | str,
    environ: Mapping[str, str],
    *,
    public_base_url: str = "",
    trusted_proxies: tuple[str, ...] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Senders:
    """The senders of a file, given by its path, or of TOML text. Raises SendersFileError with every fault at once.

    `max_body_bytes` bounds every row's own.
    """
    file, text = _source(path_or_text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SendersFileError([f"{file}: is not TOML: {error}"]) from None
    context = SenderContext(environ, public_base_url.rstrip("/"), trusted_proxies, max_body_bytes)
    errors = [
        f"{file}: {key[:60]!r} is not known here; each sender is a [senders.NAME]"
        for key in document
        if key != "senders"
    ]
    table = document.get("senders", {})
    if not isinstance(table, dict):
        raise SendersFileError([*errors, f"{file}: senders: each sender is a [senders.NAME]"])
    senders = {}
    for name, row in table.items():
        wrong = _name_errors(name) or (_faults(row, context) if isinstance(row, dict) else ["is not a table of keys"])
        errors += [f"{file}: [senders.{name[:60]}] {fault}" for fault in wrong]
        if not wrong:
            senders[name] = _sender(name, row, context)
    if errors:
        raise SendersFileError(errors)
    return Senders(senders)


def retention_faults(senders: Senders, retention_seconds: float) -> list[str]:
    """The rows whose signature is valid for longer than the ledger keeps a delivery, which could then start again.

    A sender's clock may be ahead by the tolerance, so a signature is valid for twice that.
    """
    return [
        f"[senders.{sender.name}] tolerance_seconds: the same delivery is accepted for "
        f"{2 * sender.auth_config.tolerance_seconds:g} s, and LEDGER_RETENTION_SECONDS forgets it after "
        f"{retention_seconds:g}; lower the first or raise the second"
        for sender in senders
        if sender.is_timed and 2 * sender.auth_config.tolerance_seconds > retention_seconds
    ]


def _source(path_or_text: FilePath | str) -> tuple[str, str]:
    """The name to call a file by, and its text. A text with a line break or a bracket is the TOML itself."""
    if isinstance(path_or_text, str) and (not path_or_text or set("\n[=").intersection(path_or_text)):
        return "senders.toml", path_or_text
    path = FilePath(path_or_text)
    try:
        return path.name, path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SendersFileError([f"{path}: can't be read: {why}"]) from None


def _name_errors(name: str) -> list[str]:
    if name == RESERVED:
        return ["the name is taken by the data action, whose keys are API_KEYS"]
    return [] if _NAME.fullmatch(name) else ["a name has 1 to 40 small letters, digits and hyphens"]


def _faults(row: Mapping[str, object], context: SenderContext) -> list[str]:
    errors = row_errors(row, context)
    scheme = SCHEMES.get(str(row.get("signature")))
    if scheme is None or not scheme.has_secrets:
        return errors
    if not row.get("secrets"):
        return [*errors, 'secrets: is missing; name the variables that hold them, as ["$NAME"]']
    secrets = row["secrets"]
    return errors + [
        fault
        for secret in (secrets if isinstance(secrets, list) else [])
        for fault in _secret_errors(secret, scheme, context)
    ]


def _secret_errors(reference: object, scheme: Scheme, context: SenderContext) -> list[str]:
    if not isinstance(reference, str) or not _VARIABLE.fullmatch(reference):
        return ['secrets: a secret does not belong in this file; put it into the environment and name it, as "$NAME"']
    try:
        secret = context.environ.get(reference[1:], "").strip()
    except SecretFileError as error:
        return [f"secrets: {error}"]
    if not secret:
        return [f"secrets: {reference} is not set in the environment"]
    key = key_bytes(secret) if scheme.name == "standard-webhooks" else secret_bytes(secret)
    if key is None:
        return [f"secrets: {reference} is not of the form whsec_ and base64, as Standard Webhooks has it"]
    return [f"secrets: {reference} is under {SHORTEST} bytes"] if len(key) < SHORTEST else []


def _sender(name: str, row: Mapping[str, Any], context: SenderContext) -> Sender:
    scheme, envelope, response_policy = (
        SCHEMES[row["signature"]],
        ENVELOPES[row["envelope"]],
        RESPONSE_POLICIES[response_policy_of(row)],
    )
    own = {key: Path.of(text) for key, text in envelope.paths.items()}
    delivery_id = row.get("delivery_id", "")
    in_header = delivery_id.startswith(HEADER_ID)
    paths = {key: Path.of(row[key]) for key in PATHS if key in row}
    if delivery_id and not in_header:
        paths["delivery_id"] = Path.of(delivery_id)
    parser: dict[str, Any] = {**own, **paths}
    return Sender(
        name=name,
        signature=scheme.name,
        envelope=envelope.name,
        deadline_seconds=float(row.get("deadline_seconds", response_policy.default_deadline)),
        always_200=row.get("always_200", False),
        reuse_live_session=row.get("reuse_live_session", True),
        start_when=row.get("start_when", envelope.start_when),
        rate_limit=row.get("rate_limit", ""),
        rate_limit_fail_open=bool(row.get("rate_limit_fail_open", False)),
        max_body_bytes=row.get("max_body_bytes", min(response_policy.max_body_bytes, context.max_body_bytes)),
        response_policy=response_policy,
        scheme=scheme,
        auth_config=_auth_config(scheme, row, context),
        parser=EventParser(
            envelope,
            delivery_header=delivery_id.removeprefix(HEADER_ID) if in_header else "",
            default_header=scheme.delivery_id,
            signed_body=scheme.covers_body,
            signed_header=scheme.covers_delivery_id,
            topics=tuple(row.get("topics", envelope.topics)),
            max_age_seconds=float(row.get("max_age_seconds", chat_events.MAX_AGE_SECONDS)),
            **parser,
        ),
        row=row,
        warnings=tuple(warnings_of(row)),
    )


def _auth_config(scheme: Scheme, row: Mapping[str, Any], context: SenderContext) -> AuthConfig:
    said: dict[str, Any] = {**scheme.preset, **{key: row[key] for key in AUTH_KEYS if key in row}}
    names = tuple(reference[1:] for reference in row.get("secrets", ()))
    if scheme.name == "api-key" and "query" not in said:
        said.setdefault("header", "X-Api-Key")
    if scheme.name == "hmac":
        said.setdefault("template", "{timestamp}.{body}" if "timestamp_header" in said else "{body}")
    if "subjects" in said:
        said["subjects"] = tuple(said["subjects"])
    return AuthConfig(
        secrets=tuple(Secret(context.environ[name].strip()) for name in names),
        names=names,
        public_base_url=context.public_base_url,
        trusted_proxies=context.trusted_proxies,
        **said,
    )
