"""POST /webhooks/<sender>: any sender that has a row, from its raw bytes to the response that it expects."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import MethodNotAllowed

from cobrowse.clock import Clock, Deadline
from cobrowse.errors import (
    BodyTooLarge,
    CobrowseError,
    InternalError,
    InvalidRequest,
    KeyReused,
    RateLimitStorageUnavailable,
    RequestError,
    SenderRateLimited,
    UnknownPath,
)
from cobrowse.initiation import Initiation
from cobrowse.model import Command, Outcome
from integrations.senders.activity import Delivery, IgnoredEvent, SenderActivities
from integrations.senders.fetching import call_in_background
from integrations.senders.handshakes import HandshakeAnswer
from integrations.senders.registry import Sender
from integrations.senders.requests import Ignored, InvalidEvent, SessionRequested, UnverifiedRequest
from schemas.texts import SHOWN_LENGTH
from web import refusals, request_parsing, responses
from web.data_actions import fingerprint

log = structlog.stdlib.get_logger()

# How many events of one delivery are started at once: enough for a batch of 100 inside HubSpot's 5 seconds, and few
# enough that a batch leaves Genesys's 300 requests a minute to others.
MAX_CONCURRENT = 8


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The endpoint's configuration."""

    initiate: Initiation
    sender: Callable[[str], Sender | None]
    check_rate: Callable[[Sender, int], None]
    clock: Clock
    activity: SenderActivities
    on_ignored: Callable[[IgnoredEvent], None] = lambda _event: None
    call: Callable[[str], None] = call_in_background

    def blueprint(self) -> Blueprint:
        """The endpoint's routes."""
        blueprint = Blueprint("webhooks", __name__)
        blueprint.add_url_rule(
            "/webhooks/<name>",
            "receive",
            self.receive,
            methods=["POST", "GET", "OPTIONS"],
            provide_automatic_options=False,
        )
        return blueprint

    def receive(self, name: str) -> Response:
        """A sender's delivery, or its vendor's handshake; nothing is parsed or stored before it is authenticated."""
        sender = self.sender(name)
        if request.method != "POST":
            return self._handle_handshake(sender)
        if sender is None:
            raise UnknownPath("no sender of this name is configured")
        return self._handle_delivery(sender)

    def _handle_handshake(self, sender: Sender | None) -> Response:
        """A handshake that is not a POST. 405 unless the row has one of this method."""
        if sender is None or sender.handshake is None or sender.handshake.method != request.method:
            raise MethodNotAllowed(["POST"])
        incoming, _ = _incoming(sender, self.clock.now())
        answer = sender.answer_handshake(incoming, self.clock.now())
        if answer is None:
            raise MethodNotAllowed(["POST"])
        return self._handshake_response(sender, answer)

    def _handshake_response(self, sender: Sender, answer: HandshakeAnswer) -> Response:
        """The response to the vendor, as JSON or plain text: its challenge is never sent as HTML."""
        log.info("handshake answered", sender=sender.name, handshake=sender.handshake and sender.handshake.name)
        if answer.note:
            log.warning("handshake", sender=sender.name, note=answer.note)
            # With its time: it is read for days, also once it has been done.
            self.activity.record_note(sender.name, f"{self.clock.now():%Y-%m-%d %H:%M} UTC: {answer.note}")
        if answer.call:
            self.call(answer.call)
        response = (
            Response(answer.content, mimetype="text/plain")
            if isinstance(answer.content, str)
            else responses.json(answer.content)
        )
        response.headers.update(answer.headers)
        return response

    def _handle_delivery(self, sender: Sender) -> Response:
        """Authenticate, parse, start. Once authenticated, every failure follows the sender's response policy."""
        name, deadline = sender.name, Deadline.after(sender.deadline_seconds, self.clock)
        incoming, too_large = _incoming(sender, self.clock.now())
        credential = sender.authenticate(incoming, self.clock.now())
        mode = responses.ResponseMode(sender.always_200, sender.response_policy, batch=sender.parser.batch)
        used_up = self._count_events(sender)
        try:
            if too_large is not None:
                raise too_large
            handshake = sender.answer_handshake(incoming, self.clock.now()) if used_up is None else None
            if handshake is not None:
                return self._handshake_response(sender, handshake)
            dry_run = sender.dry_run or _is_dry_run(sender, incoming.headers.get("x-dry-run", ""))
            events = sender.parse_events(incoming)
            # No header outside the signature may take the place of an id inside it.
            may_have_key = len(events) == 1 and not events[0].signed_id
            key = request_parsing.idempotency_key(request.headers.get("Idempotency-Key", "")) if may_have_key else ""
        except CobrowseError as error:
            error = used_up or error
            log.warning("delivery refused", sender=name, error=error.code, message=error.message)
            refusals.mark_refused(error)
            return responses.respond([responses.rejection_outcome(error, g.correlation_id)], mode)
        if used_up is None and len(events) > 1:
            used_up = self._count_events(sender, len(events) - 1)  # one was counted before anything was parsed
        if used_up is not None:
            refusals.mark_refused(used_up)
            refused = [
                responses.rejection_outcome(used_up, g.correlation_id, event.conversation_id) for event in events
            ]
            return responses.respond(refused, mode)
        commands = [_command(sender, event, credential, key) for event in events]
        outcomes = list(self._outcomes(events, commands, deadline, dry_run=dry_run))
        self.activity.record(Delivery(self.clock.now(), name, responses.summary(outcomes)))
        return responses.respond(outcomes, mode)

    def _count_events(self, sender: Sender, events: int = 1) -> RequestError | None:
        """Count the events; return the error if they exceed the sender's rate limit, or can't be counted."""
        try:
            self.check_rate(sender, events)
        except (RateLimitStorageUnavailable, SenderRateLimited) as error:
            return error
        return None

    def _outcomes(
        self,
        events: Sequence[SessionRequested | Ignored],
        commands: Sequence[Command],
        deadline: Deadline,
        *,
        dry_run: bool,
    ) -> Iterator[Outcome]:
        """Each event's own outcome, in their order. The events of a batch share the deadline, a few at a time."""
        batch = len(events) > 1

        def run(event: SessionRequested | Ignored, command: Command) -> Outcome:
            if isinstance(event, InvalidEvent) and event.error is not None:
                return responses.rejection_outcome(event.error, command.correlation_id, command.conversation_id)
            if isinstance(event, Ignored):
                self.on_ignored(
                    IgnoredEvent(self.clock.now(), command.sender, event.kind, event.reason, event.conversation_id)
                )
                return self.initiate.ignore(command, event.reason)
            work = self.initiate.preview if dry_run else self.initiate
            try:
                return work(replace(command, deadline_seconds=deadline.remaining()))
            except KeyReused as error:
                if not batch:
                    refusals.mark_refused(error)
                return responses.rejection_outcome(error, command.correlation_id, command.conversation_id)
            except InternalError as error:
                if not batch:
                    raise
                # The others of the batch have their results all the same.
                log.exception("internal error", exc_info=error.__cause__ or error)
                return responses.rejection_outcome(error, command.correlation_id, command.conversation_id)

        if not batch:
            yield run(events[0], commands[0])
            return
        with ThreadPoolExecutor(MAX_CONCURRENT, "events") as pool:
            yield from pool.map(run, events, commands)


