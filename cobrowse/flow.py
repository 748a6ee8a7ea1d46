"""A flow is a row of steps. `run` executes them: order, timing and recovery are the same for every flow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from cobrowse.clock import Clock, Deadline
from cobrowse.errors import CobrowseError, GenesysError, GenesysTimeout
from cobrowse.ledger import Checkpoint, Lease
from cobrowse.model import Command, Outcome, Session, Span, SpanKind

SessionUpdate = Mapping[str, Any]
"""Fields of a Session by name."""
Found = TypeVar("Found")

# Maximum attempts for a call whose response was lost.
MAX_ATTEMPTS = 3
# Seconds before each poll for an effect: a conversation shows a new medium shortly after it was added.
PROBE_DELAYS = (0.0, 0.2, 0.5)


class FlowUnavailable(Exception):
    """This org does not have the flow: take the next one."""


class Observer(Protocol):
    """Receives the progress of initiations: the log, metrics, the command line."""

    def on_span_end(self, attempt: "Attempt", span: Span, /) -> None:
        """A step, a call or a wait has ended."""

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """An initiation has its outcome."""


class Attempt:
    """One execution of an initiation: its lease owner, deadline, session data so far, and spans."""

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
        """The session data collected so far."""
        return self.checkpoint.session

    @property
    def lease(self) -> Lease:
        """The lease that it runs under."""
        return Lease(self.initiation_id, self.lease_owner)

    def seconds(self) -> float:
        """Seconds since the attempt began."""
        return self.clock.monotonic() - self._started

    def update_session(self, facts: SessionUpdate, **progress: object) -> None:
        """Merge the fields that a step or a probe returned into the session, and `progress` into the checkpoint."""
        changes: Mapping[str, Any] = {**progress, "session": self.session._replace(**facts)}
        self.checkpoint = self.checkpoint._replace(**changes)

    def record_call(self, name: str, start: float, result: str) -> None:
        """Note an upstream call that began at `start` (the clock's monotonic seconds) and just ended."""
        self.upstream_calls += 1
        self.record("call", name, start, result)

    def wait(self, seconds: float, why: str) -> None:
        """Wait before a retry, and record the wait as a span."""
        start = self.clock.monotonic()
        self.clock.sleep(seconds)
        self.record("wait", why, start)

    def poll(self, delays: tuple[float, ...], why: str) -> Iterator[None]:
        """Yield once after each delay (seconds) while the deadline allows. The first poll always takes place."""
        for number, delay in enumerate(delays):
            if number and not self.deadline.allows(delay):
                return
            if delay:
                self.wait(delay, why)
            yield

    @contextmanager
    def within(self, share: float) -> Iterator[None]:
        """Limit what is done inside to this share of the time that is left."""
        whole = self.deadline
        self.deadline = Deadline.after(whole.remaining() * share, self.clock)
        try:
            yield
        finally:
            self.deadline = whole

    def commit(self, what: str) -> AbstractContextManager[None]:
        """Time a commit in the ledger. It explains where time goes; observers don't receive it."""
        return _Timed(self, "commit", what)

    def step(self, name: str) -> AbstractContextManager[None]:
        """Time a step; a failure is recorded with the error's code."""
        return _Timed(self, "step", name)

    def record(self, kind: SpanKind, name: str, start: float, result: str = "") -> None:
        """Note a span that began at `start` (the clock's monotonic seconds) and just ended."""
        span = Span(kind, name, start - self._started, self.clock.monotonic() - start, result)
        self.spans.append(span)
        if kind != "commit":
            for observer in self._observers:
                observer.on_span_end(self, span)

    def on_outcome(self, outcome: Outcome) -> None:
        """Report the outcome to the observers."""
        for observer in self._observers:
            observer.on_outcome(self.command, outcome)


class _Timed:
    """A block of an attempt that is timed."""

    __slots__ = ("_attempt", "_kind", "_name", "_start")

    def __init__(self, attempt: Attempt, kind: Literal["step", "commit"], name: str) -> None:
        self._attempt, self._kind, self._name = attempt, kind, name

    def __enter__(self) -> None:
        self._start = self._attempt.clock.monotonic()

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        result = ""
        if self._kind == "step":
            result = "done" if error is None else error.code if isinstance(error, CobrowseError) else "failed"
        self._attempt.record(self._kind, self._name, self._start, result)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a flow. `run` executes it; `probe` checks whether it already happened (None: it did not).

    `has_side_effect`: the effect outlives the attempt, so the ledger records it before the call. `notifies_customer`:
    the customer sees it.
    One that does not `apply`, by what the steps before it have found, is left out.
    A failed call that is `ambiguous` is settled by the probe; without a probe it may simply be run again.
    """

    name: str
    run: Callable[[Attempt], SessionUpdate]
    probe: Callable[[Attempt], SessionUpdate | None] | None = None
    has_side_effect: bool = False
    notifies_customer: bool = False
    applies: Callable[[Attempt], bool] = lambda _attempt: True


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to start a session. Compensation needs no step of its own: an unattached session reaches no customer."""

    name: str
    steps: tuple[Step, ...]

    def initial_checkpoint(self, conversation_id: str) -> Checkpoint:
        """The checkpoint to commit before the first call of this flow for this conversation."""
        step = next(step for step in self.steps if step.has_side_effect)
        return Checkpoint(
            self.name,
            pending_step=step.name,
            may_have_notified=step.notifies_customer,
            session=Session(conversation_id),
        )


SaveCheckpoint = Callable[[Checkpoint], None]


def run(
    flow: Flow,
    attempt: Attempt,
    recorded: Checkpoint,
    save_checkpoint: SaveCheckpoint,
    check: Callable[[], Outcome | None] = lambda: None,
) -> Outcome | None:
    """Run the flow's remaining steps. `recorded` is the ledger's checkpoint, `save_checkpoint` commits a new one.

    `check` is called before a side effect that no customer sees, and an outcome of it ends the run and is returned.
    """
    for step in flow.steps:
        if step.name in attempt.checkpoint.completed_steps or not step.applies(attempt):
            continue
        if step.has_side_effect and not step.notifies_customer and (found := check()) is not None:
            return found
        with attempt.step(step.name):
            if step.has_side_effect:
                recorded = _execute_once(step, attempt, recorded, save_checkpoint)
            else:
                attempt.update_session(step.run(attempt))
    return None


def _execute_once(step: Step, attempt: Attempt, recorded: Checkpoint, save_checkpoint: SaveCheckpoint) -> Checkpoint:
    """Execute a side effect once: probe for an earlier one, commit the intent, call, resolve a lost response."""
    before = attempt.checkpoint
    found = _probe(step, attempt) if before.pending_step == step.name else None
    if found is None:
        intended = before._replace(
            pending_step=step.name, may_have_notified=before.may_have_notified or step.notifies_customer
        )
        if _checkpoint_key(recorded) != _checkpoint_key(intended):
            save_checkpoint(intended)
            recorded = intended
        # Only after the commit: a call that could not be recorded never went out.
        attempt.checkpoint = intended
        found = _execute_with_retries(step, attempt, before)
    done = (*attempt.checkpoint.completed_steps, step.name)
    attempt.update_session(found, completed_steps=done, pending_step="")
    return recorded


def _checkpoint_key(checkpoint: Checkpoint) -> tuple[object, ...]:
    """The fields a successor needs to know whether a call may have gone out."""
    return checkpoint.flow, checkpoint.completed_steps, checkpoint.pending_step, checkpoint.session.conversation_id


def _execute_with_retries(step: Step, attempt: Attempt, before: Checkpoint) -> SessionUpdate:
    """The step's result. `before` is the checkpoint without this call, restored after a definite rejection."""
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
    """Restore the checkpoint: no call of this step had an effect, so the next attempt need not probe for one."""
    attempt.checkpoint = attempt.checkpoint._replace(pending_step="", may_have_notified=before.may_have_notified)


def _resolve_ambiguous(step: Step, attempt: Attempt, lost: GenesysError) -> SessionUpdate | None:
    """The result of a call whose response was lost; None if it had no effect. Raises `lost` if that is unknown."""
    try:
        return _probe(step, attempt)
    except GenesysError:
        raise lost from None


def _probe(step: Step, attempt: Attempt) -> SessionUpdate | None:
    probe = step.probe
    return poll_until_found(attempt, lambda: probe(attempt), step.name) if probe is not None else None


def poll_until_found(attempt: Attempt, probe: Callable[[], Found | None], name: str) -> Found | None:
    """Poll with PROBE_DELAYS. None only if every delay elapsed.

    Raises GenesysTimeout if the deadline came first: the effect may only not be visible yet.
    """
    polls = 0
    for _ in attempt.poll(PROBE_DELAYS, f"before another check for {name}"):
        found = probe()
        if found is not None:
            return found
        polls += 1
    if polls < len(PROBE_DELAYS):
        raise GenesysTimeout(f"{name}: no time was left to see whether it has happened")
    return None
