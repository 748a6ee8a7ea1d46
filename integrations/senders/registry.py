"""The senders file: every sender a row, checked whole before anything starts."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path as FilePath
from typing import Any

from cobrowse.model import Secret
from integrations.listening.config import SENDER, parse_listen
from integrations.senders.auth.config import AuthConfig
from integrations.senders.auth.scheme import Scheme, SenderContext
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.handshakes import HANDSHAKES, HandshakeRow
from integrations.senders.payload_fields import PATHS, warnings_of
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.payloads.parser import EventParser
from integrations.senders.payloads.paths import Path
from integrations.senders.response_policies import RESPONSE_POLICIES
from integrations.senders.sender import Sender, Senders
from integrations.senders.validation import response_policy_of, row_errors

__all__ = ["Sender", "Senders", "SendersFileError", "load_senders", "retention_errors"]

# Names that are no sender's: the data action's, whose credentials are API_KEYS, and the listener's.
RESERVED = {"architect": "the data action, whose keys are API_KEYS", SENDER: "the listener, which has no endpoint"}
# Bytes: the most that any known sender sends. The service's setting of the same name has this default.
MAX_BODY_BYTES = 2_097_152
_NAME = re.compile(r"[a-z0-9-]{1,40}")


class SendersFileError(Exception):
    """The senders file is not one to start with. `errors` has a line for each thing wrong, and never a secret."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load_senders(
    path_or_text: FilePath | str,
    environ: Mapping[str, str],
    *,
    text: str | None = None,
    public_base_url: str = "",
    trusted_proxies: tuple[str, ...] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
    participant_data: bool = False,
    schemes: Mapping[str, Scheme] = SCHEMES,
) -> Senders:
    """The senders of a file, given by its path, or of TOML text. Raises SendersFileError with all errors at once.

    `text` is the file's, where it was read before. `max_body_bytes` bounds every row's own; `schemes` are those that a
    row can name.
    """
    file, text = (FilePath(path_or_text).name, text) if text is not None else _source(path_or_text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SendersFileError([f"{file}: is not TOML: {error}"]) from None
    context = SenderContext(
        environ, public_base_url.rstrip("/"), trusted_proxies, max_body_bytes, schemes, participant_data
    )
    errors = [
        f"{file}: {key[:60]!r} is not known here; each sender is a [senders.NAME]"
        for key in document
        if key not in ("senders", "listen")
    ]
    listen, wrong = parse_listen(document["listen"]) if "listen" in document else (None, [])
    errors += [f"{file}: [listen] {line}" for line in wrong]
    table = document.get("senders", {})
    if not isinstance(table, dict):
        raise SendersFileError([*errors, f"{file}: senders: each sender is a [senders.NAME]"])
    senders = {}
    for name, row in table.items():
        wrong = _name_errors(name) or (
            row_errors(row, context) if isinstance(row, dict) else ["is not a table of keys"]
        )
        errors += [f"{file}: [senders.{name[:60]}] {line}" for line in wrong]
        if not wrong:
            senders[name] = _sender(name, row, context)
    if errors:
        raise SendersFileError(errors)
    return Senders(senders, listen)


def retention_errors(senders: Senders, retention_seconds: float) -> list[str]:
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
    """The name to call a file by, and its text."""
    if isinstance(path_or_text, str):
        return "senders.toml", path_or_text
    try:
        return path_or_text.name, path_or_text.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SendersFileError([f"{path_or_text}: can't be read: {why}"]) from None


def _name_errors(name: str) -> list[str]:
    if name in RESERVED:
        return [f"the name is taken by {RESERVED[name]}"]
    return [] if _NAME.fullmatch(name) else ["a name has 1 to 40 small letters, digits and hyphens"]


def _sender(name: str, row: Mapping[str, Any], context: SenderContext) -> Sender:
    scheme, envelope = context.schemes[row["signature"]], ENVELOPES[row["envelope"]]
    auth_config = _auth_config(scheme, row, context)
    response_policy = RESPONSE_POLICIES[response_policy_of(row, scheme)]
    paths: dict[str, Any] = {
        key: Path.of(text) for key, text in {**envelope.paths, **_present_keys(row, *PATHS, "delivery_id")}.items()
    }
    max_body_bytes = row.get("max_body_bytes", min(response_policy.max_body_bytes, context.max_body_bytes))
    return Sender(
        name=name,
        signature=scheme.name,
        envelope=envelope.name,
        deadline_seconds=float(row.get("deadline_seconds", response_policy.default_deadline)),
        start_when=row.get("start_when", envelope.start_when),
        participant_data=row.get("participant_data", context.participant_data),
        max_body_bytes=max_body_bytes,
        response_policy=response_policy,
        scheme=scheme,
        auth_config=auth_config,
        parser=EventParser(
            envelope,
            default_headers=scheme.delivery_ids,
            signed_body=scheme.covers_body,
            signed_header=scheme.covers_delivery_id,
            topics=tuple(row.get("topics", envelope.topics)),
            batch=row.get("batch", envelope.batch),
            max_body_bytes=max_body_bytes,
            **_present_keys(row, "max_age_seconds", "content", "content_field"),
            **paths,
        ),
        handshake=HANDSHAKES.get(row.get("handshake", "")),
        handshake_row=HandshakeRow(
            auth_config,
            verify_token=Secret(context.environ.get(row.get("verify_token", "")[1:], "").strip()),
            **_present_keys(row, "handshake_origins", "confirm_subscription"),
        ),
        allow_from=tuple(row.get("allow_from", ())),
        warnings=(*scheme.warnings(scheme.parameters(row)), *warnings_of(row), *_address_warnings(row, context)),
        **_present_keys(
            row, "always_200", "reuse_live_session", "action", "dry_run", "rate_limit", "rate_limit_fail_open"
        ),
    )


def _present_keys(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Those of these keys that a row has; of the others the default is the field's."""
    return {key: row[key] for key in keys if key in row}


def _address_warnings(row: Mapping[str, Any], context: SenderContext) -> list[str]:
    if "allow_from" not in row or context.trusted_proxies:
        return []
    return ["allow_from: TRUSTED_PROXIES is not set, so behind a proxy the address that is checked is the proxy's"]


def _auth_config(scheme: Scheme, row: Mapping[str, Any], context: SenderContext) -> AuthConfig:
    parameters = scheme.parameters(row)
    names = tuple(reference[1:] for reference in row.get("secrets", ()))
    field_names = {field.name for field in fields(AuthConfig)}
    config = AuthConfig(
        secrets=tuple(Secret(context.environ[name].strip()) for name in names),
        names=names,
        public_base_url=context.public_base_url,
        trusted_proxies=context.trusted_proxies,
        **{key: value for key, value in parameters.items() if key in field_names},
    )
    return replace(config, prepared=scheme.prepare(config, parameters))
