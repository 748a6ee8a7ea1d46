"""After a run: its outcomes are told, by senders that die and stand still, to a receiver that fails and is not heard.

Each outcome of the run must have its event in the outbox, and each event must be received, in its initiation's order.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from random import Random

from cobrowse.callbacks import Callback, Delivery, EventType
from cobrowse.model import Secret
from integrations.callbacks import LEASE
from integrations.callbacks.posting import Poster, Receiver
from integrations.callbacks.sender import TURN, CallbackSender
from integrations.lease_keeper import EVERY, LeaseKeeper
from integrations.senders.fetching import Answer, FetchError
from tests.receivers import SECRET
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.mischief import Mischief
from tests.simulation.parts import SimulatedClock
from tests.simulation.scheduler import Call, Process, Scheduler
from web.callback_payload import payload

# Tries of one event that fail at most: two are over within ten minutes.
MOST_FAULTS = 2
# Seconds that a request is on its way.
LEG = 0.05


class Telling:
    """The outbox behind a line that can fail, the senders, and the receiver. `received`: ids and bodies, in order."""

    def __init__(self, world: Scheduler, ledger: SimulatedLedger, sender: type[CallbackSender]) -> None:
        self.world = world
        self.ledger = ledger
        self.table, self.leases = ledger.store.callbacks, ledger.store.leases
        self.dice = Random(f"callbacks {world.seed}")
        self.sender = sender
        self.received: list[tuple[str, bytes]] = []
        self.faults: Counter[str] = Counter()
        self.booted = 0
        # Nothing goes wrong in some runs, and then each is received once.
        self.calm = self.dice.random() < 0.2
        if not self.calm:
            world.mischief = Mischief(self.dice)
        for _ in range(self.dice.choice((1, 2, 3))):
            self.boot()

    def boot(self) -> None:
        """Start a process that sends."""
        self.booted += 1
        process = _Sending(self, f"teller-{self.booted}")
        clock = SimulatedClock(self.world)
        lease = LeaseKeeper(self, LEASE, process.name, clock)
        poster = Poster(
            Receiver("https://receiver", (Secret(SECRET),)), payload, clock, self.dice.random, send=self.send
        )
        sender = self.sender(self, lease, poster, self, clock, lambda works: [work() for work in works])
        self.world.spawn(f"{process.name}/lease", lambda: self.loop(EVERY, lease.renew), process)
        self.world.spawn(f"{process.name}/sender", lambda: self.loop(TURN, sender.turn), process)

    def loop(self, seconds: float, work: Callable[[], object]) -> None:
        """Do it again and again, until nothing is left to be told."""
        while self.table.backlog()[0]:
            work()
            self.world.pause(seconds)

    def send(self, _url: str, seconds: float, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The receiver, which verifies nothing: it is given a body and its id, and may fail before or after that."""
        webhook_id, world = headers["webhook-id"], self.world
        fate = self.dice.choice(("", "", "500", "unheard", "away"))
        if self.calm or self.faults[webhook_id] >= MOST_FAULTS:
            fate = ""
        self.faults[webhook_id] += bool(fate)
        world.note("tell", webhook_id, fate)
        world.tempt(2 * LEG)
        if fate == "away":
            world.pause(LEG)
            raise FetchError("receiver can't be reached")
        kept = () if fate == "500" else ((webhook_id, body),)
        world.send(Call(lambda: self.received.extend(kept)), LEG, None if fate == "unheard" else LEG)
        world.park(seconds if fate == "unheard" else None)
        if fate == "unheard":
            raise FetchError("receiver did not answer")
        return Answer(500 if fate else 204, "", b"")

    # The outbox and the lease, each behind the ledger's line; and the watcher.

    def due(self, limit: int) -> list[Callback]:
        return self.ledger.reached("due", "", lambda: self.table.due(limit))

    def mark(self, callback: Callback, state: Delivery, wait: float, answer: str) -> None:
        self.ledger.reached("mark", callback.id, lambda: self.table.mark(callback, state, wait, answer))

    def backlog(self) -> tuple[int, float]:
        return self.table.backlog()

    def hold(self, name: str, owner: str, lease_seconds: float, *, seconds: float | None = None) -> bool:
        return self.ledger.reached("hold", owner, lambda: self.leases.hold(name, owner, lease_seconds))

    def release(self, name: str, owner: str) -> None:
        self.leases.release(name, owner)

    def on_try(self, result: str) -> None:
        self.world.note("tried", result)

    def on_backlog(self, pending: int, oldest_seconds: float) -> None:
        self.world.note("pending", pending, round(oldest_seconds))


class _Sending(Process):
    """A process that sends; another is started a while after it died."""

    def __init__(self, telling: Telling, name: str) -> None:
        super().__init__(name)
        self._telling = telling

    def crashed(self) -> None:
        self._telling.world.at(self._telling.dice.random() * 20, self._telling.boot)


def told(world: Scheduler, ledger: SimulatedLedger, sender: type[CallbackSender]) -> list[str]:
    """Each broken promise about the callbacks of a run that has come to rest, a line each."""
    found = _outbox(ledger)
    world.events = 0
    telling = Telling(world, ledger, sender)
    if not world.run():
        return [*found, "the callbacks did not come to rest"]
    return found + _received(telling)


def _outbox(ledger: SimulatedLedger) -> list[str]:
    """Each outcome on record has one event, and nothing else has."""
    expected = Counter(
        f"{settled.row.id}:{EventType.of(settled.state).rpartition('.')[2]}:{settled.attempt}"
        for settled in ledger.settled
    )
    kept = Counter(event.id for event in ledger.events() if event.type is not EventType.ENDED)
    ended = {row.id for row in ledger.rows if row.ended}
    marked = Counter(event.initiation_id for event in ledger.events() if event.type is EventType.ENDED)
    return [
        *(f"{one} is an outcome without its event" for one in expected - kept),
        *(f"{one} is an event without its outcome" for one in kept - expected),
        *(f"{one}: {marked[one]} events of its end" for one in ended | marked.keys() if marked[one] != (one in ended)),
    ]


def _received(telling: Telling) -> list[str]:
    """Each event was received, always the same, after what came before it in its initiation; in a calm run once."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for webhook_id, body in telling.received:
        bodies[webhook_id].add(body)
    found = [f"{one} was received as {len(each)} different events" for one, each in bodies.items() if len(each) > 1]
    first = list(bodies)
    order: dict[str, list[int]] = defaultdict(list)
    for event in telling.ledger.events():
        if event.id not in bodies:
            found.append(f"{event.id} was never received")
        else:
            order[event.initiation_id].append(first.index(event.id))
    found += [
        f"{one}: its events were received out of order" for one, places in order.items() if places != sorted(places)
    ]
    if telling.calm and len(telling.received) != len(bodies):
        found.append("an event was received twice though nothing went wrong")
    return found
