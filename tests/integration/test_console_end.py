"""Ending a session from the console, with a line in the log of who did."""

import re
from base64 import b64encode

import pytest
from structlog.testing import capture_logs

from cobrowse.model import Secret, Status
from sandbox.state import ABSENT, VOICE, WEBCHAT
from tests.integration.consoles import OURS, PASSWORD, ask, bridge, client, console, failing

__all__ = ["bridge", "client"]

LIMITED = {"operation": "cobrowse", "kind": "status", "status": 429, "retry_after": 60}


@pytest.fixture
def service(service):
    return lambda **settings: service(cobrowse_flow="native", **settings)


def token_of(page, initiation_id):
    found = re.search(rf'action="/console/initiations/{initiation_id}/end">\s*<input[^>]* value="([^"]+)"', page)
    return found and found[1]


def end(client, outcome, token=None, **more):
    path = f"/console/initiations/{outcome.initiation_id}"
    token = token or token_of(client.get(path).text, outcome.initiation_id)
    return client.post(f"{path}/end", data={"token": token}, headers=OURS | more)


def live(box):
    return [medium for medium in box.state.conversation(WEBCHAT).media if medium.ended is None]


def test_a_session_is_ended_by_a_request_of_its_own(client, bridge, box):
    started = ask(bridge, WEBCHAT)
    answer = end(client, started)
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"]).text
    assert "The session was ended by this request." in page
    assert started.initiation_id in page
    assert not live(box)
    before = client.get(f"/console/initiations/{started.initiation_id}").text
    assert "Session ended" in before
    assert token_of(before, started.initiation_id) is None
    [row, _] = bridge.initiate.ledger.recent(2)
    assert (row.command.sender, row.command.action, row.command.ends) == ("console", "end", started.initiation_id)
    assert row.outcome.status is Status.ENDED


def test_who_ended_it_is_in_the_log(bridge):
    started = ask(bridge, WEBCHAT)
    client = console(bridge, password=Secret(PASSWORD)).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic " + b64encode(f"ada:{PASSWORD}".encode()).decode()
    with capture_logs() as lines:
        end(client, started)
    [line] = [line for line in lines if line["event"] == "session ended from the console"]
    assert (line["initiation_id"], line["requested_by"], line["status"]) == (started.initiation_id, "ada", "ended")


def test_what_never_reached_a_customer_has_no_button(client, bridge, box):
    failed = ask(bridge, ABSENT)
    page = client.get(f"/console/initiations/{failed.initiation_id}").text
    assert token_of(page, failed.initiation_id) is None
    assert 'name="token"' in page  # that of "Retry"


def test_no_other_forms_token_ends_anything(client, bridge, box):
    started, other = ask(bridge, WEBCHAT), failing(bridge, box, VOICE, fault=LIMITED)
    again = re.search(r'name="token" value="([^"]+)"', client.get(f"/console/initiations/{other.initiation_id}").text)[
        1
    ]
    for token in (again, "made-up"):
        assert end(client, started, token).status_code == 403
    path = f"/console/initiations/{started.initiation_id}"
    mine = token_of(client.get(path).text, started.initiation_id)
    foreign = client.post(f"{path}/end", data={"token": mine}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert live(box)
