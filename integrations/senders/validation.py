"""Validation of the senders file: each key with its form, and a row's errors, one per line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from cobrowse.model import StartWhen
from integrations.senders.auth.hmac_signatures import PARTS, foreign_mark_in, names_in
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.payload_shapes import HEADER_ID, literal_fault
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.payloads.paths import Path, conversation_id, medium
from integrations.senders.rate_limit import parse_rate
from integrations.senders.response_policies import RESPONSE_POLICIES

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]{1,100}")
# Seconds: as the service's own DEADLINE_SECONDS, below a data action's 60.
_DEADLINES = (0.5, 55.0)
# Seconds: past a day a timestamp protects from nothing.
_TOLERANCES = (1.0, 86_400.0)

# Seconds: a day is how long EventBridge tries to deliver an event at most; archives are replayed after weeks.
_AGES = (1.0, 31_536_000.0)
# Bytes: less holds no delivery, more is no setting of MAX_BODY_BYTES.
_BODIES = (1_024, 10_485_760)

_PARTS_SHOWN = ", ".join(PARTS)

Check = Callable[[object], str]
"""What is wrong with a value, "" if nothing is."""


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "must be a text that is not empty"


def _texts(value: object) -> str:
    good = isinstance(value, list) and value and all(isinstance(one, str) and one for one in value)
    return "" if good else "must be a list of texts with at least one"


def _choice(choices: Sequence[str]) -> Check:
    def check(value: object) -> str:
        return "" if value in choices else f"unknown {chosen(value, choices)}"

    return check


def _kind(noun: str, choices: Sequence[str]) -> Check:
    def check(value: object) -> str:
        return "" if value in choices else f"unknown {noun} {chosen(value, choices)}"

    return check


def _number(lowest: float, highest: float) -> Check:
    def check(value: object) -> str:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest
        return "" if fits else f"must be a number of seconds from {lowest:g} to {highest:g}"

    return check


def _bytes(value: object) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and _BODIES[0] <= value <= _BODIES[1]
    return "" if fits else f"must be a whole number of bytes from {_BODIES[0]} to {_BODIES[1]}"


def _matching(pattern: re.Pattern[str], what: str) -> Check:
    def check(value: object) -> str:
        return "" if isinstance(value, str) and pattern.fullmatch(value) else f"must be {what}"

    return check


def _boolean(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _path(value: object) -> str:
    if wrong := _text(value):
        return wrong
    try:
        Path.of(str(value))
    except ValueError as error:
        return f"is not a JMESPath: {' '.join(str(error).split())[:160]}"
    return ""


def _delivery_id(value: object) -> str:
    if isinstance(value, str) and value.startswith(HEADER_ID):
        return _header(value.removeprefix(HEADER_ID))
    return _path(value)


def _rate(value: object) -> str:
    try:
        parse_rate(str(value))
    except ValueError:
        return "is not a rate; write it as 60/minute"
    return ""


def _template(value: object) -> str:
    if wrong := _text(value):
        return wrong
    if unknown := [name for name in names_in(str(value)) if name not in PARTS]:
        return f"has an unknown {{{unknown[0][:60]}}}; the parts are {_PARTS_SHOWN}"
    if mark := foreign_mark_in(str(value)):
        return f"has a {mark!r} outside its parts, which would be signed as it stands; the parts are {_PARTS_SHOWN}"
    return "" if "body" in names_in(str(value)) else "has no {body}, so the body could be altered"


def _prefix(value: object) -> str:
    if wrong := _text(value):
        return wrong
    found = set("{}").intersection(str(value))
    return "has a brace; it is what stands before the signature, word for word" if found else ""


def _header(value: object) -> str:
    if not (isinstance(value, str) and _TOKEN.fullmatch(value)):
        return "must be the name of a header"
    if "_" in value:
        return "has an underscore, and servers drop such headers (they can't distinguish them from those with a hyphen)"
    return ""


KEYS: Mapping[str, Check] = {
    "signature": _kind("scheme", tuple(SCHEMES)),
    "secrets": _texts,
    "envelope": _kind("envelope", tuple(ENVELOPES)),
    "conversation_id": _path,
    "channel": _path,
    "requested_by": _path,
    "session_settings": _path,
    "filter": _path,
    "delivery_id": _delivery_id,
    "deadline_seconds": _number(*_DEADLINES),
    "always_200": _boolean,
    "reuse_live_session": _boolean,
    "start_when": _choice(get_args(StartWhen)),
    "max_age_seconds": _number(*_AGES),
    "max_body_bytes": _bytes,
    "rate_limit": _rate,
    "rate_limit_fail_open": _boolean,
    "topics": _texts,
    "response_policy": _kind("response_policy", tuple(RESPONSE_POLICIES)),
    "tolerance_seconds": _number(*_TOLERANCES),
    "header": _header,
    "algorithm": _choice(("sha256", "sha512")),
    "encoding": _choice(("hex", "base64")),
    "prefix": _prefix,
    "timestamp_header": _header,
    "timestamp_unit": _choice(("s", "ms", "iso")),
    "template": _template,
    "query": _matching(_QUERY_NAME, "the name of a query parameter"),
    "username": _text,
    "subjects": _texts,
    "subject_header": _header,
}
# Keys that configure a sender's authentication; each scheme uses its own.
AUTH_KEYS = tuple({key: None for scheme in SCHEMES.values() for key in scheme.keys})


@dataclass(frozen=True, slots=True)
class SenderContext:
    """What the service's settings give to a row."""

    environ: Mapping[str, str]
    public_base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: int = 2_097_152


