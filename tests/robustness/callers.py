"""Those who ask: data actions and every sender of senders.example.toml, with their bodies, ids and signatures."""

import contextlib
import http.client
import json
import random
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from integrations.senders.registry import Sender, load_senders
from integrations.senders.requests import Ignored, SessionRequested, UnverifiedRequest
from tests.payloads import deliveries
from tests.payloads import senders as senders_of_payloads
from tests.robustness.service import EXAMPLE, KEY, PUBLIC, SECRETS

# Seconds that a caller waits for an answer: longer than any deadline.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its sender has it, the same whenever it is sent.

    `key` is what makes a repeat known ("" for none), under the sender's `name`; the data action's is architect.
    `channel` is the kind of conversation that it speaks of. It is signed `at` one moment, of which an id may be made.
    """

    name: str
    key: str
    conversation: str
    body: bytes
    headers: dict[str, str]
    sender: Sender | None = None
    channel: str = "webchat"
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def sent(self) -> tuple[str, dict[str, str]]:
        """Its target and headers, signed."""
        if self.sender is None:
            return "/data-actions/cobrowse", {"X-Api-Key": KEY, **self.headers}
        path = f"/webhooks/{self.name}"
        signed = self.sender.sign("POST", path, self.body, self.at, self.headers)
        return signed.target(path), {**self.headers, **signed.headers}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; a status of 0 is none at all."""

    status: int
    body: bytes = b""
    wait: float = 0.0
    replayed: bool = False

    @property
    def told(self) -> dict[str, object]:
        """The flat answer; nothing where it is none."""
        with contextlib.suppress(ValueError):
            told = json.loads(self.body)
            return told if isinstance(told, dict) else {}
        return {}

    @property
    def success(self) -> bool:
        """Whether it says that the customer has an invitation."""
        return self.told.get("success") is True

    @property
    def acknowledged(self) -> bool:
        """Whether it says, to a sender that understands nothing else, that it need not send this again."""
        return b"<Ack>true" in self.body

    @property
    def final(self) -> bool:
        """Whether nobody would send it again."""
        if b"<Ack>" in self.body:
            return self.acknowledged
        return bool(self.told) and not self.told.get("retryable") and self.status not in (0, 401, 408, 413, 429)


class Line:
    """A caller's connection to each service, one a thread."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = tuple(ports)
        self._mine = threading.local()

    def send(self, request: Request) -> Reply:
        """The answer of one of the services."""
        port = random.choice(self._ports)
        open_ones: dict[int, http.client.HTTPConnection] = self._mine.__dict__.setdefault("open", {})
        connection = open_ones.get(port)
        if connection is None:
            connection = open_ones[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        target, headers = request.sent()
        try:
            connection.request("POST", target, request.body, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            open_ones.pop(port).close()
            return Reply(0, wait=0.5)
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        return Reply(answer.status, body, float(answer.headers.get("Retry-After") or 0), replayed)

    def hang_up(self) -> None:
        """End this thread's connections."""
        for connection in self._mine.__dict__.pop("open", {}).values():
            connection.close()


def unlimited() -> str:
    """The example file without its rates: a load test is no rate test."""
    return re.sub(r"(?m)^rate = .*$", "", EXAMPLE.read_text("utf-8"))


def makers() -> dict[str, Callable[[], Request]]:
    """For each who asks, a maker of fresh requests. Those of open-messaging start nothing, and are kept on record."""
    ours, theirs = load_senders(unlimited(), SECRETS, public_base_url=PUBLIC), senders_of_payloads()
    found: dict[str, Callable[[], Request]] = {"architect": _data_action}
    for delivery in deliveries():
        row = theirs.get(delivery.sender)
        sender = ours.get(delivery.sender)
        if row is None or sender is None or len(delivery.expect) != 1 or "error" in delivery.expect[0]:
            continue
        [event] = row.read(delivery.signed_by(row))
        if isinstance(event, SessionRequested) or sender.name == "open-messaging":
            maker = _maker(sender, delivery.body.decode(), dict(delivery.headers), event)
            found[f"{delivery.sender}/{delivery.name}"] = maker
    return found


def _data_action() -> Request:
    conversation = str(uuid.uuid4())
    key = str(uuid.uuid4()) if random.random() < 0.75 else ""
    body = json.dumps({"conversationId": conversation, "channel": "webchat", "requestedBy": "soak"}).encode()
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    return Request("architect", key, conversation, body, headers)


def _maker(
    sender: Sender, body: str, headers: dict[str, str], event: SessionRequested | Ignored
) -> Callable[[], Request]:
    """Real deliveries with another conversation and another id each time."""
    channel = (event.channel if isinstance(event, SessionRequested) else None) or "webchat"

    def make() -> Request:
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


def _happening_now(body: str) -> str:
    """The body with the sample's moment in the last minutes: chat events that are older are ignored."""
    at = datetime.now(UTC) - timedelta(milliseconds=random.randrange(600_000))
    stamped = re.sub(r"\b1763\d{9}\b", str(int(at.timestamp() * 1000)), body)
    return re.sub(r"\b2025-11-24T[\d:.]+Z", f"{at:%Y-%m-%dT%H:%M:%S}Z", stamped)


def _key_of(request: Request) -> str:
    """What the sender's row reads as its key: an id that its signature covers, else the header's, else any id."""
    assert request.sender is not None
    target, headers = request.sent()
    path, _, query = target.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    [event] = request.sender.read(UnverifiedRequest("POST", path, query, lower, request.body, "127.0.0.1"))
    signed = isinstance(event, SessionRequested) and event.signed_id
    return event.delivery_id if signed else lower.get("idempotency-key", event.delivery_id)