def _incoming(sender: Sender, now: datetime) -> tuple[UnverifiedRequest, BodyTooLarge | None]:
    """The delivery, raw: the path as it was sent, since some senders sign it. And that its body is too large, if so.

    A body over the row's limit is read as far as MAX_BODY_BYTES, so that a signature over it can be checked before the
    error is sent. Raises BodyTooLarge past that, unless the signature does not cover the body.
    """
    asked = request_parsing.current_request()
    # First of all, so that a body that is refused leaves no frame behind that holds the caller's credential.
    body, too_large = b"", None
    try:
        body = request_parsing.read_body(asked)
    except BodyTooLarge as error:
        if sender.scheme.covers_body:
            raise
        too_large = error
    if len(body) > sender.max_body_bytes:
        too_large = BodyTooLarge(f"the body is larger than {sender.max_body_bytes} bytes")
    environ = asked.environ
    sent = environ.get("RAW_URI") or environ.get("REQUEST_URI") or asked.full_path
    path, _, query = sent.partition("?")
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return UnverifiedRequest(asked.method, path, query, headers, body, asked.remote_addr or "", now), too_large


def _is_dry_run(sender: Sender, header: str) -> bool:
    """Whether the header X-Dry-Run asks that nothing be done. InvalidRequest for a sender that signs.

    Otherwise anyone who can add a header to a signed delivery could suppress it, and its sender would see a success.
    """
    asked = header.strip().lower()
    if asked in ("", "false"):
        return False
    if asked != "true":
        raise InvalidRequest(f"X-Dry-Run: must be true or false; {asked[:SHOWN_LENGTH]!r} came")
    if sender.scheme.covers_body:
        raise InvalidRequest("X-Dry-Run: no signature covers it; set dry_run = true in the sender's row instead")
    return True


def _command(sender: Sender, event: SessionRequested | Ignored, credential: str, key: str) -> Command:
    command = Command(
        sender=sender.name,
        correlation_id=g.correlation_id,
        deadline_seconds=sender.deadline_seconds,
        conversation_id=event.conversation_id,
        credential=credential,
        key=key or event.delivery_id,
        reuse_live_session=sender.reuse_live_session,
        start_when=sender.start_when,
        action=sender.action,
    )
    if isinstance(event, Ignored):
        return command
    if sender.action == "end":
        return replace(command, requested_by=event.requested_by, fingerprint=fingerprint(event.content) if key else "")
    return replace(
        command,
        hand_over=sender.participant_data,
        channel=event.channel,
        requested_by=event.requested_by,
        session_settings=event.session_settings,
        # A caller's own key is held to what it came with first; a delivery's id names the event, whatever data it has.
        fingerprint=fingerprint(event.content) if key else "",
    )
