"""The listener on a sandbox: an agent answers, cobrowse starts once, whatever becomes of the channel."""

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from app import build, build_ledger
from cobrowse.clock import SystemClock
from commands.listen import run_listener
from integrations.ids import new_id
from integrations.ledger import connect
from integrations.listening.agent_answers import parse_change
from integrations.listening.config import ListenConfig
from integrations.listening.connection import DEFAULT_TIMES, Times
from integrations.listening.starting import Starter
from sandbox import responses
from sandbox.directory import QUEUE, USER
from tests.clocks import wait_until
from tests.contract.ledgers import pass_time
from tests.integration.conftest import OF_THE_SERVICE, ROOT, settings_on

SUPPORT = ListenConfig(queues=("Support",))
TOPIC = f"v2.routing.queues.{QUEUE}.conversations"


class Counts:
    """What a listener has counted."""

    def __init__(self):
        self.of = Counter()
        self.listening = False

    def on_listening(self, listening):
        self.listening = listening

    def on_event(self, result):
        self.of[result] += 1

    def on_reconnect(self, reason):
        self.of[reason] += 1

    def on_gap(self, result):
        self.of[result] += 1


@pytest.fixture
def listening(box, tmp_path):
    """A factory: a listener in a thread, once it listens and has caught up; its counts."""
    with contextlib.ExitStack() as stack:

        def start(config=SUPPORT, *, await_it=True, times=DEFAULT_TIMES, **settings):
            counts, stopping = Counts(), threading.Event()
            thread = threading.Thread(
                target=run_listener,
                args=(settings_on(box, tmp_path, **settings), config, (), counts, stopping, SystemClock(), times),
            )
            thread.start()
            counts.stop = lambda: (stopping.set(), thread.join())
            stack.callback(counts.stop)
            if await_it:
                wait_until(lambda: counts.listening and counts.of["caught_up"] + counts.of["lost"])
            return counts

        yield start


def test_an_answered_chat_starts_one_session_however_often_its_state_is_told(box, listening):
    counts = listening()
    chat = box.ring()
    assert box.invitations(chat.id) == 0
    for _ in range(3):
        box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1 and counts.of["known"] >= 2)
    box.end(chat.id)
    wait_until(lambda: counts.of["ignored"] >= 1)
    assert box.invitations(chat.id) == 1


def test_a_user_is_listened_to_by_name_and_by_id(box, listening):
    listening(ListenConfig(users=("alice@sandbox.example", USER)))
    chat = box.ring()
    box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1)
    assert len(box.calls("users")) == 1


def test_the_agent_that_a_chat_is_transferred_to_finds_the_session_that_is_live(box, listening):
    counts = listening()
    chat = box.ring()
    box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1)
    box.transfer(chat.id)
    box.answer(chat.id)
    wait_until(lambda: counts.of["started"] == 2 + 3)  # and the sandbox's own three that are live at the beginning
    counts.stop()
    assert box.invitations(chat.id) == 1


@pytest.mark.parametrize(("what", "counted"), [("close", "closed"), ("cut", "closed"), ("silence", "silent")])
def test_what_was_answered_while_the_channel_was_gone_is_caught_up(box, listening, what, counted):
    counts = listening(times=Times(quiet=0.3, pong=0.3))
    box.channels.disturb(what)
    wait_until(lambda: box.channels.listening() == 0 or what == "silence")
    chat = box.ring()
    box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1)
    assert counts.of[counted] >= 1
    wait_until(lambda: counts.of["caught_up"] >= 2)


def test_without_catching_up_a_gap_is_counted_as_lost(listening):
    assert listening(ListenConfig(queues=(QUEUE,), catch_up=False)).of["lost"] == 1


def test_a_refused_question_to_analytics_is_a_gap_that_is_lost(box, listening):
    box.faults.add(operation="details", kind="status", status=403, times="always")
    assert listening().of["lost"] == 1


def test_a_closing_notice_opens_the_next_channel_before_the_old_one_is_left(box, listening):
    counts = listening()
    box.channels.disturb("closing")
    wait_until(lambda: counts.of["renewed"] == 1 and box.channels.listening() == 1)
    chat = box.ring()
    box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1)
    assert counts.of["caught_up"] == 1  # there was no gap


def test_a_renewal_that_fails_leaves_the_old_channel_in_use_until_one_succeeds(box, listening):
    counts = listening(times=Times(renew_again=0.1))
    box.faults.add(operation="subscribe", kind="status", status=403, times=3)
    box.channels.disturb("closing")
    wait_until(lambda: counts.of["renewed"] == 1)
    assert box.channels.made == 5
    assert counts.of["failed"] == counts.of["closed"] == 0
    assert counts.of["caught_up"] == 1


def test_duplicate_and_reordered_events_start_nothing_twice_and_nothing_without_an_agent(box, listening):
    counts = listening()
    first, second, third = box.ring(), box.ring(), box.ring()
    box.channels.disturb("duplicate")
    box.answer(first.id)
    box.channels.disturb("reorder")
    box.answer(second.id)  # told after the next
    box.answer(third.id)
    box.end(third.id)
    wait_until(lambda: box.invitations(first.id) == 1 and box.invitations(second.id) == 1)
    wait_until(lambda: counts.of["known"] >= 1)
    assert box.invitations(third.id) <= 1


