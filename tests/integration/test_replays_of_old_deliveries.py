"""A delivery that somebody kept and sends again: while its session lives, once it has ended, once it is forgotten."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.clock import SystemClock
from integrations.ledger import connect
from integrations.senders.registry import load_senders, retention_errors
from sandbox.state import WEBCHAT
from settings import SettingsError

ROWS = """
[senders.timed]
signature = "standard-webhooks"
secrets = ["$TIMED"]
envelope = "custom"
conversation_id = "conversationId"

[senders.plain]
signature = "github"
secrets = ["$PLAIN"]
envelope = "custom"
conversation_id = "conversationId"
"""
SECRETS = {
    "TIMED": "whsec_" + base64.b64encode(b"a-secret-of-the-timed-one").decode(),
    "PLAIN": "a-secret-of-the-plain-one",
}
BODY = json.dumps({"conversationId": WEBCHAT}).encode()
# Seconds within which a timed delivery is taken, whichever way its sender's clock is off.
TOLERANCE = 300.0


class MovableClock(SystemClock):
    ahead = 0.0

    def now(self):
        return super().now() + timedelta(seconds=self.ahead)


@pytest.fixture
def ledger(tmp_path):
    """One whose purge forgets whatever has ended."""
    store = connect(f"sqlite:///{tmp_path}/ledger.sqlite3", keys=(), retention_seconds=0.0, invited_seconds=0.0)
    yield store
    store.close()


@pytest.fixture
def replayed(service, ledger):
    """Sends what was captured, as often as it is called; `clock` is the service's."""
    clock = MovableClock()
    bridge = service(ledger=ledger, environ=SECRETS, rows=ROWS, clock=clock)
    senders = load_senders(ROWS, SECRETS)
    captured = {
        name: {
            "Content-Type": "application/json",
            "X-GitHub-Delivery": "delivery-1",
            **senders.get(name).sign("POST", f"/webhooks/{name}", BODY, datetime.now(UTC)).headers,
        }
        for name in ("timed", "plain")
    }

    def send(name, **headers):
        return bridge.client.post(f"/webhooks/{name}", data=BODY, headers=captured[name] | headers)

    send.clock = clock
    return send


def end(box, answer):
    box.state.disconnect(WEBCHAT, answer.json["mediaId"])


@pytest.mark.parametrize("name", ["timed", "plain"])
def test_one_whose_session_has_ended_gets_the_old_answer_and_starts_nothing(replayed, box, name):
    first = replayed(name)
    end(box, first)
    again = replayed(name)
    assert (first.json["status"], again.data) == ("initiated", first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize("ahead", [-TOLERANCE - 5, TOLERANCE + 5, 86_400.0 * 30])
def test_a_timed_one_is_refused_before_anything_is_looked_up_once_its_time_is_over(replayed, ledger, box, ahead):
    end(box, replayed("timed"))
    ledger.purge()
    calls = len(box.calls())
    replayed.clock.ahead = ahead
    answer = replayed("timed")
    assert (answer.status_code, answer.json["errorCode"]) == (401, "timestamp_out_of_tolerance")
    assert (len(box.calls()), box.invitations(WEBCHAT)) == (calls, 1)


def test_no_row_may_be_forgotten_while_its_signature_is_good():
    """Otherwise a replay in that gap would be a new request."""
    senders = load_senders(ROWS, SECRETS)
    assert retention_errors(senders, 2 * TOLERANCE) == []
    (fault,) = retention_errors(senders, 2 * TOLERANCE - 1)
    assert fault.startswith("[senders.timed] tolerance_seconds: the same delivery is accepted for 600 s")


def test_a_service_that_would_forget_too_soon_does_not_start(service):
    with pytest.raises(SettingsError, match=r"\[senders\.timed\] tolerance_seconds"):
        service(environ=SECRETS, rows=ROWS, ledger_retention_seconds=599.0)


def test_one_without_a_time_is_new_once_it_is_forgotten_and_gets_no_second_session_while_one_lives(
    replayed, ledger, box
):
    """What is documented as not defended: nothing in such a delivery tells that it is old."""
    first = replayed("plain")
    ledger.purge()
    assert replayed("plain").json["status"] == "already_active"
    assert box.invitations(WEBCHAT) == 1
    end(box, first)
    ledger.purge()
    assert replayed("plain").json["status"] == "initiated"
