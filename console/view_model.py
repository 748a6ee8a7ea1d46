"""What the console shows of an initiation: a row of the list, and everything about one. Secrets are dots from here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from cobrowse.ending import can_end
from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Outcome, Secret, Session, Status
from console.curl import curl_command
from console.facts import Fact, list_facts
from console.figures import format_duration
from console.timeline import Timeline, build_timeline
from web.data_actions import SENDER
from web.error_responses import hint_of
from web.responses import to_answer, wait_seconds

DOTS = "•••"
_SECRET = tuple(name for name, kind in Session.__annotations__.items() if kind is Secret)


@dataclass(frozen=True, slots=True)
class Badge:
    """A state's label, with its icon and colour (console.css has a rule for each)."""

    word: str
    tone: str


# In the order of the filter's choices.
STATES = {
    State.SUCCEEDED: Badge("Succeeded", "good"),
    State.FAILED_RETRYABLE: Badge("Failed, can be retried", "retry"),
    State.FAILED_FINAL: Badge("Failed (permanent)", "bad"),
    State.RUNNING: Badge("Running", "running"),
}
_MEANINGS = {
    Status.INITIATED: "The session was started and the conversation shows it.",
    Status.UNVERIFIED: "The session was started and added; the conversation did not show it in time.",
    Status.JOINED: "Another request for this conversation had started a session; this one got the same.",
    Status.ALREADY_ACTIVE: "The conversation had a live session already; nothing was started.",
    Status.ENDED: "The session was ended by this request.",
    Status.ALREADY_ENDED: "No session was live; nothing was ended.",
}
# A success in the caller's own words.
_SUCCESSES = {
    status: Badge(status.value.replace("_", " ").capitalize(), "unsure" if status is Status.UNVERIFIED else "good")
    for status in _MEANINGS
}
# A failed attempt, by whether it was final.
_FAILED = {False: STATES[State.FAILED_RETRYABLE], True: STATES[State.FAILED_FINAL]}
# Running, and the lease has run out: the worker stopped before finishing.
_INTERRUPTED = Badge("Interrupted", "retry")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. `revision` changes whenever anything of it does."""

    id: str
    revision: str
    badge: Badge
    detail: str
    conversation: str
    sender: str
    requested_by: str
    flow: str
    attempts: int
    duration: str
    created: datetime
    day: str


@dataclass(frozen=True, slots=True)
class FailureView:
    """Why it failed and what to do."""

    code: str
    cause: str
    hint: str
    next: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt: what came of it, and its steps."""

    number: int
    badge: Badge
    correlation_id: str
    duration: str
    failure: FailureView | None
    timeline: Timeline | None
    answer: str


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one initiation."""

    row: Row
    meaning: str
    facts: tuple[Fact, ...]
    latest: AttemptView | None
    failure: FailureView | None
    answer: str
    can_retry: bool
    can_end: bool
    has_key: bool
    running: bool
    needs_confirmation: bool
    attempts: tuple[AttemptView, ...]
    genesys_url: str
    curl: str


def row(entry: InitiationRecord, today: datetime) -> Row:
    """The entry as a line of the list."""
    outcome, command = entry.outcome, entry.command
    failure = outcome.failure if outcome is not None and not _is_running(entry) else None
    updated = entry.updated.timestamp() if entry.updated else 0
    created = entry.created or datetime.fromtimestamp(0, UTC)
    return Row(
        id=entry.id,
        revision=f"{updated:.6f}-{entry.state}-{int(entry.has_live_lease)}",
        badge=badge(entry),
        detail=failure.code if failure else "",
        conversation=_conversation(entry),
        sender=command.sender,
        # A sender's credential is the name of a variable; a caller's is the name of its key.
        requested_by=command.requested_by or (command.credential if command.sender == SENDER else command.sender),
        flow=entry.checkpoint.flow,
        attempts=entry.attempts,
        duration=format_duration(outcome.seconds) if outcome is not None and not _is_running(entry) else "",
        created=created,
        day="" if created.date() == today.date() else f"{created:%d %b}",
    )


def detail(entry: InitiationRecord, today: datetime, service_url: str = "", apps_url: str = "") -> Detail:
    """The entry with all there is to know of it, and no secret. The URLs are the service's and Genesys's pages'."""
    outcome = mask_outcome(entry.outcome) if entry.outcome is not None else None
    ended = outcome is not None and not _is_running(entry)
    conversation = entry.conversation_id
    attempt = _attempt(outcome) if outcome is not None else None
    return Detail(
        row=row(entry, today),
        meaning=_meaning(entry),
        facts=list_facts(entry, _conversation(entry)),
        latest=attempt,
        failure=attempt.failure if attempt and ended else None,
        answer=attempt.answer if attempt and ended else "",
        can_retry=can_retry(entry),
        can_end=can_end(entry),
        has_key=bool(entry.command.key),
        running=entry.has_live_lease,
        needs_confirmation=entry.state is State.FAILED_FINAL,
        # The newest first, as the page shows that one.
        attempts=tuple(_attempt(mask_outcome(each)) for each in reversed(entry.earlier)),
        genesys_url=f"{apps_url}/directory/#/analytics/interactions/{conversation}/admin/details"
        if apps_url and conversation
        else "",
        curl=curl_command(entry, service_url) if entry.command.sender == SENDER else "",
    )


