"""POST /webhooks/<sender>: any sender that has a row, from its raw bytes to the answer it understands."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from flask import Blueprint, Response, g, request

from cobrowse.clock import Clock, Deadline
from cobrowse.errors import CobrowseError, KeyReused, UnknownPath
from cobrowse.model import Command, Outcome
from integrations.senders.incoming import Ignored, Incoming, Refused, Wanted
from integrations.senders.registry import Sender
from web import answers, intake
from web.data_actions import fingerprint

# How many events of one delivery are started at once: enough for a batch of 100 inside HubSpot's 5 seconds, and few
# enough that a batch leaves Genesys's 300 requests a minute to others.
AT_ONCE = 8


class Initiate(Protocol):
    """The heart, as this border uses it."""

    def __call__(self, command: Command) -> Outcome:
        """Start a session or say why not."""

    def ignore(self, command: Command, reason: str) -> Outcome:
        """Say that nothing is started, and why."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What this endpoint was told at the start."""

    initiate: Initiate
    sender: Callable[[str], Sender | None]
    check_rate: Callable[[Sender, int], None]
    clock: Clock

    def blueprint(self) -> Blueprint:
        """The endpoint's routes."""
        blueprint = Blueprint("webhooks", __name__)
        blueprint.post("/webhooks/<name>")(self.receive)
        return blueprint

    def receive(self, name: str) -> Response:
        """Take a sender's delivery; nothing is parsed or remembered before its signature holds."""
        sender = self.sender(name)
        if sender is None:
            raise UnknownPath("no sender of this name is configured")
        deadline = Deadline.after(sender.deadline_seconds, self.clock)
        incoming = _incoming(self.clock.now())
        credential = sender.authenticate(incoming, self.clock.now())
        self.check_rate(sender, 1)
        manner = answers.Manner(sender.failures == "body", sender.habit, batch=sender.reading.envelope.batch)
        try:
            events = sender.read(incoming)
            key = intake.idempotency_key(request.headers.get("Idempotency-Key", "")) if len(events) == 1 else ""
        except CobrowseError as error:
            return answers.respond([answers.refused(error, g.correlation_id)], manner)
        if len(events) > 1:
            # One was counted before anything was parsed.
            self.check_rate(sender, len(events) - 1)
        commands = [_command(sender, event, credential, key) for event in events]
        return answers.respond(list(self._outcomes(events, commands, deadline)), manner)

    def _outcomes(
        self, events: Sequence[Wanted | Ignored], commands: Sequence[Command], deadline: Deadline
    ) -> Iterator[Outcome]:
        """Each event's own outcome, in their order. The events of a batch share the deadline, a few at a time."""

        def run(event: Wanted | Ignored, command: Command) -> Outcome:
            if isinstance(event, Refused) and event.error is not None:
                return answers.refused(event.error, command.correlation_id, command.conversation_id)
            if isinstance(event, Ignored):
                return self.initiate.ignore(command, event.reason)
            try:
                return self.initiate(replace(command, deadline_seconds=deadline.remaining()))
            except KeyReused as error:
                return answers.refused(error, command.correlation_id, command.conversation_id)

        if len(events) == 1:
            yield run(events[0], commands[0])
            return
        with ThreadPoolExecutor(AT_ONCE, "events") as pool:
            yield from pool.map(run, events, commands)


def _incoming(now: datetime) -> Incoming:
    """The delivery, raw: the path as it was sent, since some senders sign it."""
    # First of all, so that a body that is refused leaves no frame behind that holds the caller's credential.
    body = intake.raw_body(request)
    environ = request.environ
    sent = environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.full_path
    path, _, query = sent.partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Incoming(request.method, path, query, headers, body, request.remote_addr or "", now)


def _command(sender: Sender, event: Wanted | Ignored, credential: str, key: str) -> Command:
    command = Command(
        sender=sender.name,
        correlation_id=g.correlation_id,
        deadline_seconds=sender.deadline_seconds,
        conversation_id=event.conversation_id,
        credential=credential,
        key=key or event.delivery_id,
        check_first=sender.check_first,
        start_when=sender.start_when,
    )
    if isinstance(event, Ignored):
        return command
    return replace(
        command,
        channel=event.channel,
        requested_by=event.requested_by,
        session_settings=event.session_settings,
        # A caller's own key is held to what it came with first; a delivery's id names the event, whatever data it has.
        fingerprint=fingerprint(event.content) if key else "",
    )
