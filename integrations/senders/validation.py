"""Validation of the senders file: each key with its form, and a row's errors, one per line."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from cobrowse.model import Action, StartWhen
from integrations.secret_files import SecretFileError
from integrations.senders.auth import checks
from integrations.senders.auth.checks import Check, unknown_choice
from integrations.senders.auth.credentials import MIN_SECRET_BYTES
from integrations.senders.auth.scheme import TEXT, Scheme, SecretForm, SenderContext
from integrations.senders.handshakes import HANDSHAKES, Handshake, check_origins
from integrations.senders.handshakes import KEYS as HANDSHAKE_KEYS
from integrations.senders.payload_fields import literal_error
from integrations.senders.payloads.content import CHOICES
from integrations.senders.payloads.envelopes import ENVELOPES, Envelope
from integrations.senders.payloads.paths import Path, conversation_id, medium
from integrations.senders.rate_limit import parse_rate
from integrations.senders.response_policies import RESPONSE_POLICIES, ResponsePolicy
from schemas.addresses import is_network

# Seconds: as the service's own DEADLINE_SECONDS, below a data action's 60.
_DEADLINES = (0.5, 55.0)
# Seconds: a day is how long EventBridge tries to deliver an event at most; archives are replayed after weeks.
_AGES = (1.0, 31_536_000.0)
# Bytes: less holds no delivery, more is no setting of MAX_BODY_BYTES.
_BODIES = (1_024, 10_485_760)


def _path(value: object) -> str:
    if wrong := checks.text(value):
        return wrong
    try:
        headers = Path.of(str(value)).headers
    except ValueError as error:
        return f"is not a JMESPath: {' '.join(str(error).split())[:160]}"
    for name in sorted(headers):
        if wrong := checks.header(name):
            return f"reads the header {name[:60]!r}, which {wrong}"
    return ""


def _rate(value: object) -> str:
    try:
        parse_rate(str(value))
    except ValueError:
        return f"{str(value)[:60]!r} is not a rate; write it as 60/minute"
    return ""


def _networks(value: object) -> str:
    if wrong := checks.texts(value):
        return wrong
    for network in value if isinstance(value, list) else []:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            return f"{network[:60]!r} is no address or network: {_network_hint(network) or str(error)[:100]}"
        if not is_network(network):
            return f"{network[:60]!r} is IPv4 written as IPv6; write it as IPv4, as requests are compared"
    return ""


def _network_hint(network: str) -> str:
    """The network that an address with a length lies in; "" if it lies in none."""
    try:
        return f"write {ipaddress.ip_network(network, strict=False)}"
    except ValueError:
        return ""


# Keys that say how a session is started.
_FOR_STARTS = ("start_when", "reuse_live_session", "session_settings", "participant_data")

# What any row may have; a scheme brings keys of its own.
KEYS: Mapping[str, Check] = {
    "secrets": checks.texts,
    "envelope": checks.choice(tuple(ENVELOPES), "envelope"),
    "conversation_id": _path,
    "channel": _path,
    "requested_by": _path,
    "session_settings": _path,
    "filter": _path,
    "delivery_id": _path,
    "deadline_seconds": checks.number(*_DEADLINES),
    "always_200": checks.boolean,
    "reuse_live_session": checks.boolean,
    "start_when": checks.choice(get_args(StartWhen)),
    "action": checks.choice(get_args(Action)),
    "participant_data": checks.boolean,
    "dry_run": checks.boolean,
    "max_age_seconds": checks.number(*_AGES),
    "max_body_bytes": checks.integer(*_BODIES, "bytes"),
    "rate_limit": _rate,
    "rate_limit_fail_open": checks.boolean,
    "topics": checks.texts,
    "content": checks.choice(CHOICES),
    "content_field": checks.text,
    "batch": checks.boolean,
    "handshake": checks.choice(tuple(HANDSHAKES), "handshake"),
    "handshake_origins": check_origins,
    "verify_token": checks.variable,
    "confirm_subscription": checks.boolean,
    "allow_from": _networks,
    "response_policy": checks.choice(tuple(RESPONSE_POLICIES), "response_policy"),
}


def keys_of(schemes: Mapping[str, Scheme], scheme_name: object = None) -> dict[str, Check]:
    """Every key that a row can have, with its form: as this scheme has it where several have one of the name."""
    found = {"signature": checks.choice(tuple(schemes), "scheme"), **KEYS}
    chosen_last = sorted(schemes.values(), key=lambda scheme: scheme.name == scheme_name)
    return found | {key: check for scheme in chosen_last for key, check in scheme.keys.items()}


def row_errors(row: Mapping[str, object], context: SenderContext) -> list[str]:
    """The errors of a row: one line each, `key: what`."""
    keys = keys_of(context.schemes, row.get("signature"))
    unknown = [key for key in row if key not in keys]
    errors = [f"{key[:60]}: not a key of a sender: {unknown_choice(key, tuple(keys))}" for key in unknown]
    invalid = {key: error for key, value in row.items() if key in keys and (error := keys[key](value))}
    for key, choices in (("signature", context.schemes), ("envelope", ENVELOPES)):
        if key not in row:
            invalid[key] = f"is missing; choose one of {', '.join(choices)}"
    errors += [f"{key}: {error}{_quote_value(key, row.get(key), error)}" for key, error in invalid.items()]
    valid = {key: value for key, value in row.items() if key in keys and key not in invalid}
    largest = valid.get("max_body_bytes")
    if isinstance(largest, int) and largest > context.max_body_bytes:
        errors.append(f"max_body_bytes: {largest} is above MAX_BODY_BYTES, which is {context.max_body_bytes}")
    if valid.get("action") == "end":
        errors += _unused("a row that ends sessions", row, _FOR_STARTS)
    scheme = context.schemes[str(valid["signature"])] if "signature" in valid else None
    if scheme is not None:
        errors += _scheme_errors(scheme, valid, row, context)
    if "envelope" in valid:
        errors += _envelope_errors(ENVELOPES[str(valid["envelope"])], valid, row)
    if scheme is not None and "envelope" in valid and ("response_policy" in valid or "response_policy" not in row):
        errors += _deadline_errors(RESPONSE_POLICIES[response_policy_of(valid, scheme)], valid)
    errors += _handshake_errors(HANDSHAKES.get(str(valid.get("handshake"))), valid, context, scheme)
    return errors + (_secret_errors(scheme, row, context) if scheme is not None and scheme.secrets != "none" else [])


def response_policy_of(row: Mapping[str, object], scheme: Scheme) -> str:
    """The row's response policy, else its envelope's, else its scheme's."""
    of_envelope = ENVELOPES[str(row["envelope"])].response_policy
    return str(row.get("response_policy") or of_envelope or scheme.response_policy or "default")


