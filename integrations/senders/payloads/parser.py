"""Parses a delivery by its row: bytes → events → a request each, or the reason to ignore it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cobrowse.errors import CobrowseError, InvalidRequest
from integrations.senders.payloads import chat_events, paths
from integrations.senders.payloads.content import FIELD, content_for, parse_content
from integrations.senders.payloads.crm_events import one_or_more
from integrations.senders.payloads.envelopes import Envelope, Loaded
from integrations.senders.payloads.paths import Path
from integrations.senders.requests import Ignored, IgnoredKind, InvalidEvent, SessionRequested, UnverifiedRequest
from schemas.texts import CHANNELS, INCAPABLE, SHOWN_LENGTH, label_in, medium_in
from schemas.validation_errors import load

_DELIVERY_ID_LENGTH = 255


@dataclass(frozen=True, slots=True)
class EventParser:
    """How a row reads its sender's events.

    The delivery's id is where the row says (`delivery_id`), else where the envelope has it, else in the first that came
    of the scheme's own headers (`default_headers`). `signed_body`, `signed_header`: what the scheme covers of them.
    """

    envelope: Envelope
    conversation_id: Path | None = None
    channel: Path | None = None
    requested_by: Path | None = None
    session_settings: Path | None = None
    filter: Path | None = None
    delivery_id: Path | None = None
    default_headers: tuple[str, ...] = ()
    signed_body: bool = False
    signed_header: bool = False
    topics: tuple[str, ...] = ()
    max_age_seconds: float = chat_events.MAX_AGE_SECONDS
    content: str = ""
    content_field: str = FIELD
    batch: bool = False
    max_body_bytes: int = 262_144

    def parse(self, incoming: UnverifiedRequest) -> tuple[SessionRequested | Ignored, ...]:
        """What the delivery asks for. Raises MalformedRequest, UnsupportedType, InvalidRequest, BodyTooLarge.

        In a batch the last is one event's own and comes as InvalidEvent, so that the others are seen to.
        """
        content = content_for(self.content or self.envelope.content, incoming)
        body = parse_content(incoming, content, self._names(), field=self.content_field, largest=self.max_body_bytes)
        split = self.envelope.split
        events = one_or_more(body, split) if self.batch and not self.envelope.batch else split(body)
        if not events:
            return (Ignored("the batch is empty", kind="empty_batch"),)
        if len(events) == 1:
            return (self.parse_event(events[0], incoming.headers, incoming.received),)
        return tuple(self._event_of_batch(event, incoming, number) for number, event in enumerate(events))

    def _names(self) -> set[str]:
        """The names that the envelope or one of the row's paths reads."""
        row_paths = (
            *(self.conversation_id, self.channel, self.requested_by, self.session_settings),
            *(self.filter, self.delivery_id),
        )
        return set(self.envelope.schema.names).union(*(path.names for path in row_paths if path is not None))

    def _event_of_batch(self, event: object, incoming: UnverifiedRequest, number: int) -> SessionRequested | Ignored:
        try:
            return self.parse_event(event, incoming.headers, incoming.received, number)
        except CobrowseError as error:
            return InvalidEvent(error.message, error=error)

    def parse_event(
        self, body: object, headers: Mapping[str, str], received: datetime | None, number: int = 0
    ) -> SessionRequested | Ignored:
        """What one event asks for; `number` is its place in its batch. Raises InvalidRequest."""
        if not isinstance(body, dict):
            raise InvalidRequest("the event: must be a JSON object")
        loaded = load(self.envelope.schema, body)
        self.envelope.check(loaded, headers)
        transformed = self.envelope.transform(body)
        reason = self.envelope.ignore(loaded, self.topics) or self._too_old(loaded, received)
        kind: IgnoredKind = "event"
        if not reason and self.filter is not None and not paths.is_truthy(self.filter(transformed, headers)):
            reason, kind = "filtered out by the sender's filter", "filter"
        medium = ""
        for medium in () if reason else self._media(transformed, loaded, headers):
            if medium not in CHANNELS:
                reason, kind = f"{medium[:SHOWN_LENGTH]} can't carry cobrowse", "channel"
                break
        if not reason and self.conversation_id is None:
            reason, kind = "the event has no conversation id, and the row names no path to one", "no_conversation"
        try:
            delivery_id, signed = self._delivery_id(transformed, loaded, headers, number)
        except InvalidRequest:
            if not reason:
                raise
            delivery_id, signed = "", False  # a path to the id of other events need not fit one that is ignored
        if reason or self.conversation_id is None:
            return Ignored(reason, delivery_id, self._conversation_if_any(transformed, headers), kind, signed)
        return SessionRequested(
            paths.conversation_id(self.conversation_id(transformed, headers), self.conversation_id.text),
            CHANNELS[medium],
            label_in(_found(self.requested_by, transformed, headers)[0]),
            paths.session_settings(*_found(self.session_settings, transformed, headers)),
            delivery_id,
            self.envelope.identity(body),
            signed,
        )

    def _too_old(self, loaded: Loaded, received: datetime | None) -> str:
        """Why an event from so long ago starts nothing; "" if it is young enough or does not say when it happened."""
        event_time = chat_events.moment(self.envelope.time(loaded)) if self.envelope.time is not None else None
        if event_time is None or received is None:
            return ""
        age = (received - event_time).total_seconds()
        if age <= self.max_age_seconds:
            return ""
        return f"the event is {age:.0f} s old, and the row's max_age_seconds is {self.max_age_seconds:g}"

    def _media(self, transformed: Loaded, loaded: Loaded, headers: Mapping[str, str]) -> Iterator[str]:
        """The medium the envelope names, which may be any of Genesys's, then the row's, which must be a known one."""
        if self.envelope.medium is not None:
            yield medium_in(self.envelope.medium(loaded))
        if self.channel is not None:
            medium = paths.medium(self.channel(transformed, headers), self.channel.text)
            if medium not in CHANNELS and medium not in INCAPABLE:
                raise InvalidRequest(f"{self.channel.text}: {medium[:SHOWN_LENGTH]!r} is not webchat, voice or message")
            yield medium

    def _delivery_id(
        self, transformed: Loaded, loaded: Loaded, headers: Mapping[str, str], number: int
    ) -> tuple[str, bool]:
        """The delivery id, equal in every redelivery, and whether it is signed; "" if there is none.

        `number`: which event of a batch it is.
        """
        of_event, signed = True, self.signed_body
        if self.delivery_id is not None:
            found, of_event = paths.plain(self.delivery_id(transformed, headers)), not self.delivery_id.reads_headers
            signed = self.signed_body and of_event
        else:
            # Where the body is signed, no header that is not may have a part in it.
            found = paths.plain(self.envelope.delivery_id(loaded, {} if self.signed_body else headers))
            if not found:
                candidates = (paths.plain(headers.get(name.lower(), "")) for name in self.default_headers)
                found, of_event, signed = next(filter(None, candidates), ""), False, False
        if found and number and not of_event:
            found = f"{found}:{number}"  # a header is about the whole batch
        return _short(found), self.signed_header or (signed and bool(found))

    def _conversation_if_any(self, transformed: Loaded, headers: Mapping[str, str]) -> str:
        """The conversation that an ignored event is about, for the record."""
        if self.conversation_id is None:
            return ""
        try:
            return paths.conversation_id(self.conversation_id(transformed, headers), self.conversation_id.text)
        except InvalidRequest:
            return ""


def _short(delivery_id: str) -> str:
    """The id as it is stored: its hash if it is too long or not printable ASCII."""
    if len(delivery_id) <= _DELIVERY_ID_LENGTH and delivery_id.isascii() and delivery_id.isprintable():
        return delivery_id
    return "sha256:" + sha256(delivery_id.encode("utf-8", "surrogatepass")).hexdigest()


def _found(path: Path | None, event: Loaded, headers: Mapping[str, str]) -> tuple[object, str]:
    return (path(event, headers), path.text) if path is not None else (None, "")
