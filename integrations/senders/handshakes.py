"""What vendors ask of an address before they send anything to it, a row each: how it is recognised, and the answer.

A handshake starts nothing and is answered before any event is read. Nothing of it is sent back that was not checked for
its form, and never as HTML; no URL in it is called unless it is the vendor's own and the row says so.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from cobrowse.errors import InvalidRequest, NotAuthenticated
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, constant_time_equals, secret_bytes
from integrations.senders.requests import UnverifiedRequest
from schemas.json_text import parse_json
from schemas.texts import SHOWN_LENGTH

# What is sent back of a vendor's challenge: a token, and nothing that a signature or a page could be made of.
_TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{1,200}")
_ORIGIN = re.compile(r"[a-z0-9.-]{1,200}")
_SNS_HOST = re.compile(r"sns\.[a-z0-9-]{1,30}\.amazonaws\.com(\.cn)?")
_META_HINT = "Give the vendor the token that the row's verify_token has."
# Where Event Grid's handshake of CloudEvents says that it comes from.
EVENT_GRID = "eventgrid.azure.net"


@dataclass(frozen=True, slots=True)
class HandshakeRow:
    """What a row says of its handshake, by its keys: those of KEYS. `auth_config` has its secrets."""

    auth_config: AuthConfig = AuthConfig()
    verify_token: Secret = Secret()
    handshake_origins: Sequence[str] = (EVENT_GRID,)
    confirm_subscription: bool = False


@dataclass(frozen=True, slots=True)
class HandshakeAnswer:
    """The answer to the vendor. `note` is for the people who run the service; `call` a URL of the vendor's to call."""

    content: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    call: str = ""


Answer = Callable[[UnverifiedRequest, HandshakeRow], HandshakeAnswer | None]


@dataclass(frozen=True, slots=True)
class Handshake:
    """One vendor's. `answer` is None for what is no handshake; `keys` are those of a sender's row that it uses.

    `with_credential`: it carries the row's credential, if that comes with every request.
    `signs`: it is answered with the row's first secret. `leaves_notes`: it asks something of a person.
    """

    name: str
    answer: Answer
    method: str = "POST"
    with_credential: bool = False
    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    signs: bool = False
    leaves_notes: bool = False


def _event_grid(incoming: UnverifiedRequest, _row: HandshakeRow) -> HandshakeAnswer | None:
    """learn.microsoft.com, Event Grid, endpoint validation: the code goes back; the URL beside it is never called."""
    events = _body(incoming)
    event = _object(events[0]) if isinstance(events, list) and len(events) == 1 else {}
    if event.get("eventType") != "Microsoft.EventGrid.SubscriptionValidationEvent":
        return None
    code = _object(event.get("data")).get("validationCode")
    return HandshakeAnswer({"validationResponse": _token(code, "data.validationCode")})


def _cloudevents(incoming: UnverifiedRequest, row: HandshakeRow) -> HandshakeAnswer | None:
    """CloudEvents, HTTP webhooks, abuse protection: the origin is allowed to send, if the row names it."""
    requested_origin = incoming.headers.get("webhook-request-origin", "").strip().lower()
    allowed = [origin for origin in row.handshake_origins if origin == requested_origin]
    if not allowed:
        raise NotAuthenticated(
            f"the WebHook-Request-Origin {requested_origin[:SHOWN_LENGTH]!r} is not one of the row's handshake_origins",
            hint="Name the sender's origin in handshake_origins.",
        )
    return HandshakeAnswer("", {"WebHook-Allowed-Origin": allowed[0], "WebHook-Allowed-Rate": "*"})


def _front(incoming: UnverifiedRequest, _row: HandshakeRow) -> HandshakeAnswer | None:
    """dev.frontapp.com, application webhook validation."""
    challenge = incoming.headers.get("x-front-challenge")
    return HandshakeAnswer({"challenge": _token(challenge, "X-Front-Challenge")}) if challenge else None


def _zoom(incoming: UnverifiedRequest, row: HandshakeRow) -> HandshakeAnswer | None:
    """developers.zoom.us, validate your webhook endpoint; every 72 hours.

    It wants a MAC of a text of the sender's, made with the key that signs its events: only a token is signed, which no
    event's signature can be over.
    """
    body = _object(_body(incoming))
    if body.get("event") != "endpoint.url_validation":
        return None
    token = _token(_object(body.get("payload")).get("plainToken"), "payload.plainToken")
    mac = hmac.new(row.auth_config.key(row.auth_config.secrets[0]), token.encode(), sha256).hexdigest()
    return HandshakeAnswer({"plainToken": token, "encryptedToken": mac})


