"""A flow is a row of steps; `run` takes an attempt through them: order, timing, recovery, once for any flow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from cobrowse.clock import Clock, Deadline
from cobrowse.errors import CobrowseError, GenesysError, GenesysTimeout
from cobrowse.ledger import Checkpoint
from cobrowse.model import Command, Outcome, Session, Span

SessionUpdate = Mapping[str, object]
"""Fields of a Session by name."""
Found = TypeVar("Found")

# How often an effect whose answer was lost is tried in all. Genesys's answer to a third try is news to nobody.
MAX_ATTEMPTS = 3
# Seconds before each look for an effect: a conversation shows a new medium a moment after it was added.
PROBE_DELAYS = (0.0, 0.2, 0.5)


class FlowUnavailable(Exception):
    """This org does not have the flow's endpoint: take the other flow."""


class Observer(Protocol):
    """Whoever wants to know how it goes: the log, metrics, the command line."""

    def on_span_end(self, attempt: "Attempt", span: Span) -> None:
        """A step, a call or a wait has ended."""

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """An initiation has its answer."""


class Attempt:
    """One run at an initiation: whose, until when, what it has yielded so far, and what took how long."""

    def __init__(
        self, command: Command, initiation_id: str, lease_owner: str, clock: Clock, observers: tuple[Observer, ...] = ()
    ) -> None:
        self.command = command
        self.initiation_id = initiation_id
        self.lease_owner = lease_owner
        self.clock = clock
        self.deadline = Deadline.after(command.deadline_seconds, clock)
        self.checkpoint = Checkpoint()
        self.number = 1
        self.spans: list[Span] = []
        self.upstream_calls = 0
        self._observers = observers
        self._started = clock.monotonic()

    @property
    def session(self) -> Session:
        """What the steps have yielded so far."""
        return self.checkpoint.session

    def seconds(self) -> float:
        """How long it has been at work."""
        return self.clock.monotonic() - self._started

    def update_session(self, facts: SessionUpdate) -> None:
        """Take over what a step, a probe or a look has found out."""
        self.checkpoint = replace(self.checkpoint, session=replace(self.session, **facts))  # type: ignore[arg-type]

    def record_call(self, name: str, start: float, result: str) -> None:
        """Note an upstream call that began at `start` (the clock's monotonic seconds) and just ended."""
        self.upstream_calls += 1
        self._record_span(Span("call", name, start - self._started, self.clock.monotonic() - start, result))

    def wait(self, seconds: float, why: str) -> None:
        """Wait before another try, and note it."""
        start = self.clock.monotonic()
        self.clock.sleep(seconds)
        self._record_span(Span("wait", why, start - self._started, self.clock.monotonic() - start))

    def poll(self, delays: tuple[float, ...], why: str) -> Iterator[None]:
        """Yield once after each delay (seconds), as long as the deadline allows; the first look is always had."""
        for number, delay in enumerate(delays):
            if number and not self.deadline.allows(delay):
                return
            if delay:
                self.wait(delay, why)
            yield

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; one that fails is noted with the error's code."""
        start = self.clock.monotonic()
        result = "failed"
        try:
            yield
            result = "done"
        except CobrowseError as error:
            result = error.code
            raise
        finally:
            self._record_span(Span("step", name, start - self._started, self.clock.monotonic() - start, result))

    def on_outcome(self, outcome: Outcome) -> None:
        """Tell the observers what came of it."""
        for observer in self._observers:
            observer.on_outcome(self.command, outcome)

    def _record_span(self, span: Span) -> None:
        self.spans.append(span)
        for observer in self._observers:
            observer.on_span_end(self, span)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a flow. `run` does it; `probe` asks whether it already happened (None: it did not).

    `has_side_effect`: what it does outlives the attempt, so the ledger knows before the call. `notifies_customer`:
    the customer sees it.
    A failed call that is `ambiguous` is settled by the probe; without a probe it may simply be run again.
    """

    name: str
    run: Callable[[Attempt], SessionUpdate]
    probe: Callable[[Attempt], SessionUpdate | None] | None = None
    has_side_effect: bool = False
    notifies_customer: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to start a session. Compensation needs no step of its own: an unattached session reaches nobody."""

    name: str
    steps: tuple[Step, ...]

    def initial_checkpoint(self, conversation_id: str) -> Checkpoint:
        """What must be on record before anything of this flow goes out to this conversation."""
        step = next(step for step in self.steps if step.has_side_effect)
        return Checkpoint(
            self.name,
            pending_step=step.name,
            may_have_notified=step.notifies_customer,
            session=Session(conversation_id),
        )