def _quote_value(key: str, value: object, error: str) -> str:
    """What a key was given, where its error does not show it already; never what may be a secret."""
    if key in ("secrets", "verify_token") or not error.startswith("must be"):
        return ""
    return checks.received(value)


def _unused(chooser: str, row: Mapping[str, object], keys: Iterable[str], used: Sequence[str] = ()) -> list[str]:
    """The errors of those of a row's keys that its `chooser` does not use."""
    uses = f"; it uses {', '.join(used)}" if used else ""
    return [f"{key}: {chooser} has no use for it{uses}" for key in keys if key in row and key not in used]


def _missing(chooser: str, row: Mapping[str, object], required: Iterable[str]) -> list[str]:
    return [f"{key}: is missing; {chooser} needs it" for key in required if key not in row]


def _scheme_errors(
    scheme: Scheme, valid: Mapping[str, object], row: Mapping[str, object], context: SenderContext
) -> list[str]:
    chooser = f"the scheme {scheme.name!r}"
    of_schemes = dict.fromkeys(key for each in context.schemes.values() for key in (*each.keys, "secrets"))
    errors = _unused(chooser, valid, of_schemes, (*scheme.keys, *(("secrets",) if scheme.secrets != "none" else ())))
    errors += _missing(chooser, row, scheme.required)
    errors += [
        f"signature: {chooser} needs {setting.upper()}, which is not set"
        for setting in scheme.settings
        if not getattr(context, setting)
    ]
    # What is wrong across keys can be reported once each is valid by itself.
    if all(key in valid for key in scheme.keys if key in row):
        errors += scheme.errors(valid, context)
    return errors


