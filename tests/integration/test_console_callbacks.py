"""Callbacks in the console: what has become of each, and a button that sends one again, with a line in the log."""

import html
import re
from base64 import b64encode

import pytest
from structlog.testing import capture_logs

from cobrowse.callbacks import Delivery
from cobrowse.model import Secret
from console.auth import Signer
from sandbox.state import WEBCHAT
from schemas.console_users import parse_users
from tests.integration.consoles import FORM_KEY, OURS, PASSWORD, ask, client, console, failing
from tests.receivers import SECRET
from tests.users import quick_row

__all__ = ["client"]


@pytest.fixture
def bridge(service):
    return service(
        deadline_seconds=2.0,
        outcome_webhook_url=Secret("http://127.0.0.1:9/outcomes"),
        outcome_webhook_secret=(Secret(SECRET),),
    )


def page_of(client, initiation_id, **more):
    return html.unescape(client.get(f"/console/initiations/{initiation_id}", **more).text)


def buttons(page):
    """Path and token of each button that sends again."""
    return re.findall(r'action="([^"]+/callbacks/[^"]+)">\s*<input[^>]* value="([^"]+)"', page)


def told(bridge, initiation_id, state, answer="HTTP 500"):
    """The initiation's callback, once a try came to this."""
    callbacks = bridge.initiate.ledger.callbacks
    [one] = callbacks.for_initiation(initiation_id)
    callbacks.mark(one, state, 60.0, answer)
    return one


def test_an_initiations_page_shows_each_callback_with_its_tries_and_last_answer(client, bridge):
    outcome = ask(bridge, WEBCHAT)
    page = page_of(client, outcome.initiation_id)
    assert "<h2>Callbacks</h2>" in page
    assert "initiation.succeeded" in page
    assert "Pending" in page
    told(bridge, outcome.initiation_id, Delivery.PENDING, "HTTP 503")
    page = page_of(client, outcome.initiation_id)
    assert "Not accepted yet" in page
    assert "HTTP 503" in page
    told(bridge, outcome.initiation_id, Delivery.GIVEN_UP, "HTTP 410")
    page = page_of(client, outcome.initiation_id)
    assert "Given up" in page
    assert re.search(r'class="number"[^>]*>2</td>\s*<td[^>]*>HTTP 410</td>', page)


def test_each_attempt_has_its_own(client, bridge, box):
    failed = failing(bridge, box, key="case-1")
    ask(bridge, WEBCHAT, key="case-1")
    page = page_of(client, failed.initiation_id)
    assert len(buttons(page)) == 2
    assert "of attempt 2" in page


def test_a_service_that_tells_nobody_shows_no_callbacks(service):
    bridge = service(deadline_seconds=2.0)
    outcome = ask(bridge, WEBCHAT)
    assert "<h2>Callbacks" not in page_of(console(bridge).test_client(), outcome.initiation_id)


def test_the_page_of_callbacks_lists_what_is_not_delivered(client, bridge, box):
    first = ask(bridge, WEBCHAT)
    told(bridge, first.initiation_id, Delivery.DELIVERED, "HTTP 200")
    assert "Nothing is waiting" in client.get("/console/callbacks").text
    second = failing(bridge, box, conversation_id="22222222-2222-4222-8222-222222222222")
    told(bridge, second.initiation_id, Delivery.GIVEN_UP)
    page = client.get("/console/callbacks").text
    assert f"/console/initiations/{second.initiation_id}" in page
    assert first.initiation_id not in page
    assert buttons(page) == []


def test_send_again_makes_it_due_now_and_leaves_a_line(client, bridge):
    outcome = ask(bridge, WEBCHAT)
    one = told(bridge, outcome.initiation_id, Delivery.GIVEN_UP)
    [(path, token)] = buttons(page_of(client, outcome.initiation_id))
    with capture_logs() as logs:
        answer = client.post(path, data={"token": token}, headers=OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/initiations/{outcome.initiation_id}")
    assert [each.id for each in bridge.initiate.ledger.callbacks.due(10)] == [one.id]
    [line] = [log for log in logs if log["event"] == "callback sent again from the console"]
    assert (line["webhook_id"], line["requested_by"]) == (one.id, "local")


def test_a_form_that_is_not_of_this_callback_sends_nothing(client, bridge):
    first = ask(bridge, WEBCHAT)
    told(bridge, first.initiation_id, Delivery.GIVEN_UP)
    [(path, token)] = buttons(page_of(client, first.initiation_id))
    end = re.search(r'/end">\s*<input[^>]* value="([^"]+)"', page_of(client, first.initiation_id))[1]
    assert client.post(path, data={"token": end}, headers=OURS).status_code == 403
    assert client.post(path, data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(path, data={}, headers=OURS).status_code == 403
    assert bridge.initiate.ledger.callbacks.due(10) == []


def test_one_that_is_not_there_is_a_page_that_says_so(bridge):
    app = console(bridge)
    outcome = ask(bridge, WEBCHAT)
    absent = f"{outcome.initiation_id}:ended:7"
    token = Signer(FORM_KEY).token(f"callback {absent}")
    path = f"/console/initiations/{outcome.initiation_id}/callbacks/{absent}"
    answer = app.test_client().post(path, data={"token": token}, headers=OURS)
    assert answer.status_code == 404
    assert "no such callback" in answer.text


def test_a_viewer_sees_them_and_may_not_send(bridge):
    outcome = ask(bridge, WEBCHAT)
    told(bridge, outcome.initiation_id, Delivery.GIVEN_UP)
    users = parse_users([quick_row("ann", "viewer", PASSWORD), quick_row("bob", "operator", PASSWORD)])
    client = console(bridge, users=users).test_client()

    def as_(name):
        return {"Authorization": "Basic " + b64encode(f"{name}:{PASSWORD}".encode()).decode()}

    page = page_of(client, outcome.initiation_id, headers=as_("ann"))
    assert "Given up" in page
    assert buttons(page) == []
    [(path, token)] = buttons(page_of(client, outcome.initiation_id, headers=as_("bob")))
    refused = client.post(path, data={"token": token}, headers=OURS | as_("ann"))
    assert refused.status_code == 403
    assert "is for operators" in refused.text
    assert client.post(path, data={"token": token}, headers=OURS | as_("bob")).status_code == 303
