"""Who sends the callbacks: the process with the lease, a few at once, until it is stopped."""

from cobrowse.callbacks import Delivery
from cobrowse.errors import LedgerUnavailable
from integrations.callbacks.posting import TryResult
from integrations.callbacks.sender import (
    BACKLOG_INTERVAL,
    MAX_CONCURRENT,
    UNRECORDED_PAUSE,
    CallbackSender,
    CallbackThread,
)
from tests.clocks import ManualClock, wait_until
from tests.unit.test_callback_tries import callback


class Outbox:
    """Callbacks in memory. `away`: how many of the next calls fail."""

    def __init__(self, *due):
        self.pending, self.marked, self.away = list(due), [], {"due": 0, "mark": 0}

    def due(self, limit):
        self._reach("due")
        return self.pending[:limit]

    def mark(self, one, state, wait, answer):
        self._reach("mark")
        self.marked.append((one.id, state, wait, answer))
        self.pending.remove(one)

    def backlog(self):
        return len(self.pending), 5.0

    def _reach(self, what):
        if self.away[what]:
            self.away[what] -= 1
            raise LedgerUnavailable("away")


class Lease:
    is_held = True


class Watcher:
    def __init__(self):
        self.tries, self.backlog = [], []

    def on_try(self, result):
        self.tries.append(result)

    def on_backlog(self, pending, oldest_seconds):
        self.backlog.append((pending, oldest_seconds))


def numbered(count):
    return [callback(initiation_id=f"i-{number}") for number in range(count)]


ACCEPTED = TryResult(Delivery.DELIVERED, "HTTP 200")


class World:
    """A sender and what it works with; `said` is what each try comes to."""

    def __init__(self, *due, said=ACCEPTED):
        self.outbox, self.lease, self.watcher, self.clock = Outbox(*due), Lease(), Watcher(), ManualClock()
        self.posted, self.said = [], said
        self.sender = CallbackSender(self.outbox, self.lease, self._post, self.watcher, self.clock)

    def _post(self, one):
        self.posted.append(one.id)
        return self.said


def test_what_is_due_is_sent_a_few_at_once_until_nothing_is():
    world = World(*numbered(MAX_CONCURRENT + 1))
    assert world.sender.send_due()
    assert len(world.posted) == MAX_CONCURRENT
    assert not world.sender.send_due()
    assert sorted(world.posted) == sorted(one.id for one in numbered(MAX_CONCURRENT + 1))
    assert world.watcher.tries == ["delivered"] * (MAX_CONCURRENT + 1)


def test_who_does_not_have_the_lease_sends_nothing_and_counts_nothing():
    world = World(callback())
    world.lease.is_held = False
    assert not world.sender.send_due()
    assert (world.posted, world.watcher.backlog) == ([], [])
    world.lease.is_held = True
    world.sender.send_due()
    world.lease.is_held = False
    world.sender.send_due()
    assert world.watcher.backlog == [(1, 5.0), (0, 0.0)]


def test_the_backlog_is_counted_now_and_then():
    world = World()
    world.sender.send_due()
    world.sender.send_due()
    world.clock.sleep(BACKLOG_INTERVAL)
    world.sender.send_due()
    assert len(world.watcher.backlog) == 2


def test_a_ledger_that_is_away_is_asked_again_at_the_next_turn():
    world = World(callback())
    world.outbox.away["due"] = 1
    assert not world.sender.send_due()
    world.sender.send_due()
    assert world.posted == ["i-1:succeeded:1"]


def test_a_try_that_is_not_on_record_is_made_again_and_not_every_second():
    world = World(callback())
    world.outbox.away["mark"] = 1
    world.sender.send_due()
    world.sender.send_due()
    assert len(world.posted) == 1
    world.clock.sleep(UNRECORDED_PAUSE)
    world.sender.send_due()
    assert world.posted == ["i-1:succeeded:1"] * 2
    assert [state for _, state, _, _ in world.outbox.marked] == [Delivery.DELIVERED]


def test_nothing_is_sent_while_the_receiver_asks_to_be_spared():
    world = World(*numbered(1), said=TryResult(Delivery.PENDING, "HTTP 429", 60.0, pause=60.0))
    world.sender.send_due()
    world.outbox.pending = numbered(1)
    world.clock.sleep(59.0)
    world.sender.send_due()
    assert len(world.posted) == 1
    world.clock.sleep(1.0)
    world.sender.send_due()
    assert len(world.posted) == 2
    assert world.watcher.tries == ["failed"] * 2


class LeaseKeeper(Lease):
    def __init__(self):
        self.said = []

    def start(self):
        self.said.append("start")

    def stop(self):
        self.said.append("stop")


def test_it_runs_until_it_is_stopped_and_then_gives_the_lease_back():
    world, lease = World(callback()), LeaseKeeper()
    running = CallbackThread(world.sender, lease)
    running.start()
    wait_until(lambda: world.outbox.marked)
    running.stop()
    assert lease.said == ["start", "stop"]


def test_it_ends_with_the_worker_it_runs_in():
    world, lease, alive = World(), LeaseKeeper(), [True]
    running = CallbackThread(world.sender, lease)
    running.start(lambda: bool(alive))
    wait_until(lambda: lease.said == ["start"])
    alive.clear()
    wait_until(lambda: lease.said == ["start", "stop"])
    running.stop()


def test_a_fault_of_ours_ends_no_thread():
    world, lease, faults = World(callback()), LeaseKeeper(), [ZeroDivisionError()]
    due = world.outbox.due

    def faulty(limit):
        if faults:
            raise faults.pop()
        return due(limit)

    world.outbox.due = faulty
    running = CallbackThread(world.sender, lease)
    running.start()
    wait_until(lambda: world.outbox.marked)
    running.stop()