def _secret_errors(scheme: Scheme, row: Mapping[str, object], context: SenderContext) -> list[str]:
    own = {key: row[key] for key in scheme.keys if key in row}
    secrets, form = row.get("secrets"), scheme.secret_form({**scheme.preset, **own})
    if not secrets and scheme.secrets == "required":
        return ['secrets: is missing; name the variables that hold them, as ["$NAME"]']
    references = secrets if isinstance(secrets, list) else []
    errors = (checks.variable(each) or _secret_error(each, form, context) for each in references)
    return [f"secrets: {error}" for error in errors if error]


def _secret_error(reference: str, form: SecretForm, context: SenderContext) -> str:
    try:
        secret = context.environ.get(reference[1:], "").strip()
    except SecretFileError as error:
        return str(error)
    if not secret:
        return f"{reference} is not set in the environment"
    key = form.key_of(secret)
    if key is None:
        return f"{reference} is not of the form {form.name}"
    return f"{reference} is under {MIN_SECRET_BYTES} bytes" if len(key) < MIN_SECRET_BYTES else ""


def _envelope_errors(envelope: Envelope, valid: Mapping[str, object], row: Mapping[str, object]) -> list[str]:
    chooser = f"the envelope {envelope.name!r}"
    has_place = envelope.optional or "conversation_id" in envelope.paths
    errors = _missing(chooser, row, () if has_place else ("conversation_id",))
    errors += _unused(chooser, row, ("topics", "max_age_seconds") if envelope.time is None else ())
    for key, reads in (("conversation_id", conversation_id), ("channel", medium)):
        if wrong := literal_error(valid.get(key), key, reads):
            errors.append(f"{key}: {wrong}")
    if valid.get("content", "json") != "json" and envelope.content:
        errors.append(f"content: {chooser} is read as it comes; only a body of the sender's own has others")
    if "content_field" in valid and valid.get("content") != "json-in-form":
        errors.append('content_field: nothing to use it on without content = "json-in-form"')
    if valid.get("batch") is False and envelope.batch:
        errors.append(f"batch: {chooser} is always one")
    if valid.get("batch") is True and (envelope.content or valid.get("content")) in ("form", "xml"):
        errors.append("batch: only JSON has arrays of events")
    return errors


def _deadline_errors(response_policy: ResponsePolicy, valid: Mapping[str, object]) -> list[str]:
    deadline, longest = valid.get("deadline_seconds", 0), response_policy.timeout_seconds
    if isinstance(deadline, (int, float)) and deadline >= longest:
        return [f"deadline_seconds: {deadline:g} is too long; {response_policy.name} waits {longest:g} s in all"]
    return []


def _handshake_errors(
    handshake: Handshake | None, valid: Mapping[str, object], context: SenderContext, scheme: Scheme | None
) -> list[str]:
    if handshake is None:
        return _unused("a row without a handshake", valid, HANDSHAKE_KEYS)
    chooser = f"the handshake {handshake.name!r}"
    errors = _unused(chooser, valid, HANDSHAKE_KEYS, handshake.keys) + _missing(chooser, valid, handshake.required)
    if "verify_token" in valid and (error := _secret_error(str(valid["verify_token"]), TEXT, context)):
        errors.append(f"verify_token: {error}")
    if handshake.signs and scheme is not None and scheme.secrets != "required":
        errors.append(f"handshake: {handshake.name!r} needs a signature with secrets")
    return errors
