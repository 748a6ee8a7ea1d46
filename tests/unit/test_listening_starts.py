"""What the listener starts: each answered conversation once, and again where a retry can help."""

import threading

import pytest

from cobrowse.model import Failure, Outcome, Status
from integrations.listening.agent_answers import parse_change
from integrations.listening.starting import MAX_ATTEMPTS, Starter
from tests.clocks import ManualClock, wait_until
from tests.unit.test_listening import change


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
    return parse_change(change(("a", "connected")), ManualClock().now(), lambda: "id")


def test_an_answer_is_started_once(starter, answered):
    initiate = Initiate()
    starts = starter(initiate)
    assert starts.start(answered)
    assert not starts.start(answered)
    wait_until(lambda: len(initiate.commands) == 1)


def test_a_failure_of_the_moment_is_tried_again_and_given_up_after_some(starter, answered):
    initiate = Initiate(*[failing("genesys_unavailable", retryable=True)] * MAX_ATTEMPTS)
    starts = starter(initiate)
    starts.start(answered)
    wait_until(lambda: len(initiate.commands) == MAX_ATTEMPTS)
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