def _slack(incoming: UnverifiedRequest, _row: HandshakeRow) -> HandshakeAnswer | None:
    """api.slack.com, Events API, url_verification."""
    body = _object(_body(incoming))
    if body.get("type") != "url_verification":
        return None
    return HandshakeAnswer({"challenge": _token(body.get("challenge"), "challenge")})


def _sns(incoming: UnverifiedRequest, row: HandshakeRow) -> HandshakeAnswer | None:
    """docs.aws.amazon.com, SNS, confirm the subscription: a person opens the URL, or this service does."""
    body = _object(_body(incoming))
    if body.get("Type") == "UnsubscribeConfirmation":
        return HandshakeAnswer({}, note="Amazon SNS says that the subscription of this address has ended")
    if body.get("Type") != "SubscriptionConfirmation":
        return None
    url = _sns_url(body.get("SubscribeURL"))
    instruction = (
        "it is being opened" if row.confirm_subscription else "open it to confirm, or set confirm_subscription = true"
    )
    return HandshakeAnswer(
        {},
        note=f"Amazon SNS asks to confirm the subscription; {instruction}: {url}",
        call=url * row.confirm_subscription,
    )


def _meta(incoming: UnverifiedRequest, row: HandshakeRow) -> HandshakeAnswer | None:
    """developers.facebook.com, webhooks, verification requests: a token that both sides know, in the query."""
    presented = incoming.query_value("hub.verify_token")
    if incoming.query_value("hub.mode") != b"subscribe" or not presented:
        raise NotAuthenticated("hub.mode or hub.verify_token is missing", hint=_META_HINT)
    if not constant_time_equals(presented, secret_bytes(row.verify_token.reveal())):
        raise NotAuthenticated("hub.verify_token is not the row's verify_token", hint=_META_HINT)
    return HandshakeAnswer(_token(incoming.query_value("hub.challenge").decode("latin-1"), "hub.challenge"))


_TABLE = (
    Handshake("event-grid", _event_grid),
    # CloudEvents has no proof of its own for it; a row whose credential comes with every request asks for that.
    Handshake("cloudevents", _cloudevents, method="OPTIONS", with_credential=True, keys=("handshake_origins",)),
    Handshake("front", _front),
    # developers.intercom.com, set up webhooks: an unauthenticated HEAD is answered 200.
    Handshake("intercom", lambda _incoming, _row: HandshakeAnswer(""), method="HEAD"),
    Handshake("zoom", _zoom, signs=True),
    Handshake("slack", _slack),
    Handshake("sns", _sns, keys=("confirm_subscription",), leaves_notes=True),
    Handshake("meta", _meta, method="GET", keys=("verify_token",), required=("verify_token",)),
)
HANDSHAKES: Mapping[str, Handshake] = {handshake.name: handshake for handshake in _TABLE}
# Keys of a sender's row that a handshake may use.
KEYS = tuple(dict.fromkeys(key for handshake in _TABLE for key in handshake.keys))


def check_origins(value: object) -> str:
    """The hosts that may send CloudEvents."""
    good = isinstance(value, list) and value and all(isinstance(one, str) and _ORIGIN.fullmatch(one) for one in value)
    return "" if good else f"must be a list of hosts, such as [{EVENT_GRID!r}]"


def _body(incoming: UnverifiedRequest) -> object:
    """The JSON in a body; None if it is none."""
    try:
        return parse_json(incoming.body)
    except orjson.JSONDecodeError:
        return None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _token(value: object, where: str) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise InvalidRequest(f"{where}: is no token of up to 200 letters, digits and _ - + / =")
    return value


def _sns_url(value: object) -> str:
    """SNS's own URL, on a host of SNS's. InvalidRequest for any other."""
    try:
        parts = urlsplit(str(value))
        is_sns = parts.scheme == "https" and _SNS_HOST.fullmatch(parts.netloc) and len(str(value)) <= 2_000
    except ValueError:
        is_sns = False
    if not is_sns or not str(value).isascii() or not str(value).isprintable() or " " in str(value):
        raise InvalidRequest("SubscribeURL: is no https URL of sns.<region>.amazonaws.com")
    return str(value)
