"""How long Genesys is to be waited for: the wait that it names, and a budget of calls that is used up.

Reported was `inin-ratelimit-reset` without `Retry-After`. Tried beside it, at the POST, the token and the check: a
negative, a wordy and a NaN `Retry-After`, both headers with different waits, the wait in words only, in seconds,
minutes and brackets, and the length of a window, which is no wait.
"""

import httpx
import pytest

from cobrowse.model import Command, Secret
from tests.clocks import ManualClock
from tests.scripted import initiation
from tests.unit.org import LOOK, POST, SESSION, TOKEN, C, Org, connected, conversation, refused, start

WAITS = [
    ({"Retry-After": "-5", "inin-ratelimit-reset": "42"}, "", 42),
    ({"Retry-After": "nan", "inin-ratelimit-reset": "42"}, "", 42),
    ({"Retry-After": "42", "inin-ratelimit-reset": "7"}, "", 42),
    ({"inin-ratelimit-reset": "42"}, "Retry the request in [9] seconds", 42),
    ({}, "Rate limit exceeded the maximum. Retry the request in [42] seconds", 42),
    ({}, "retry after 42s", 42),
    ({}, "Please wait for 1 minute", 60),
    ({"Retry-After": "soon", "inin-ratelimit-reset": "soon"}, "Try again in 42 seconds", 42),
    ({"inin-ratelimit-count": "301", "inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "42"}, "", 42),
]


@pytest.mark.parametrize(("headers", "message", "seconds"), WAITS)
@pytest.mark.parametrize("path", ["POST", "TOKEN", "LOOK"])
def test_a_wait_is_read_wherever_it_is_said_on_every_call(path, headers, message, seconds):
    org = Org(**{path: refused(429, "too.many.requests.retry.after", message, headers)})
    failure = start(org, reuse_live_session=path == "LOOK").failure
    assert (failure.code, failure.retry_after) == ("genesys_rate_limited", seconds)
    assert org.calls.count(globals()[path]) == 1


def test_the_length_of_a_window_is_no_wait():
    org = Org(
        POST=refused(429, "too.many.requests", "Rate limit exceeded the maximum [300] requests within [60] seconds")
    )
    assert start(org).failure.retry_after is None
    assert org.calls.count(POST) == 3


def used_up(count, reset="42"):
    headers = {"inin-ratelimit-count": count, "inin-ratelimit-allowed": "300", "inin-ratelimit-reset": reset}
    return lambda _: httpx.Response(200, headers=headers, json=SESSION)


def test_a_used_up_budget_lets_no_call_out_until_its_reset():
    org = Org(POST=used_up("300"))
    flows, clock = connected(org)
    work = initiation(flows, clock=clock)
    first = work(Command("architect", "corr", 10.0, conversation_id=C))
    # The customer has the invitation; the look that would show it can't be paid for.
    assert first.status == "unverified"
    before = list(org.calls)
    second = work(Command("architect", "corr", 10.0, conversation_id=C))
    assert (second.failure.code, second.failure.retry_after) == ("genesys_rate_limited", 42)
    assert org.calls == before
    own = work(Command("architect", "corr", 10.0, conversation_id=C, user_token=Secret("of-a-person")))
    assert own.failure is None
    clock.time += 43
    assert work(Command("architect", "corr", 10.0, conversation_id=C)).failure is None


class Shared:
    """What the workers of a ledger share, on one clock."""

    def __init__(self, clock):
        self.clock, self.until, self.told = clock, {}, []

    def seconds_left(self, name):
        return max(0.0, self.until.get(name, 0.0) - self.clock.monotonic())

    def close(self, name, seconds):
        self.told.append((name, seconds))
        self.until[name] = self.clock.monotonic() + seconds


def test_a_budget_that_one_worker_has_seen_used_up_is_used_up_for_all_and_told_once():
    clock = ManualClock()
    shared = Shared(clock)
    org = Org(POST=used_up("300"))
    workers = [connected(org, clock=clock, budgets=shared)[0] for _ in range(2)]
    asked = Command("architect", "corr", 10.0, conversation_id=C)
    assert initiation(workers[0], clock=clock)(asked).status == "unverified"
    org.calls.clear()
    refused = initiation(workers[1], clock=clock)(asked)
    assert (refused.failure.code, refused.failure.retry_after) == ("genesys_rate_limited", 42)
    assert (org.calls, shared.told) == ([], [("api", 42.0)])
    assert [(state.name, state.count, state.allowed) for state in workers[0].client.budgets.states()] == [
        ("api", 300.0, 300.0)
    ]
    # The other has no answer of its own; it knows only that nothing goes out.
    assert [(state.name, state.allowed) for state in workers[1].client.budgets.states()] == [("api", 0.0)]
    clock.time += 43
    assert [worker.client.budgets.states() for worker in workers] == [(), ()]
    assert initiation(workers[1], clock=clock)(asked).failure is None
    # A new window, a new word.
    assert shared.told == [("api", 42.0), ("api", 42.0)]


@pytest.mark.parametrize(
    ("count", "reset"), [("299", "42"), ("", "42"), ("300", ""), ("many", "42"), ("300", "0"), ("nan", "1")]
)
def test_a_budget_that_is_not_known_to_be_used_up_holds_nothing_up(count, reset):
    org = Org(POST=used_up(count, reset))
    assert start(org).failure is None
    assert org.calls == [TOKEN, POST, *[LOOK] * 4]


def test_a_reset_inside_the_deadline_is_waited_for():
    org = Org(LOOK=[used_up("300", "2")(None), httpx.Response(200, json=conversation(sessions=[{"id": "sess-1"}]))])
    org.answers[LOOK][0] = httpx.Response(200, headers=org.answers[LOOK][0].headers, json=conversation())
    outcome = start(org, reuse_live_session=True)
    assert (outcome.status, org.calls) == ("initiated", [TOKEN, LOOK, POST, LOOK])
    assert [span.seconds for span in outcome.spans if span.kind == "wait"] == [2.0]