SaveCheckpoint = Callable[[Checkpoint], None]


def run(flow: Flow, attempt: Attempt, recorded: Checkpoint, save_checkpoint: SaveCheckpoint) -> None:
    """Take the attempt through the flow. `recorded` is what the ledger holds, `save_checkpoint` commits more."""
    for step in flow.steps:
        if step.name in attempt.checkpoint.completed_steps:
            continue
        with attempt.step(step.name):
            if step.has_side_effect:
                recorded = _execute_once(step, attempt, recorded, save_checkpoint)
            else:
                attempt.update_session(step.run(attempt))


def _execute_once(step: Step, attempt: Attempt, recorded: Checkpoint, save_checkpoint: SaveCheckpoint) -> Checkpoint:
    """An effect, once: look if an earlier attempt may have done it, commit the intent, do it, settle a lost answer."""
    before = attempt.checkpoint
    found = _probe(step, attempt) if before.pending_step == step.name else None
    if found is None:
        intended = replace(
            before, pending_step=step.name, may_have_notified=before.may_have_notified or step.notifies_customer
        )
        if _checkpoint_key(recorded) != _checkpoint_key(intended):
            save_checkpoint(intended)
            recorded = intended
        # Not before: a call that could not be put on record is one that never went out.
        attempt.checkpoint = intended
        found = _execute_with_retries(step, attempt, before)
    attempt.update_session(found)
    attempt.checkpoint = replace(
        attempt.checkpoint, completed_steps=(*attempt.checkpoint.completed_steps, step.name), pending_step=""
    )
    return recorded


def _checkpoint_key(checkpoint: Checkpoint) -> tuple[object, ...]:
    """What whoever takes over must know of a call: which, and to which conversation."""
    return checkpoint.flow, checkpoint.completed_steps, checkpoint.pending_step, checkpoint.session.conversation_id


def _execute_with_retries(step: Step, attempt: Attempt, before: Checkpoint) -> SessionUpdate:
    """The step's own facts. `before` is the progress without this call, which a refusal for certain goes back to."""
    refused_so_far = before.pending_step != step.name
    for number in range(1, MAX_ATTEMPTS + 1):
        try:
            return step.run(attempt)
        except CobrowseError as error:
            lost = error if isinstance(error, GenesysError) and error.ambiguous and step.probe is not None else None
            if lost is None:
                if refused_so_far or step.probe is None:
                    _discard_pending_step(attempt, before)
                raise
            found = _resolve_ambiguous(step, attempt, lost)
            if found is not None:
                return found
            refused_so_far = refused_so_far and lost.refused
            wait = lost.retry_after or 0.0
            if number == MAX_ATTEMPTS or not attempt.deadline.allows(wait):
                if refused_so_far:
                    _discard_pending_step(attempt, before)
                raise
            if wait:
                attempt.wait(wait, f"before another try of {step.name}")
    raise AssertionError  # pragma: no cover - the last try returns or raises


def _discard_pending_step(attempt: Attempt, before: Checkpoint) -> None:
    """No call of this step had an effect for certain: the next attempt need not look for one."""
    attempt.checkpoint = replace(attempt.checkpoint, pending_step="", may_have_notified=before.may_have_notified)


def _resolve_ambiguous(step: Step, attempt: Attempt, lost: GenesysError) -> SessionUpdate | None:
    """What a lost answer would have said; None if the call had no effect. If even that is unknown: the lost error."""
    try:
        return _probe(step, attempt)
    except GenesysError:
        raise lost from None


def _probe(step: Step, attempt: Attempt) -> SessionUpdate | None:
    probe = step.probe
    return poll_until_found(attempt, lambda: probe(attempt), step.name) if probe is not None else None


def poll_until_found(attempt: Attempt, look: Callable[[], Found | None], name: str) -> Found | None:
    """What a patient look finds; None only if the patience sufficed to say that it isn't there.

    Raises GenesysTimeout if the deadline cut it short: what does not show yet may have happened.
    """
    looks = 0
    for _ in attempt.poll(PROBE_DELAYS, f"before another look for {name}"):
        found = look()
        if found is not None:
            return found
        looks += 1
    if looks < len(PROBE_DELAYS):
        raise GenesysTimeout(f"{name}: no time was left to see whether it has happened")
    return None
