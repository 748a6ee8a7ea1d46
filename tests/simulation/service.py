"""The service: worker processes that run the real initiation, and the deliveries that reach them."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

from cobrowse.admission import Admission
from cobrowse.errors import InternalError, KeyReused
from cobrowse.initiation import Genesys, Initiation
from cobrowse.ledger import InitiationRecord, lock_key_for
from cobrowse.model import Command, Outcome, Secret, SessionView
from integrations.genesys import Flows, UserClient, connect
from tests.simulation.genesys import API, LOGIN, Platform
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.parts import Lock, LoggedIn, SimulatedClock, SimulatedTokenStore
from tests.simulation.scheduler import Actor, Process, Scheduler
from tests.simulation.wire import Wire

Work = Callable[[Initiation], Outcome | None]


@dataclass
class Delivery:
    """One time that a request reached a worker, and what came of it. `refused` is an error that is no Outcome.

    `view` is the answer to who asks what has become of `record`.
    `on_request` and `ended` are when the worker had it; `heard` is whether the caller was still there for the answer.
    """

    command: Command
    work: Work
    caller: Actor
    again: InitiationRecord | None = None
    ignored: bool = False
    dry: bool = False
    record: InitiationRecord | None = None
    view: SessionView | None = None
    process: Process | None = None
    handler: Actor | None = None
    on_request: float = -1.0
    ended: float = -1.0
    frozen: float = 0.0
    outcome: Outcome | None = None
    refused: str = ""
    awaited: bool = False
    heard: bool = False

    @property
    def identity(self) -> str:
        """What must be once: the request behind it, which for one without a key is the delivery itself."""
        command = self.again.command if self.again else self.command
        return lock_key_for(command, "") if command.key else f"delivery:{self.command.correlation_id}"


class Worker(Process):
    """A process of the service: its threads share one Initiation and what it knows of Genesys."""

    def __init__(self, service: "Service", name: str, machine: int) -> None:
        super().__init__(name)
        self.machine = machine
        self._service = service
        world = service.world
        clock = SimulatedClock(world)
        flows, _tokens = connect(
            api_url=API,
            login_url=LOGIN,
            client_id="client",
            client_secret=Secret("secret"),
            sandbox=False,
            mode=service.mode,
            transport=Wire(service.platform, service.api_legs),
            clock=clock,
            jitter=world.random.random,
            lease_owner=name,
            shared=SimpleNamespace(tokens=service.store, budgets=None, grants=LoggedIn()),
            grant="auto",
            user_client=UserClient(LOGIN, "user-client", Secret("user-secret")),
            new_lock=lambda: Lock(world),
        )
        self.initiation = service.initiation(
            service.disguise(flows),
            service.ledger,
            clock,
            service.new_id,
            name,
            admission=Admission(service.admits),
        )

    def crashed(self) -> None:
        self._service.lost(self)


class Service:
    """`disguise` lets a mutant see the flows first; `mode` is COBROWSE_FLOW. `machines` share the workers.

    `admits` is how many initiations a worker lets in at once, 0 for any.
    """

    def __init__(
        self,
        world: Scheduler,
        platform: Platform,
        ledger: SimulatedLedger,
        *,
        mode: str,
        workers: int,
        api_legs: tuple[float, float],
        shared_tokens: bool,
        disguise: Callable[[Flows], Genesys],
        initiation: type[Initiation] = Initiation,
        machines: int = 1,
        admits: int = 0,
    ) -> None:
        self.world = world
        self.platform = platform
        self.ledger = ledger
        self.mode = mode
        self.api_legs = api_legs
        self.disguise = disguise
        self.initiation = initiation
        self.machines = machines
        self.admits = admits
        self.untroubled = not world.mischief.budget
        self.store = SimulatedTokenStore(ledger) if shared_tokens else None
        self.deliveries: list[Delivery] = []
        self.faults: list[str] = []
        self._ids = 0
        self._booted = 0
        self.workers: list[Worker] = []
        for _ in range(workers):
            self._boot()

    def new_id(self) -> str:
        """The next initiation's id."""
        self._ids += 1
        return f"initiation-{self._ids}"

    def deliver(self, delivery: Delivery, patience: float) -> None:
        """Hand it to some worker and wait for the answer, at most so long. Called by a caller's actor."""
        world = self.world
        self.deliveries.append(delivery)
        world.note("deliver", delivery.command.correlation_id)
        if not self.workers:
            world.pause(2.0)
            return
        worker = world.random.choice(self.workers)
        delivery.process = worker
        delivery.handler = world.spawn(
            f"{worker.name}/{delivery.command.correlation_id}", lambda: self._handle(worker, delivery), worker
        )
        delivery.awaited = True
        world.park(patience)
        delivery.awaited = False
        delivery.heard = delivery.ended >= 0
        world.note("heard", self._said(delivery) if delivery.heard else "nothing")

    def power_cut(self) -> None:
        """The first machine stops, and all workers that run on it."""
        for worker in tuple(self.workers):
            if worker.machine == 0:
                self.world.kill(worker)

    def lost(self, worker: Worker) -> None:
        """A worker died: its callers see their connections break, and after a while it is started again."""
        self.workers.remove(worker)
        for delivery in self.deliveries:
            if delivery.process is worker and delivery.ended < 0 and delivery.awaited:
                self.world.wake(delivery.caller)
        self.world.at(self.world.between(0.0, 20.0), self._boot)

    def _boot(self) -> None:
        self._booted += 1
        self.workers.append(Worker(self, f"worker-{self._booted}", self._booted % self.machines))

    def _handle(self, worker: Worker, delivery: Delivery) -> None:
        world = self.world
        delivery.on_request, delivery.frozen = world.now, worker.frozen_for
        try:
            delivery.outcome = delivery.work(worker.initiation)
        except KeyReused as error:
            delivery.refused = error.code
        except InternalError as error:
            self.faults.append(f"{delivery.command.correlation_id}: {error.__cause__!r}")
        except Exception as error:  # noqa: BLE001 - whatever escapes is a finding, and the run goes on
            self.faults.append(f"{delivery.command.correlation_id}: escaped: {error!r}")
        delivery.ended, delivery.frozen = world.now, worker.frozen_for - delivery.frozen
        world.note("answered", self._said(delivery))
        if delivery.awaited:
            world.wake(delivery.caller)

    def _said(self, delivery: Delivery) -> str:
        outcome = delivery.outcome
        if outcome is None:
            return delivery.refused or "fault"
        code = f" {outcome.failure.code}: {outcome.failure.message}" if outcome.failure else ""
        replayed = " replayed" if outcome.replayed else ""
        return f"{outcome.initiation_id} {outcome.status.value} {outcome.session.cobrowse_session_id}{code}{replayed}"


__all__ = ["Delivery", "Service", "Worker"]