def _attempt(outcome: Outcome) -> AttemptView:
    return AttemptView(
        outcome.attempts,
        _FAILED[outcome.failure.is_terminal]
        if outcome.failure
        else _SUCCESSES.get(outcome.status, STATES[State.SUCCEEDED]),
        outcome.correlation_id,
        format_duration(outcome.seconds),
        _failure_view(outcome),
        build_timeline(outcome.spans, outcome.seconds) if outcome.spans else None,
        orjson.dumps(to_answer(outcome), option=orjson.OPT_INDENT_2).decode(),
    )


def can_retry(entry: InitiationRecord) -> bool:
    """Whether it can be retried: it failed, or its worker stopped before finishing."""
    failed = entry.state in (State.FAILED_FINAL, State.FAILED_RETRYABLE)
    return failed or (entry.state is State.RUNNING and not entry.has_live_lease)


def badge(entry: InitiationRecord) -> Badge:
    """The badge of its state."""
    if entry.state is State.RUNNING and not entry.has_live_lease:
        return _INTERRUPTED
    if entry.state is State.SUCCEEDED and entry.outcome is not None:
        return _SUCCESSES.get(entry.outcome.status, STATES[entry.state])
    return STATES[entry.state]


def mask_outcome(outcome: Outcome) -> Outcome:
    """The outcome with dots in each secret's place."""
    dots: dict[str, Any] = {name: Secret(DOTS) for name in _SECRET if getattr(outcome.session, name)}
    return replace(outcome, session=outcome.session._replace(**dots))


def flash(entry: InitiationRecord, attempt: int | None) -> str:
    """The message after a manual retry; empty if the row is at another attempt by now."""
    if attempt is None or attempt != entry.attempts or entry.outcome is None or entry.has_live_lease:
        return ""
    return f"Attempt {attempt} has ended: {badge(entry).word.lower()}, after {format_duration(entry.outcome.seconds)}."


def _is_running(entry: InitiationRecord) -> bool:
    """Whether its outcome, if it has one, is that of an earlier attempt."""
    return entry.state is State.RUNNING


def _conversation(entry: InitiationRecord) -> str:
    return entry.conversation_id or ("the newest webchat" if entry.command.latest else "")


def _meaning(entry: InitiationRecord) -> str:
    if entry.state is State.RUNNING:
        if entry.has_live_lease:
            return f"Running; the lease ends in {format_duration(entry.lease_left)} at most."
        return "The worker stopped before finishing. The next retry of the request takes over, or retry it here."
    if entry.outcome is None or entry.outcome.failure is not None:
        return ""
    return _MEANINGS.get(entry.outcome.status, "")


def _failure_view(outcome: Outcome) -> FailureView | None:
    failure = outcome.failure
    if failure is None:
        return None
    if failure.retryable:
        next_step = f"Retry after {wait_seconds(failure)} s, with the same key."
    elif failure.is_terminal:
        next_step = "A retry with the same key gets this response again."
    else:
        next_step = "A retry with the same key runs again; send it after the cause is fixed."
    return FailureView(failure.code, failure.message, hint_of(failure), next_step)


def choices(senders: Sequence[str], chosen: str) -> list[str]:
    """The senders to filter by; the one that is chosen is there even when it is no longer configured."""
    return sorted({*senders, chosen} - {""})
