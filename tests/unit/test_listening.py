"""The listener's parts: its table, its messages, a channel's silence and end, and its way past a proxy."""

import json
from datetime import timedelta

import pytest

from integrations.genesys.no_proxy import is_direct
from integrations.listening.agent_answers import AgentAnswer, parse_change
from integrations.listening.config import ListenConfig, Subscription, is_id, parse_listen
from integrations.listening.connection import DEFAULT_TIMES, PING, Connection, Silent, parse_message
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import Ignored
from tests.clocks import ManualClock

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
        ({"queues": [], "users": []}, "queues: neither queues nor users"),
        ({"queues": "Support"}, "queues: must be a list of texts with at least one; 'Support' came"),
        ({"queues": [" "]}, "queues: must be a list of texts with at least one; [' '] came"),
        ({"queues": ["a"], "catch_up": "yes"}, "catch_up: must be true or false; 'yes' came"),
        ({"queues": ["a"], "catch_up": []}, "catch_up: must be true or false; [] came"),
        ({"queues": ["a"], "topics": []}, "topics: not a key of it"),
        ("queues", "is not a table"),
    ],
)
def test_a_table_that_can_not_be_listened_by_is_refused(table, said):
    config, wrong = parse_listen(table)
    assert config is None
    assert said in wrong[0]


@pytest.mark.parametrize(
    ("table", "config"),
    [
        ({"queues": [], "users": ["a"]}, ListenConfig(users=("a",))),
        ({"queues": ["a"], "users": []}, ListenConfig(queues=("a",))),
    ],
)
def test_one_of_the_lists_may_be_empty(table, config):
    assert parse_listen(table) == (config, [])


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
    assert not is_id("")
    assert not is_id(CHAT.replace("-", ""))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"topicName": "channel.metadata"}', "channel"),
        ('{"message": "pong"}', "channel"),
        ('{"topicName": "v2.system.socket_closing"}', "closing"),
        (json.dumps(change()), "event"),
        ('{"topicName": "v2.users.u.conversations", "note": "cut \\ud83d"}', "event"),
        (b'{"topicName": "v2.users.u.conversations", "note": "cut \xf0\x9f"}', "event"),
        ("{", "unreadable"),
        ("[]", "unreadable"),
    ],
)
def test_a_message_is_one_of_the_channels_or_an_event(text, kind):
    assert parse_message(text).kind == kind


def test_an_answer_names_its_agent_and_the_first_is_the_key():
    now = ManualClock().now()

    def read(event):
        return parse_change(event, now, lambda: "id")

    answered = read(change(("a", "disconnected"), ("b", "connected"), ("d", "connected")))
    assert isinstance(answered, AgentAnswer)
    assert answered.keys == (f"{CHAT}:b", f"{CHAT}:d")
    command = answered.command
    assert (command.key, command.sender, command.start_when) == (f"{CHAT}:b", "listen", "agent_connected")
    assert command.reuse_live_session
    assert isinstance(read(change(("a", "alerting"))), Ignored)
    assert isinstance(read(change(("a", "connected"), topic=f"{TOPIC}.emails")), Ignored)


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
    assert connection.receive(DEFAULT_TIMES.quiet - 1) is None
    assert socket.sent == []
    assert connection.receive(1) is None
    assert socket.sent == [PING]
    assert connection.receive(DEFAULT_TIMES.pong - 1) is None
    with pytest.raises(Silent, match="silent for 50 s"):
        connection.receive(1)
    assert socket.sent == [PING]


def test_an_answer_to_the_ping_ends_the_silence():
    clock = ManualClock()
    socket = Socket(clock)
    connection = Connection(socket, None, clock)
    connection.receive(DEFAULT_TIMES.quiet)
    socket.messages.append('{"topicName": "channel.metadata", "eventBody": {"message": "pong"}}')
    assert connection.receive(1).kind == "channel"
    assert connection.receive(DEFAULT_TIMES.quiet - 1) is None
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
    clock.sleep(86_400 - DEFAULT_TIMES.renew_before - 301)
    assert not day.is_ending
    clock.sleep(1)
    assert day.is_ending
    assert unknown.is_ending
    told = Connection(Socket(clock, '{"topicName": "v2.system.socket_closing"}'), None, clock)
    assert not told.is_ending
    told.receive(1)
    assert told.is_ending


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
