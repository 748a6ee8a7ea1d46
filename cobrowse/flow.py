"""A flow is a row of steps; `run` takes an attempt through them: order, timing, recovery, once for any flow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from cobrowse.clock import Clock, Deadline
from cobrowse.errors import CobrowseError, GenesysError, GenesysTimeout
from cobrowse.ledger import Progress
from cobrowse.model import Command, Outcome, Session, Span

Facts = Mapping[str, object]
"""Fields of a Session by name."""
Found = TypeVar("Found")

# How often an effect whose answer was lost is tried in all. Genesys's answer to a third try is news to nobody.
TRIES = 3
# Seconds before each look for an effect: a conversation shows a new medium a moment after it was added.
PATIENCE = (0.0, 0.2, 0.5)


class FlowUnavailable(Exception):
    """This org does not have the flow's endpoint: take the other flow."""


class Observer(Protocol):
    """Whoever wants to know how it goes: the log, metrics, the command line."""

    def spanned(self, attempt: "Attempt", span: Span) -> None:
        """A step, a call or a wait has ended."""

    def finished(self, command: Command, outcome: Outcome) -> None:
        """An initiation has its answer."""


class Attempt:
    """One run at an initiation: whose, until when, what it has yielded so far, and what took how long."""

    def __init__(
        self, command: Command, initiation_id: str, holder: str, clock: Clock, observers: tuple[Observer, ...] = ()
    ) -> None:
        self.command = command
        self.initiation_id = initiation_id
        self.holder = holder
        self.clock = clock
        self.deadline = Deadline.after(command.deadline_seconds, clock)
        self.progress = Progress()
        self.number = 1
        self.spans: list[Span] = []
        self.upstream_calls = 0
        self._observers = observers
        self._started = clock.monotonic()

    @property
    def session(self) -> Session:
        """What the steps have yielded so far."""
        return self.progress.session

    def seconds(self) -> float:
        """How long it has been at work."""
        return self.clock.monotonic() - self._started

    def learn(self, facts: Facts) -> None:
        """Take over what a step, a probe or a look has found out."""
        self.progress = replace(self.progress, session=replace(self.session, **facts))  # type: ignore[arg-type]

    def called(self, name: str, start: float, result: str) -> None:
        """Note an upstream call that began at `start` (the clock's monotonic seconds) and just ended."""
        self.upstream_calls += 1
        self._note(Span("call", name, start - self._started, self.clock.monotonic() - start, result))

    def wait(self, seconds: float, why: str) -> None:
        """Wait before another try, and note it."""
        start = self.clock.monotonic()
        self.clock.sleep(seconds)
        self._note(Span("wait", why, start - self._started, self.clock.monotonic() - start))

    def looks(self, delays: tuple[float, ...], why: str) -> Iterator[None]:
        """Yield once after each delay (seconds), as long as the deadline allows; the first look is always had."""
        for number, delay in enumerate(delays):
            if number and not self.deadline.holds(delay):
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
            self._note(Span("step", name, start - self._started, self.clock.monotonic() - start, result))

    def finished(self, outcome: Outcome) -> None:
        """Tell the observers what came of it."""
        for observer in self._observers:
            observer.finished(self.command, outcome)

    def _note(self, span: Span) -> None:
        self.spans.append(span)
        for observer in self._observers:
            observer.spanned(self, span)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a flow. `run` does it; `probe` asks whether it already happened (None: it did not).

    `effect`: what it does outlives the attempt, so the ledger knows before the call. `invites`: the customer sees it.
    A failed call that is `ambiguous` is settled by the probe; without a probe it may simply be run again.
    """

    name: str
    run: Callable[[Attempt], Facts]
    probe: Callable[[Attempt], Facts | None] | None = None
    effect: bool = False
    invites: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to start a session. Compensation needs no step of its own: an unattached session reaches nobody."""

    name: str
    steps: tuple[Step, ...]

    def first_effect(self, conversation_id: str) -> Progress:
        """What must be on record before anything of this flow goes out to this conversation."""
        step = next(step for step in self.steps if step.effect)
        return Progress(self.name, begun=step.name, invited=step.invites, session=Session(conversation_id))


