"""The listener's parts: its table, its messages, a channel's silence and end, its lease, and what it starts."""

import json
import threading
from datetime import timedelta

import pytest

from cobrowse.clock import SystemClock
from cobrowse.errors import LedgerUnavailable
from cobrowse.model import Failure, Outcome, Status
from integrations.genesys.no_proxy import is_direct
from integrations.genesys.notifications import Channel
from integrations.lease_keeper import EVERY, LEASE_SECONDS, LeaseKeeper
from integrations.listening.agent_answers import AgentAnswer, AgentAnswerReader
from integrations.listening.config import ListenConfig, Subscription, is_id, read_listen
from integrations.listening.connection import PONG, QUIET, RENEW_BEFORE, Connection, Silent
from integrations.listening.listener import Listener
from integrations.listening.messages import PING, read_message
from integrations.listening.starting import TRIES, Starter
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import Ignored
from tests.clocks import ManualClock, wait_until

CHAT = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
TOPIC = "v2.routing.queues.77777777-7777-4777-8777-777777777777.conversations"


def change(*agents, topic=TOPIC):
    """A conversation's change; an agent is an id and the state of its chat."""
    participants = [{"id": "c", "purpose": "customer", "chats": [{"state": "connected"}]}]
    participants += [{"id": one, "purpose": "agent", "chats": [{"state": state}]} for one, state in agents]
    return {"topicName": topic, "eventBody": {"id": CHAT, "participants": participants}}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "queues: neither queues nor users"),
        ({"queues": "Support"}, "queues: must be a list"),
        ({"queues": [""]}, "queues: must be a list"),
        ({"queues": ["a"], "catch_up": "yes"}, "catch_up: must be true or false"),
        ({"queues": ["a"], "topics": []}, "topics: not a key of it"),
        ("queues", "is not a table"),
    ],
)
def test_a_table_that_can_not_be_listened_by_is_refused(table, said):
    config, wrong = read_listen(table)
    assert config is None
    assert said in wrong[0]


def test_the_senders_file_has_the_table_and_the_name_is_no_senders():
    senders = load_senders('[listen]\nqueues = [" Support "]\nusers = ["a@example.com"]\n', {})
    assert senders.listen == ListenConfig(("Support",), ("a@example.com",))
    with pytest.raises(SendersFileError, match=r"senders\.listen\] the name is taken by the listener"):
        load_senders('[senders.listen]\nsignature = "none"\n', {})
    with pytest.raises(SendersFileError, match=r"\[listen\] queues: must be a list"):
        load_senders("[listen]\nqueues = 1\n", {})


def test_topics_are_the_queues_and_the_users():
    assert Subscription(("q",), ("u",)).topics == ("v2.routing.queues.q.conversations", "v2.users.u.conversations")
    assert is_id(CHAT)
    assert not is_id("Support")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"topicName": "channel.metadata"}', "channel"),
        ('{"message": "pong"}', "channel"),
        ('{"topicName": "v2.system.socket_closing"}', "closing"),
        (json.dumps(change()), "event"),
        ("{", "unreadable"),
        ("[]", "unreadable"),
    ],
)
def test_a_message_is_one_of_the_channels_or_an_event(text, kind):
    assert read_message(text).kind == kind


def test_an_answer_names_its_agent_and_the_first_is_the_key():
    read = AgentAnswerReader(lambda: "id").read
    now = ManualClock().now()
    answered = read(change(("a", "disconnected"), ("b", "connected"), ("d", "connected")), now)
    assert isinstance(answered, AgentAnswer)
    assert answered.keys == (f"{CHAT}:b", f"{CHAT}:d")
    command = answered.command
    assert (command.key, command.sender, command.start_when) == (f"{CHAT}:b", "listen", "agent_connected")
    assert command.reuse_live_session
    assert isinstance(read(change(("a", "alerting")), now), Ignored)
    assert isinstance(read(change(("a", "connected"), topic=f"{TOPIC}.emails"), now), Ignored)


class Socket:
    """A socket that has these messages, and takes the seconds it is waited for."""

    def __init__(self, clock, *messages):
        self.clock, self.messages, self.sent = clock, list(messages), []

    def receive(self, seconds):
        if self.messages:
            return self.messages.pop(0)
        self.clock.sleep(seconds)
        return None

    def send(self, text):
        self.sent.append(text)

    def close(self):
        self.sent.append("closed")


def test_silence_is_asked_about_once_and_then_is_the_end():
    clock = ManualClock()
    socket = Socket(clock)
    connection = Connection(socket, None, clock)
    assert connection.receive(QUIET - 1) is None
    assert socket.sent == []
    assert connection.receive(1) is None
    assert socket.sent == [PING]
    assert connection.receive(PONG - 1) is None
    with pytest.raises(Silent, match="silent for 50 s"):
        connection.receive(1)
    assert socket.sent == [PING]


def test_an_answer_to_the_ping_ends_the_silence():
    clock = ManualClock()
    socket = Socket(clock)
    connection = Connection(socket, None, clock)
    connection.receive(QUIET)
    socket.messages.append('{"topicName": "channel.metadata", "eventBody": {"message": "pong"}}')
    assert connection.receive(1).kind == "channel"
    assert connection.receive(QUIET - 1) is None
    assert socket.sent == [PING]


def test_a_channel_is_replaced_before_its_end_and_after_a_notice():
    clock = ManualClock()
    day = Connection(Socket(clock), clock.now() + timedelta(days=1), clock)
    unknown = Connection(Socket(clock), None, clock)
    short = Connection(Socket(clock), clock.now() + timedelta(seconds=600), clock)
    clock.sleep(299)
    assert not short.is_ending
    clock.sleep(1)
    assert short.is_ending
    clock.sleep(86_400 - RENEW_BEFORE - 301)
    assert not day.is_ending
    clock.sleep(1)
    assert day.is_ending
    assert unknown.is_ending
    told = Connection(Socket(clock, '{"topicName": "v2.system.socket_closing"}'), None, clock)
    assert not told.is_ending
    told.receive(1)
    assert told.is_ending


