"""Who asks: data actions and every sender of senders.example.toml, with their bodies, ids and signatures."""

import contextlib
import json
import random
import re
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx

from integrations.senders.registry import Sender
from integrations.senders.requests import SessionRequested, UnverifiedRequest
from tests.http_client import HTTP
from tests.in_process import KEY
from tests.payloads import deliveries, senders
from web.responses import is_success_message


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its sender has it, the same whenever it is sent.

    `key` is what identifies a repeat ("" for none), under the sender's `name`; the data action's is architect.
    `channel` is the kind of the conversation. It is signed `at` one moment, of which an id may be made.
    """

    name: str
    key: str
    conversation: str
    body: bytes
    headers: dict[str, str]
    sender: Sender | None = None
    channel: str = "webchat"
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def signed(self):
        """Its target and headers."""
        if self.sender is None:
            return "/data-actions/cobrowse", {"X-Api-Key": KEY, **self.headers}
        path = f"/webhooks/{self.name}"
        signed = self.sender.sign("POST", path, self.body, self.at, self.headers)
        return signed.target(path), {**self.headers, **signed.headers}

    def send(self, url):
        """The service's reply."""
        target, headers = self.signed()
        try:
            answer = HTTP.post(f"{url}{target}", content=self.body, headers=headers)
        except httpx.TransportError:
            return Reply(0)
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        return Reply(answer.status_code, answer.content, replayed, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, which came `at` that moment; a status of 0 is none at all."""

    status: int
    body: bytes = b""
    replayed: bool = False
    at: datetime | None = None

    @property
    def fields(self):
        """The flat answer; nothing where it is none."""
        with contextlib.suppress(ValueError):
            fields = json.loads(self.body)
            return fields if isinstance(fields, dict) else {}
        return {}

    @property
    def success(self):
        """Whether it says that the customer has an invitation, in fields or in a chat's words."""
        return self.fields.get("success") is True or is_success_message(self.words, ignored=False)

    @property
    def words(self):
        """What people read of it in a chat; "" where it is not for them."""
        return unescape(str(self.fields.get("text") or ""))

    @property
    def acknowledged(self):
        """Whether it says, to a sender that understands nothing else, that it need not send this again."""
        return b"<Ack>true" in self.body

    @property
    def final(self):
        """Whether nobody would send it again."""
        if b"<Ack>" in self.body:
            return self.acknowledged
        return bool(self.fields) and not self.fields.get("retryable") and self.status not in (0, 401, 408, 413, 429)


def makers():
    """For each sender, a maker of fresh requests. Those of open-messaging start nothing, and are kept on record."""
    rows, found = senders(), {"architect": _data_action}
    for delivery in deliveries():
        sender = rows.get(delivery.sender)
        if sender is None or len(delivery.expect) != 1 or "error" in delivery.expect[0]:
            continue
        [event] = sender.parse_events(delivery.signed_by(sender))
        if isinstance(event, SessionRequested) or sender.name == "open-messaging":
            maker = _maker(sender, delivery.body.decode(), dict(delivery.headers), event)
            found[f"{delivery.sender}/{delivery.name}"] = maker
    return found


def _data_action():
    conversation = str(uuid.uuid4())
    key = str(uuid.uuid4()) if random.random() < 0.75 else ""
    body = json.dumps({"conversationId": conversation, "channel": "webchat", "requestedBy": "soak"}).encode()
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    return Request("architect", key, conversation, body, headers)


def _maker(sender, body, headers, event):
    """Real deliveries with another conversation and another id each time."""
    channel = (event.channel if isinstance(event, SessionRequested) else None) or "webchat"

    def make():
        conversation, fresh = str(uuid.uuid4()), uuid.uuid4().hex
        text, own = _happening_now(body), dict(headers)
        if event.conversation_id:
            text = re.sub(re.escape(event.conversation_id), conversation, text, flags=re.IGNORECASE)
        if event.delivery_id in text and event.delivery_id:
            text = text.replace(event.delivery_id, fresh)
        elif event.delivery_id in own.values():
            own = {name: fresh if value == event.delivery_id else value for name, value in own.items()}
        elif event.delivery_id:
            # It is made of several parts, the time among them, or is the signature's own.
            own["Idempotency-Key"] = fresh
        request = Request(sender.name, "", conversation, text.encode(), own, sender, channel)
        return replace(request, key=_key_of(request))

    return make


def _happening_now(body):
    """The body with the sample's moment in the last minutes: chat events that are older are ignored."""
    at = datetime.now(UTC) - timedelta(milliseconds=random.randrange(600_000))
    stamped = re.sub(r"\b1763\d{9}\b", str(int(at.timestamp() * 1000)), body)
    return re.sub(r"\b2025-11-24T[\d:.]+Z", f"{at:%Y-%m-%dT%H:%M:%S}Z", stamped)


def _key_of(request):
    """What the sender's row reads as its key: an id that its signature covers, else the header's, else any id."""
    target, headers = request.signed()
    path, _, query = target.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    [event] = request.sender.parse_events(UnverifiedRequest("POST", path, query, lower, request.body, "127.0.0.1"))
    signed = isinstance(event, SessionRequested) and event.signed_id
    return event.delivery_id if signed else lower.get("idempotency-key", event.delivery_id)
