"""Which token a call goes out with, and that one which Genesys refuses to a client goes out once more, as the user."""

from collections import Counter
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest

from cobrowse.model import Command, Secret, Status
from integrations.genesys import UserClient
from integrations.ledger.grants import StoredGrant
from tests.scripted import initiation
from tests.unit.org import CREATE, LOOK, MEDIA, POST, TOKEN, C, Org, connected, conversation, cut_off, refused

USER_CLIENT = UserClient("https://login.example.com", "user-client", Secret("user-secret"))
SESSION = {"id": "sess-1", "dateOfferEnds": "2030-01-01T00:00:00Z"}
LIVE = {"id": "part-1", "state": "connected", "cobrowseSessionId": "sess-1"}


class Logins:
    """A ledger in which the service user is logged in, or not."""

    def __init__(self, refused="", logged_in=True):
        since = datetime(2026, 11, 1, tzinfo=UTC)
        there = Secret("user-token"), Secret("r"), 3600.0, 3600.0, 1, refused, "ada@example.com", "Acme", since
        self.found = StoredGrant(*there) if logged_in else None
        if refused:
            self.found = StoredGrant(Secret("user-token"), Secret("r"), 0.0, *there[3:])

    def read(self, name):
        return self.found


class Demanding(Org):
    """Refuses to a client what needs a user, as Genesys words it; does what a user asks, and counts that."""

    def __init__(self, demands=(POST,), **answers):
        super().__init__(**answers)
        self.demands = demands
        self.done = Counter()
        self.tokens = []

    def handle_request(self, request):
        path, bearer = request.url.path, request.headers.get("Authorization", "").removeprefix("Bearer ")
        if path == TOKEN:
            self.tokens.append(parse_qs(request.content.decode())["grant_type"][0])
            return super().handle_request(request)
        if path in self.demands and bearer != "user-token":
            self.calls.append(f"{path} refused")
            return refused(
                400, "bad.request", "This request requires a user context. Client credentials cannot be used"
            )
        self.done[path] += 1
        answer = super().handle_request(request)
        self.calls[-1] = f"{path} as {bearer}"
        return answer


def starter(org, grant="auto", mode="native", logins=None):
    """Starts sessions in one process, each under a key of its own."""
    flows, clock = connected(
        org, mode, grants=logins or Logins(), grant=grant, user_client=USER_CLIENT, run=lambda work: work()
    )
    work = initiation(flows, clock=clock)
    return lambda key="": work(Command("architect", "corr", 10.0, conversation_id=C, key=key))


def test_an_undisturbed_start_makes_its_usual_calls_as_the_client():
    org = Demanding(demands=())
    assert starter(org)().success
    assert org.calls == [TOKEN, f"{POST} as t", *[f"{LOOK} as t"] * (len(org.calls) - 2)]
    assert org.tokens == ["client_credentials"]


def test_the_refused_call_goes_out_once_more_as_the_user_inside_the_same_attempt():
    org = Demanding(LOOK=lambda _: httpx.Response(200, json=conversation(sessions=[LIVE])))
    outcome = starter(org)()
    assert outcome.status is Status.INITIATED
    assert org.calls == [TOKEN, f"{POST} refused", f"{POST} as user-token", f"{LOOK} as t"]
    assert org.done[POST] == 1


def test_what_genesys_has_once_demanded_is_remembered_for_that_operation_alone():
    org = Demanding(
        CREATE=lambda _: httpx.Response(201, json={"id": "sess-1", "joinUrl": "https://x.example/1"}),
        MEDIA=lambda _: httpx.Response(201, json={"id": "med-1", "state": "connecting"}),
        LOOK=lambda _: httpx.Response(200, json=conversation(sessions=[LIVE])),
        demands=(MEDIA,),
    )
    start = starter(org, mode="media")
    start("k-1")
    org.calls.clear()
    start("k-2")
    assert f"{MEDIA} refused" not in org.calls
    assert [call for call in org.calls if call.startswith(CREATE)] == [f"{CREATE} as t"]
    assert [call for call in org.calls if call.startswith(MEDIA)] == [f"{MEDIA} as user-token"]
    assert org.tokens == ["client_credentials"]


@pytest.mark.parametrize("happened", [True, False])
def test_a_user_s_call_whose_answer_is_lost_is_looked_for_and_never_blindly_repeated(happened):
    """The user's call is the only one that can have had an effect: the lost answer is settled as any other's."""
    org = Demanding()
    org.answers[POST] = [cut_off(0), lambda _: httpx.Response(200, json=SESSION)]
    org.answers[LOOK] = lambda _: httpx.Response(
        200, json=conversation(sessions=[LIVE] if happened or org.done[POST] > 1 else [])
    )
    outcome = starter(org)("k-1")
    assert outcome.success
    assert org.done[POST] == (1 if happened else 2)
    looks = [call for call in org.calls if call != TOKEN][2:]
    assert looks[0].startswith(LOOK), "after the lost answer comes a look, before anything else"


def test_as_the_client_alone_the_refusal_is_the_answer():
    org = Demanding()
    failure = starter(org, "client_credentials")().failure
    assert failure.code == "user_token_required"
    assert org.done[POST] == 0


def test_as_the_user_alone_the_client_is_never_asked():
    org = Demanding(demands=(POST, LOOK))
    assert starter(org, "service_user")().success
    assert org.tokens == []
    assert f"{POST} refused" not in org.calls


@pytest.mark.parametrize(
    ("logins", "why"),
    [({"logged_in": False}, "no service user has logged in"), ({"refused": "invalid_grant"}, "invalid_grant")],
)
@pytest.mark.parametrize("grant", ["auto", "service_user"])
def test_without_a_good_login_nothing_is_started_and_the_same_key_succeeds_after_the_next(grant, logins, why):
    org, logins = Demanding(), Logins(**logins)
    start = starter(org, grant, logins=logins)
    outcome = start("k-1")
    assert (outcome.failure.code, outcome.failure.retryable) == ("service_user_login_required", False)
    assert why in outcome.failure.message
    assert org.done[POST] == 0
    logins.found = Logins().found
    assert start("k-1").success
    assert org.done[POST] == 1


def test_a_caller_s_own_token_comes_before_both():
    org = Demanding(demands=())
    flows, clock = connected(org, grants=Logins(), grant="service_user", user_client=USER_CLIENT)
    command = Command("architect", "corr", 10.0, conversation_id=C, user_token=Secret("own"))
    assert initiation(flows, clock=clock)(command).success
    assert org.calls[0] == f"{POST} as own"
