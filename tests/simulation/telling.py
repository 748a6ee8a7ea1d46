"""After a run: its outcomes are told, by senders that die, stand still and lose power, to a receiver that fails.

Each outcome of the run must have its event in the outbox, and each event must be received, in its initiation's order.
It may be received again only if something went wrong. What is received stays on record, whatever a power cut undoes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from random import Random

from cobrowse.callbacks import Callback, Delivery, EventType
from cobrowse.model import Secret
from integrations.callbacks.posting import BACKOFFS, POST_SECONDS, UNREACHABLE_PAUSE, Poster, Receiver
from integrations.callbacks.sender import LEASE, POLL_INTERVAL, UNRECORDED_PAUSE, CallbackSender
from integrations.lease_keeper import LEASE_SECONDS, RENEW_INTERVAL, LeaseKeeper
from integrations.senders.fetching import Answer, FetchError
from tests.receivers import SECRET
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.mischief import Mischief
from tests.simulation.parts import SimulatedClock
from tests.simulation.rows import Row
from tests.simulation.scheduler import FREEZES, Call, Process, Scheduler
from web.responses import callback_body

# Tries of one event that fail at most, and seconds until another process is started for one that died.
MOST_FAULTS = 2
REBOOT = 20.0
# Seconds that a request is on its way.
LEG = 0.05
# The power goes within so many seconds, if it does.
POWER_LASTS = 60.0
# Seconds that mischief of the largest budget and a power cut cost at most: a process stands still, or another takes
# over, and what it had sent is sent again after a pause.
MISHAPS = POWER_LASTS + 11 * (max(FREEZES) + REBOOT + LEASE_SECONDS + UNRECORDED_PAUSE)


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
        self.processes: list[_Sending] = []
        # Nothing goes wrong in some runs, and then each is received once.
        self.calm = self.dice.random() < 0.2
        if not self.calm:
            world.mischief = Mischief(self.dice)
            ledger.lose_workers = self.lose_workers
        self.power_goes = ledger.may_lose_power and not self.calm
        if self.power_goes:
            world.at(self.dice.random() * POWER_LASTS, self.lose_power)
        for _ in range(self.dice.choice((1, 2, 3))):
            self.boot()

    def boot(self) -> None:
        """Start a process that sends."""
        self.booted += 1
        process = _Sending(self, f"teller-{self.booted}")
        self.processes.append(process)
        clock = SimulatedClock(self.world)
        lease = LeaseKeeper(self, LEASE, process.name, clock)
        poster = Poster(
            Receiver("https://receiver", (Secret(SECRET),)), callback_body, clock, self.dice.random, send=self.send
        )
        sender = self.sender(self, lease, poster, self, clock, lambda works: [work() for work in works])
        self.world.spawn(f"{process.name}/lease", lambda: self.loop(RENEW_INTERVAL, lease.renew), process)
        self.world.spawn(f"{process.name}/sender", lambda: self.loop(POLL_INTERVAL, sender.send_due), process)

    def lose_power(self) -> None:
        """The machine or its database goes, with what is not on disk: tries may be made again."""
        self.power_goes = False
        self.ledger.cut_power()

    def lose_workers(self) -> None:
        """All that send stop."""
        for process in tuple(self.processes):
            self.world.kill(process)

    def loop(self, seconds: float, work: Callable[[], object]) -> None:
        """Do it again and again, until nothing is left to be told and nothing told can be taken back."""
        while self.power_goes or self.table.backlog()[0]:
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
        return self.ledger.reached("due", "", self.ledger.as_synced(lambda: self.table.due(limit)))

    def mark(self, callback: Callback, state: Delivery, wait: float, answer: str) -> None:
        marked = self.ledger.as_synced(lambda: self.table.mark(callback, state, wait, answer))
        self.ledger.reached("mark", callback.id, marked)

    def backlog(self) -> tuple[int, float]:
        return self.table.backlog()

    def acquire(self, name: str, owner: str, lease_seconds: float, *, seconds: float | None = None) -> bool:
        held = self.ledger.as_synced(lambda: self.leases.acquire(name, owner, lease_seconds))
        return self.ledger.reached("hold", owner, held)

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
        self._telling.processes.remove(self)
        self._telling.world.at(self._telling.dice.random() * REBOOT, self._telling.boot)


def told(world: Scheduler, ledger: SimulatedLedger, sender: type[CallbackSender]) -> list[str]:
    """Each broken promise about the callbacks of a run that has come to rest, a line each."""
    found = _outbox(ledger)
    telling = Telling(world, ledger, sender)
    if not world.run(_longest(ledger)):
        return [*found, "the callbacks did not come to rest"]
    return found + _received(telling)


def _longest(ledger: SimulatedLedger) -> float:
    """Seconds within which every event is received, though each fails MOST_FAULTS times and one waits for another."""
    events = Counter(event.initiation_id for event in ledger.events())
    waits = sum(BACKOFFS[:MOST_FAULTS]) * 1.2
    # This sender makes one try at a time, so that a failed one holds up all others as well.
    fault = POST_SECONDS + UNREACHABLE_PAUSE + RENEW_INTERVAL
    return max(events.values(), default=0) * waits + MOST_FAULTS * events.total() * fault + MISHAPS


def _outbox(ledger: SimulatedLedger) -> list[str]:
    """Each outcome on record has one event, so has each end that was noted with a start, and nothing else has."""
    expected = Counter(_event(each.row, EventType.of(each.state), each.attempt) for each in ledger.settled)
    expected += Counter(_event(each.row, EventType.ENDED, each.attempt) for each in ledger.ends)
    kept = Counter(event.id for event in ledger.events())
    return [
        *(f"{one} is on record without its event" for one in expected - kept),
        *(f"{one} is an event of nothing that is on record" for one in kept - expected),
    ]


def _event(row: Row, kind: EventType, attempt: int) -> str:
    return f"{row.id}:{kind.rpartition('.')[2]}:{attempt}"


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
    on_record = {event.id for event in telling.ledger.events()}
    found += [f"{one} was received and is not on record" for one in bodies.keys() - on_record]
    found += [
        f"{one}: its events were received out of order" for one, places in order.items() if places != sorted(places)
    ]
    if telling.calm and len(telling.received) != len(bodies):
        found.append("an event was received twice though nothing went wrong")
    return found