def test_a_rejected_topic_is_named_with_its_permission_and_the_others_hold(box, listening):
    box.options.rejected_topics = (TOPIC,)
    with capture_logs() as lines:
        listening(ListenConfig(queues=(QUEUE,), users=(USER,)))
        chat = box.ring()
        box.answer(chat.id)
        wait_until(lambda: box.invitations(chat.id) == 1)
    said = str(lines)
    assert TOPIC in said
    assert "routing:queue:view" in said


def test_a_name_that_genesys_does_not_know_is_one_clear_error(box, listening):
    with capture_logs() as lines:
        counts = listening(ListenConfig(queues=("Nobody's",)), await_it=False)
        wait_until(lambda: counts.of["failed"])
        counts.stop()
    assert "Genesys shows none of this name" in str(lines)
    assert box.channels.made == 0


def test_a_start_that_fails_for_the_moment_is_tried_again(box, listening):
    listening()
    chat = box.ring()
    box.faults.add(operation="create", kind="status", status=503, times=4)
    box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1)


def test_of_two_one_listens_and_the_other_takes_over_when_it_stops(box, listening):
    first = listening()
    second = listening(await_it=False)
    chat = box.ring()
    box.answer(chat.id)
    wait_until(lambda: box.invitations(chat.id) == 1)
    assert not second.listening
    assert box.channels.made == 1
    first.stop()
    wait_until(lambda: second.listening)
    other = box.ring()
    box.answer(other.id)
    wait_until(lambda: box.invitations(other.id) == 1)
    assert box.invitations(chat.id) == 1


def listener_process(box, folder, log, **ledger):
    """`listen` as a process of its own, on the sandbox and this ledger, or one in this folder."""
    (folder / "senders.toml").write_text('[listen]\nqueues = ["Support"]\n')
    environ = {name: value for name, value in os.environ.items() if name not in OF_THE_SERVICE}
    environ |= {
        "SANDBOX": "true",
        "GENESYS_API_URL": box.url,
        "GENESYS_LOGIN_URL": box.url,
        "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
        "SENDERS_FILE": str(folder / "senders.toml"),
        **ledger,
    }
    command = [sys.executable, "cli.py", "listen"]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_variables(request):
    """The variables of a ledger on either engine, its tables made."""
    if request.param == "sqlite":
        return {}
    url = request.getfixturevalue("database").replace("postgresql://", "postgresql+psycopg://")
    key = Fernet.generate_key().decode()
    with closing(connect(url, keys=[key], retention_seconds=86_400)) as ledger:
        ledger.upgrade()
    return {"LEDGER_URL": url, "LEDGER_KEYS": key}


@pytest.mark.crash
def test_a_listener_killed_in_a_storm_of_answered_chats_leaves_each_started_once(box, tmp_path, ledger_variables):
    box.faults.add(operation="attach", kind="delay", seconds=0.05, when="after", times="always")
    with (tmp_path / "log").open("w+b") as log, contextlib.ExitStack() as stack:
        first = listener_process(box, tmp_path, log, **ledger_variables)
        stack.callback(first.kill)
        wait_until(lambda: box.channels.listening() == 1)
        second = listener_process(box, tmp_path, log, **ledger_variables)
        stack.callback(second.wait)
        stack.callback(second.terminate)
        chats = [box.ring() for _ in range(40)]
        for number, chat in enumerate(chats):
            box.answer(chat.id)
            time.sleep(0.02)
            if number == len(chats) // 2:
                first.kill()
                first.wait()
                url = ledger_variables.get("LEDGER_URL", f"sqlite:///{tmp_path}/ledger.sqlite3")
                pass_time(url.replace("+psycopg", ""), 15)  # longer than any lease of the dead
        wait_until(lambda: box.channels.listening() == 1)
        wait_until(lambda: all(box.invitations(chat.id) for chat in chats))
    assert {box.invitations(chat.id) for chat in chats} == {1}


def test_two_that_both_believe_they_listen_start_each_answer_once(box, tmp_path):
    """A process that was stopped for longer than its lease goes on for a moment while another has taken over."""
    settings = settings_on(box, tmp_path)
    chats = [box.ring() for _ in range(12)]
    for chat in chats:
        box.answer(chat.id)
    with contextlib.ExitStack() as stack:
        starters = []
        for _ in range(2):
            ledger = build_ledger(settings)
            stack.callback(ledger.close)
            starters.append(Starter(build(settings, ledger=ledger).initiate, random.random))
            stack.callback(starters[-1].stop)
        for chat in chats:
            told = responses.notification(box.state.conversation(chat.id))
            for starter in starters:
                answered = parse_change({"topicName": TOPIC, "eventBody": told}, SystemClock().now(), new_id)
                assert starter.start(answered)
        wait_until(lambda: all(box.invitations(chat.id) for chat in chats))
    assert {box.invitations(chat.id) for chat in chats} == {1}