Begin = Callable[[Progress], None]


def run(flow: Flow, attempt: Attempt, recorded: Progress, begin: Begin) -> None:
    """Take the attempt through the flow. `recorded` is what the ledger holds; `begin` commits more before a call."""
    for step in flow.steps:
        if step.name in attempt.progress.done:
            continue
        with attempt.step(step.name):
            if step.effect:
                recorded = _perform(step, attempt, recorded, begin)
            else:
                attempt.learn(step.run(attempt))


def _perform(step: Step, attempt: Attempt, recorded: Progress, begin: Begin) -> Progress:
    """An effect, once: look if an earlier attempt may have done it, commit the intent, do it, settle a lost answer."""
    before = attempt.progress
    found = _look(step, attempt) if before.begun == step.name else None
    if found is None:
        intended = replace(before, begun=step.name, invited=before.invited or step.invites)
        if _on_record(recorded) != _on_record(intended):
            begin(intended)
            recorded = intended
        # Not before: a call that could not be put on record is one that never went out.
        attempt.progress = intended
        found = _do(step, attempt, before)
    attempt.learn(found)
    attempt.progress = replace(attempt.progress, done=(*attempt.progress.done, step.name), begun="")
    return recorded


def _on_record(progress: Progress) -> tuple[object, ...]:
    """What whoever takes over must know of a call: which, and to which conversation."""
    return progress.flow, progress.done, progress.begun, progress.session.conversation_id


def _do(step: Step, attempt: Attempt, before: Progress) -> Facts:
    """The step's own facts. `before` is the progress without this call, which a refusal for certain goes back to."""
    refused_so_far = before.begun != step.name
    for number in range(1, TRIES + 1):
        try:
            return step.run(attempt)
        except CobrowseError as error:
            lost = error if isinstance(error, GenesysError) and error.ambiguous and step.probe is not None else None
            if lost is None:
                if refused_so_far or step.probe is None:
                    _take_back(attempt, before)
                raise
            found = _settle_lost(step, attempt, lost)
            if found is not None:
                return found
            refused_so_far = refused_so_far and lost.refused
            wait = lost.retry_after or 0.0
            if number == TRIES or not attempt.deadline.holds(wait):
                if refused_so_far:
                    _take_back(attempt, before)
                raise
            if wait:
                attempt.wait(wait, f"before another try of {step.name}")
    raise AssertionError  # pragma: no cover - the last try returns or raises


def _take_back(attempt: Attempt, before: Progress) -> None:
    """No call of this step had an effect for certain: the next attempt need not look for one."""
    attempt.progress = replace(attempt.progress, begun="", invited=before.invited)


def _settle_lost(step: Step, attempt: Attempt, lost: GenesysError) -> Facts | None:
    """What a lost answer would have said; None if the call had no effect. If even that is unknown: the lost error."""
    try:
        return _look(step, attempt)
    except GenesysError:
        raise lost from None


def _look(step: Step, attempt: Attempt) -> Facts | None:
    probe = step.probe
    return looked(attempt, lambda: probe(attempt), step.name) if probe is not None else None


def looked(attempt: Attempt, look: Callable[[], Found | None], name: str) -> Found | None:
    """What a patient look finds; None only if the patience sufficed to say that it isn't there.

    Raises GenesysTimeout if the deadline cut it short: what does not show yet may have happened.
    """
    looks = 0
    for _ in attempt.looks(PATIENCE, f"before another look for {name}"):
        found = look()
        if found is not None:
            return found
        looks += 1
    if looks < len(PATIENCE):
        raise GenesysTimeout(f"{name}: no time was left to see whether it has happened")
    return None
