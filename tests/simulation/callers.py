"""Who asks for sessions, and how they behave when no answer comes: each kind of caller is one function, an actor."""

from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

from cobrowse.errors import CobrowseError
from cobrowse.ledger import State
from cobrowse.lookup import Lookup
from cobrowse.model import Command
from tests.simulation.service import Delivery, Service

# Deliveries after which a sender that gets no final answer is a finding: mischief's budget is long used up by then. A
# worker may stand still for 250 seconds in all, and an impatient sender comes every four.
MOST_TRIES = 120


@dataclass
class Request:
    """What a caller wants. `patience`: seconds it waits for an answer; `repeats`: deliveries after the final answer."""

    label: str
    command: Command
    patience: float
    tries: int = MOST_TRIES
    repeats: int = 1
    pauses: tuple[float, ...] = (0.0, 0.5, 3.0)
    ignored: bool = False
    dry: bool = False
    given_up: bool = False


class Callers:
    """Makes deliveries of requests, each with a correlation id of its own."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.requests: list[Request] = []
        self._sent = 0

    def keyed(self, request: Request) -> None:
        """A sender that delivers until it is told something final, and then some more."""
        self.requests.append(request)
        for _ in range(request.repeats + 1):
            self._until_final(request)
            self.world.pause(self.world.random.choice(request.pauses))

    def keyless(self, request: Request) -> None:
        """A flow whose step may time out: it calls again now and then, each time a request of its own."""
        self.requests.append(request)
        for _ in range(request.tries):
            delivery = self._deliver(request)
            if _final(delivery) and self.world.random.random() < 0.7:
                break
            self.world.pause(self.world.random.choice(request.pauses))

    def ignored_then_wanted(self, request: Request) -> None:
        """Deliveries of an event that is ignored, and wanted once its filter is mended."""
        for _ in range(request.repeats):
            self._deliver(request)
            self.world.pause(self.world.random.choice(request.pauses))
        self.keyed(replace(request, ignored=False))
        self._deliver(request)

    def operator(self, patience: float) -> None:
        """A person who runs failed initiations again from the console."""
        world = self.world
        world.pause(world.between(0.0, 30.0))
        for _ in range(world.random.choice((1, 2, 3))):
            self._by_hand(patience)

    def _by_hand(self, patience: float) -> None:
        """One look at the console, and another try of what failed, perhaps just as its sender or a colleague tries."""
        world = self.world
        failed = [row for row in self.service.ledger.rows if row.state in (State.FAILED_FINAL, State.FAILED_RETRYABLE)]
        for row in world.random.sample(failed, min(2, len(failed))):
            entry = self.service.ledger.entry(row)
            world.pause(world.random.choice((0.0, world.between(0.0, 5.0))))
            self._sent += 1
            correlation = f"operator-{self._sent}"

            def again(initiation, entry=entry, correlation=correlation):
                return initiation.retry(entry, patience, correlation)

            command = replace(entry.command, deadline_seconds=patience, correlation_id=correlation)
            self.service.deliver(Delivery(command, again, world.alive(), again=entry), patience)

    def ask_for_status(self, dice: Random) -> None:
        """Somebody asks what has become of a start, and how far its session is."""
        starts = [row for row in self.service.ledger.rows if row.command.action == "start"]
        if not starts:
            return
        row = dice.choice(starts)
        self._sent += 1
        command = replace(row.command, key="", deadline_seconds=5.0, correlation_id=f"status-{self._sent}")

        def work(initiation):
            lookup = Lookup(initiation.ledger, initiation.genesys, initiation.clock)
            with suppress(CobrowseError):  # it is no answer, and has no promise to keep
                delivery.record = lookup.find(command, row.id)
                delivery.view, _ = lookup.check(command, delivery.record)

        delivery = Delivery(command, work, self.world.alive())
        self.service.deliver(delivery, command.deadline_seconds)

    def _until_final(self, request: Request) -> None:
        for _ in range(request.tries):
            delivery = self._deliver(request)
            if _final(delivery):
                return
            self._pause(request, delivery)
        request.given_up = True

    def _deliver(self, request: Request) -> Delivery:
        self._sent += 1
        command = replace(request.command, correlation_id=f"{request.label}-{self._sent}")

        def work(initiation):
            if request.dry:
                return initiation.preview(command)
            return initiation.ignore(command, "not of interest") if request.ignored else initiation(command)

        delivery = Delivery(command, work, self.world.alive(), ignored=request.ignored, dry=request.dry)
        self.service.deliver(delivery, request.patience)
        return delivery

    def _pause(self, request: Request, delivery: Delivery) -> None:
        """Some senders do as Retry-After says, some have a beat of their own."""
        random = self.world.random
        failure = delivery.outcome.failure if delivery.heard and delivery.outcome else None
        told = failure.retry_after if failure and failure.retry_after is not None else 2.0
        self.world.pause(told if random.random() < 0.5 else random.choice(request.pauses))


def _final(delivery: Delivery) -> bool:
    """Whether the caller has heard something that no repeat changes."""
    if not delivery.heard:
        return False
    if delivery.refused:
        return True
    outcome = delivery.outcome
    return outcome is not None and (outcome.failure is None or not outcome.failure.retryable)
