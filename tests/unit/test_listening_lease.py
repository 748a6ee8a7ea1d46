"""The listener's lease: one process listens, and another within 15 seconds of its death."""

import pytest

from cobrowse.clock import SystemClock
from cobrowse.errors import LedgerUnavailable
from integrations.genesys.notifications import Channel
from integrations.lease_keeper import LEASE_SECONDS, RENEW_INTERVAL, LeaseKeeper
from integrations.listening.config import ListenConfig
from integrations.listening.listener import Listener
from tests.clocks import ManualClock, wait_until
from tests.unit.test_listening import CHAT, Socket


class Leases:
    """A ledger's leases, of which the next answers are known."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def acquire(self, name, owner, lease_seconds, *, seconds=None):
        answer = self.answers.pop(0)
        if answer is None:
            raise LedgerUnavailable("away")
        return answer

    def release(self, name, owner):
        self.answers.append(name)


def test_a_lease_is_held_only_while_no_other_can_have_it():
    clock = ManualClock()
    lease = LeaseKeeper(Leases(True, None, False), "listener", "me", clock)
    assert not lease.is_held
    lease.renew()
    assert lease.is_held
    clock.sleep(LEASE_SECONDS - 0.1)
    lease.renew()  # the ledger is away
    assert lease.is_held
    clock.sleep(0.1)
    assert not lease.is_held
    lease.renew()
    assert not lease.is_held


def test_a_fault_of_ours_does_not_keep_a_process_from_its_lease_for_good():
    class Faulty(Leases):
        def acquire(self, *asked, **more):
            answer = super().acquire(*asked, **more)
            return answer if isinstance(answer, bool) else {}[answer]

    leases = Faulty("no such thing", *[True] * 99)
    lease = LeaseKeeper(leases, "listener", "me", SystemClock())
    lease.start()
    wait_until(lambda: lease.is_held)
    lease.stop()
    assert leases.answers[-1] == "listener"


def test_another_takes_over_within_fifteen_seconds():
    assert LEASE_SECONDS + RENEW_INTERVAL <= 12  # which leaves three for the channel
    assert RENEW_INTERVAL * 4 < LEASE_SECONDS


class SharedLease:
    """A ledger's lease, by a clock."""

    def __init__(self, clock):
        self.clock, self.owner, self.until = clock, "", 0.0

    def acquire(self, name, owner, lease_seconds, *, seconds=None):
        if owner != self.owner and self.clock.monotonic() < self.until:
            return False
        self.owner, self.until = owner, self.clock.monotonic() + lease_seconds
        return True

    def release(self, name, owner):
        self.until = 0.0


class Simulated:
    """A process's stop signal, whose waits pass the clock's time; its lease is looked at meanwhile."""

    def __init__(self, clock, lease):
        self.clock, self.lease, self.next_look, self.stopped = clock, lease, clock.monotonic(), False

    def is_set(self):
        return self.stopped

    def wait(self, seconds):
        ends = self.clock.monotonic() + seconds
        while self.next_look <= ends:
            self.clock.time = max(self.clock.time, self.next_look)
            self.lease.renew()
            self.next_look += RENEW_INTERVAL
        self.clock.time = max(self.clock.time, ends)
        return self.stopped


class SlowCalls:
    """Genesys, each call of which takes a second."""

    def __init__(self, clock):
        self.clock = clock

    def open_channel(self, topics):
        self.clock.sleep(2.0)  # the channel, and its topics
        return Channel("ch", "wss://x.example/ch", None, {})


class Watcher:
    def __init__(self, clock, on_listening):
        self.clock, self.on_listening = clock, on_listening

    def on_reconnect(self, reason):
        raise AssertionError(reason)


@pytest.mark.parametrize("died_after", [0.0, 0.3, 1.0, RENEW_INTERVAL - 0.01])
@pytest.mark.parametrize("phase", [0.0, 0.7, 1.9])
def test_where_one_dies_another_listens_within_15_seconds(died_after, phase):
    """In the clock's time: wherever between two looks of its own the dead one ended, and the other one looks."""
    clock = ManualClock()
    shared = SharedLease(clock)
    dead = LeaseKeeper(shared, "listener", "dead", clock)
    dead.renew()
    assert dead.is_held
    clock.sleep(died_after)
    died = clock.monotonic()
    lease = LeaseKeeper(shared, "listener", "heir", clock)
    stopping = Simulated(clock, lease)
    stopping.next_look += phase
    began = []

    def on_listening(listening):
        if listening:
            began.append(clock.monotonic())
            stopping.stopped = True

    class Opened(Socket):
        def __init__(self):
            super().__init__(clock)
            clock.sleep(1.0)  # the handshake

    class Submitted:
        def submit(self, work):
            """What it would catch up on is another test's."""

    listener = Listener(
        ListenConfig(queues=(CHAT,)),
        SlowCalls(clock),
        lambda _uri: Opened(),
        lambda: "id",
        Submitted(),
        lease,
        Watcher(clock, on_listening),
        clock,
        lambda: 1.0,
        stopping,
    )
    listener.run()
    assert began, "the heir listens"
    assert began[0] - died <= 15.0
    assert not dead.is_held, "not before the dead one's lease is over"