def chosen(value: object, choices: Sequence[str]) -> str:
    """A value that isn't among the choices, with the likely one and all of them."""
    shown = repr(value)[:60]
    close = get_close_matches(str(value), choices, 1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{shown}; {guess}choose one of {', '.join(choices)}"


def row_errors(row: Mapping[str, object], context: SenderContext) -> list[str]:
    """The errors of a row, apart from its secrets: one line each, `key: what`."""
    unknown = [key for key in row if key not in KEYS]
    errors = [f"{key[:60]}: not a key of a sender: {chosen(key, tuple(KEYS))}" for key in unknown]
    wrong = {key: fault for key, value in row.items() if key in KEYS and (fault := KEYS[key](value))}
    for key, choices in (("signature", SCHEMES), ("envelope", ENVELOPES)):
        if key not in row:
            wrong[key] = f"is missing; choose one of {', '.join(choices)}"
    errors += [f"{key}: {fault}" for key, fault in wrong.items()]
    sound = {key: value for key, value in row.items() if key in KEYS and key not in wrong}
    largest = sound.get("max_body_bytes")
    if isinstance(largest, int) and largest > context.max_body_bytes:
        errors.append(f"max_body_bytes: {largest} is above MAX_BODY_BYTES, which is {context.max_body_bytes}")
    if "signature" in sound:
        errors += _scheme_errors(str(sound["signature"]), sound, row, context)
    if "envelope" in sound:
        errors += _envelope_errors(str(sound["envelope"]), sound, row)
    return errors


def response_policy_of(row: Mapping[str, object]) -> str:
    """The row's response policy, else its envelope's, else its scheme's."""
    named = row.get("response_policy")
    own = ENVELOPES[str(row["envelope"])].response_policy
    return str(named or (own if own != "default" else SCHEMES[str(row["signature"])].response_policy or own))


def _scheme_errors(
    name: str, sound: Mapping[str, object], row: Mapping[str, object], context: SenderContext
) -> list[str]:
    scheme = SCHEMES[name]
    uses = (*scheme.keys, *(("secrets",) if scheme.has_secrets else ()))
    errors = [
        f"{key}: the scheme {name!r} has no use for it; it uses {', '.join(uses)}"
        for key in sound
        if key in (*AUTH_KEYS, "secrets") and key not in uses
    ]
    errors += [f"{key}: is missing; the scheme {name!r} needs it" for key in scheme.required if key not in row]
    errors += [
        f"signature: the scheme {name!r} needs {setting.upper()}, which is not set"
        for setting in scheme.settings
        if not getattr(context, setting)
    ]
    if name == "api-key" and "header" in row and "query" in row:
        errors.append("query: the key can't be in both a header and the query; keep one of them")
    if name == "hmac":
        errors += _timestamp_errors(sound, row, context)
    return errors


def _timestamp_errors(sound: Mapping[str, object], row: Mapping[str, object], context: SenderContext) -> list[str]:
    names = names_in(str(sound.get("template", "")))
    timed = "timestamp_header" in row
    errors = []
    if timed and str(sound.get("header", "")).lower() == str(sound.get("timestamp_header", "-")).lower():
        errors.append("timestamp_header: is the signature's own header, and one text can't be both")
    if "template" in sound and timed and "timestamp" not in names:
        errors.append("template: has no {timestamp}, so the timestamp could be altered")
    if "timestamp" in names and not timed:
        errors.append("timestamp_header: is missing; the template has a {timestamp}")
    if {"uri", "decoded_uri"}.intersection(names) and not context.public_base_url:
        errors.append("template: has the URI, which needs PUBLIC_BASE_URL, which is not set")
    errors += [
        f"{key}: nothing to use it on without a timestamp_header"
        for key in ("timestamp_unit", "tolerance_seconds")
        if key in row and not timed
    ]
    return errors


def _envelope_errors(name: str, sound: Mapping[str, object], row: Mapping[str, object]) -> list[str]:
    envelope = ENVELOPES[name]
    errors = []
    if not (envelope.optional or "conversation_id" in envelope.paths or "conversation_id" in row):
        errors.append(f"conversation_id: is missing; the envelope {name!r} has no place of its own for it")
    if "max_age_seconds" in row and envelope.time is None:
        errors.append(f"max_age_seconds: the envelope {name!r} does not say when its events happened")
    for key, reads in (("conversation_id", conversation_id), ("channel", medium)):
        if (wrong := literal_fault(sound.get(key), key, reads)) and key in sound:
            errors.append(f"{key}: {wrong}")
    if "topics" in row and not envelope.topics:
        errors.append(f"topics: the envelope {name!r} has none")
    if "signature" in sound and ("response_policy" in sound or "response_policy" not in row):
        response_policy = RESPONSE_POLICIES[response_policy_of(sound)]
        deadline = sound.get("deadline_seconds", 0)
        if isinstance(deadline, (int, float)) and deadline >= response_policy.timeout_seconds:
            errors.append(
                f"deadline_seconds: {deadline:g} is too long; {response_policy.name} waits "
                f"{response_policy.timeout_seconds:g} s in all"
            )
    return errors