class Leases:
    """A ledger's leases, of which the next answers are known."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def hold(self, name, owner, lease_seconds, *, seconds=None):
        answer = self.answers.pop(0)
        if answer is None:
            raise LedgerUnavailable("away")
        return answer

    def release(self, name, owner):
        self.answers.append(name)


def test_a_lease_is_held_only_while_no_other_can_have_it():
    clock = ManualClock()
    lease = LeaseKeeper(Leases(True, None, False), "listener", "me", clock)
    assert not lease.held
    lease.renew()
    assert lease.held
    clock.sleep(LEASE_SECONDS - 0.1)
    lease.renew()  # the ledger is away
    assert lease.held
    clock.sleep(0.1)
    assert not lease.held
    lease.renew()
    assert not lease.held


def test_a_fault_of_ours_does_not_keep_a_process_from_its_lease_for_good():
    class Faulty(Leases):
        def hold(self, *asked, **more):
            answer = super().hold(*asked, **more)
            return answer if isinstance(answer, bool) else {}[answer]

    leases = Faulty("no such thing", *[True] * 99)
    lease = LeaseKeeper(leases, "listener", "me", SystemClock())
    lease.start()
    wait_until(lambda: lease.held)
    lease.stop()
    assert leases.answers[-1] == "listener"


def test_another_takes_over_within_fifteen_seconds():
    assert LEASE_SECONDS + EVERY <= 12  # which leaves three for the channel
    assert EVERY * 4 < LEASE_SECONDS


class Initiate:
    """The domain: what it says, one after the other; then it succeeds."""

    def __init__(self, *failures):
        self.failures, self.commands = list(failures), []

    def __call__(self, command):
        self.commands.append(command)
        failure = self.failures.pop(0) if self.failures else None
        return Outcome(Status.FAILED if failure else Status.INITIATED, "i", "c", failure=failure)


def failing(code, *, retryable):
    return Failure(code, "", "", retryable, not retryable, retry_after=0.001)


@pytest.fixture
def starter():
    made = []

    def build(initiate):
        made.append(Starter(initiate, lambda: 0.0, at_once=1))
        return made[-1]

    yield build
    for one in made:
        one.stop()


@pytest.fixture
def answered():
    return AgentAnswerReader(lambda: "id").read(change(("a", "connected")), ManualClock().now())


def test_an_answer_is_started_once(starter, answered):
    initiate = Initiate()
    starts = starter(initiate)
    assert starts.start(answered)
    assert not starts.start(answered)
    wait_until(lambda: len(initiate.commands) == 1)


def test_a_failure_of_the_moment_is_tried_again_and_given_up_after_some(starter, answered):
    initiate = Initiate(*[failing("genesys_unavailable", retryable=True)] * TRIES)
    starts = starter(initiate)
    starts.start(answered)
    wait_until(lambda: len(initiate.commands) == TRIES)
    wait_until(lambda: starts.start(answered))  # by the next change of the conversation


@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (failing("agent_not_connected", retryable=True), True),
        (failing("conversation_not_found", retryable=False), False),
    ],
)
def test_what_only_the_conversation_can_change_waits_for_its_next_change(starter, answered, failure, again):
    initiate, done = Initiate(failure), threading.Event()
    starts = starter(initiate)
    starts.start(answered)
    starts.submit(done.set)  # after it, in the one thread
    assert done.wait(60)
    assert len(initiate.commands) == 1
    assert starts.start(answered) is again


def test_nothing_is_started_once_it_has_stopped(starter, answered):
    initiate = Initiate()
    starts = starter(initiate)
    starts.stop()
    starts.start(answered)
    assert initiate.commands == []


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [("", False), ("*", True), ("mypurecloud.com", True), (".mypurecloud.com, x", True), ("purecloud.com", False)],
)
def test_a_socket_goes_around_the_proxy_where_no_proxy_says_so(no_proxy, direct):
    assert is_direct("streaming.mypurecloud.com", no_proxy) is direct


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("::1", "[::1]", True),
        ("streaming.mypurecloud.com", "10.0.0.0/8", False),
        ("streaming.mypurecloud.com", "mypurecloud.com.", True),
        ("STREAMING.mypurecloud.com.", "MyPureCloud.com", True),
        ("streaming.mypurecloud.com", "x mypurecloud.com", True),
        ("streaming.mypurecloud.com", ". , ,", False),
    ],
)
def test_no_proxy_names_networks_addresses_and_hosts_however_they_are_written(host, no_proxy, direct):
    assert is_direct(host, no_proxy) is direct


class SharedLease:
    """A ledger's lease, by a clock."""

    def __init__(self, clock):
        self.clock, self.owner, self.until = clock, "", 0.0

    def hold(self, name, owner, lease_seconds, *, seconds=None):
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
            self.next_look += EVERY
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


@pytest.mark.parametrize("died_after", [0.0, 0.3, 1.0, EVERY - 0.01])
@pytest.mark.parametrize("phase", [0.0, 0.7, 1.9])
def test_where_one_dies_another_listens_within_15_seconds(died_after, phase):
    """In the clock's time: wherever between two looks of its own the dead one ended, and the other one looks."""
    clock = ManualClock()
    shared = SharedLease(clock)
    dead = LeaseKeeper(shared, "listener", "dead", clock)
    dead.renew()
    assert dead.held
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
        AgentAnswerReader(lambda: "id"),
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
    assert not dead.held, "not before the dead one's lease is over"
