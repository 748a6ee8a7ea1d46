"""Running an initiation again from the console, and what runs nothing."""

import pytest

from cobrowse.errors import InternalError
from cobrowse.ledger import State
from cobrowse.model import Failure, Outcome, Status
from console.auth import Signer
from sandbox.state import ABSENT, EMAIL, WEBCHAT
from tests.integration.consoles import (
    FORM_KEY,
    OURS,
    UNAVAILABLE,
    ask,
    bridge,
    client,
    console,
    failing,
    listed,
    retry,
    token_in,
)

__all__ = ["bridge", "client"]


# --- run again ------------------------------------------------------------------------------------


def test_run_again_is_a_new_attempt_on_the_same_row_with_the_same_key(client, bridge, box):
    failed = failing(bridge, box, fault=UNAVAILABLE, key="case-1", requested_by="Ann")
    answer = retry(client, failed)
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"]).text
    assert "Attempt 2 has ended: initiated" in page
    assert ">Retry<" not in page
    entry = bridge.initiate.ledger.read(failed.initiation_id)
    assert (entry.state, entry.attempts, entry.command.key) == (State.SUCCEEDED, 2, "case-1")
    assert box.invitations(WEBCHAT) == 1
    assert listed(client) == [failed.initiation_id]
    again = ask(bridge, WEBCHAT, key="case-1")
    assert (again.replayed, again.initiation_id, again.success) == (True, failed.initiation_id, True)


def test_what_had_failed_for_good_is_run_again_once_its_cause_is_fixed(client, bridge, box):
    failed = ask(bridge, ABSENT, key="case-2")
    assert failed.failure.is_terminal
    box.add_conversation("webchat", conversation_id=ABSENT)
    assert "initiated" in client.get(retry(client, failed).headers["Location"]).text
    assert box.invitations(ABSENT) == 1


def test_a_new_attempt_that_fails_is_shown_with_its_error(client, bridge, box):
    failed = ask(bridge, EMAIL)
    page = client.get(retry(client, failed).headers["Location"]).text
    assert "Attempt 2 has ended: failed (permanent)" in page
    assert "cobrowse_not_supported" in page
    assert ">Retry<" in page


def test_what_has_succeeded_meanwhile_is_not_run_again(client, bridge, box):
    failed = failing(bridge, box, key="case-1")
    token = token_in(client.get(f"/console/initiations/{failed.initiation_id}").text)
    assert ask(bridge, WEBCHAT, key="case-1").success
    path = f"/console/initiations/{failed.initiation_id}"
    answer = client.post(f"{path}/retry", data={"token": token}, headers=OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 2


def test_run_again_carries_the_requests_correlation_id_to_genesys(client, bridge, box):
    failed = failing(bridge, box)
    before = len(box.calls())
    page = client.get(f"/console/initiations/{failed.initiation_id}").text
    headers = OURS | {"X-Correlation-Id": "by-hand-1"}
    client.post(f"/console/initiations/{failed.initiation_id}/retry", data={"token": token_in(page)}, headers=headers)
    assert {call.correlation_id for call in box.calls()[before:]} == {"by-hand-1"}


def test_an_outcome_that_the_row_does_not_tell_is_shown_all_the_same(bridge, box):
    failed = failing(bridge, box)
    failure = Failure("ledger_unavailable", "the ledger can't be reached", "ask again shortly", True, False)

    def away(entry, deadline_seconds, correlation_id):
        return Outcome(Status.FAILED, entry.id, correlation_id, failure=failure)

    answer = retry(console(bridge, retry=away).test_client(), failed)
    assert answer.status_code == 503
    assert "the ledger can&#39;t be reached. ask again shortly" in answer.text


def test_a_bug_is_a_page_with_the_correlation_id_and_nothing_else(service, box, capfd):
    bridge = service()
    failed = failing(bridge, box)

    def broken(entry, deadline_seconds, correlation_id):
        raise InternalError("internal error") from ZeroDivisionError("secret-detail")

    answer = retry(console(bridge, retry=broken).test_client(), failed)
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert answer.headers["ININ-Correlation-Id"] in answer.text
    assert "secret-detail" not in answer.text
    assert "ZeroDivisionError" in capfd.readouterr().err


REFUSED = [
    ({"token": None}, OURS),
    ({"token": ""}, OURS),
    ({"token": "x" * 600}, OURS),
    ({"token": "forged.token.here"}, OURS),
    ({"token": "of another"}, OURS),
    ({}, {}),
    ({}, {"Sec-Fetch-Site": "cross-site"}),
    ({}, {"Sec-Fetch-Site": "same-site"}),
    ({}, {"Origin": "http://evil.example"}),
    ({}, {"Origin": "null"}),
    ({}, {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}),
]


@pytest.mark.parametrize(("form", "headers"), REFUSED)
def test_a_form_that_is_not_the_consoles_own_runs_nothing(client, bridge, box, form, headers):
    failed = failing(bridge, box)
    token = token_in(client.get(f"/console/initiations/{failed.initiation_id}").text)
    other = Signer(FORM_KEY).token("another-id")
    data = {"token": token} | {key: other if value == "of another" else value for key, value in form.items()}
    data = {key: value for key, value in data.items() if value is not None}
    path = f"/console/initiations/{failed.initiation_id}/retry"
    answer = client.post(path, data=data, headers=headers)
    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1
    assert client.post(path, data={"token": token}, headers={"Origin": "http://localhost"}).status_code == 303


def test_a_token_of_one_worker_holds_in_another(bridge, box):
    failed = failing(bridge, box)
    one, other = console(bridge).test_client(), console(bridge).test_client()
    token = token_in(one.get(f"/console/initiations/{failed.initiation_id}").text)
    path = f"/console/initiations/{failed.initiation_id}/retry"
    assert other.post(path, data={"token": token}, headers=OURS).status_code == 303


def test_running_again_is_a_post_and_nothing_else(client, bridge, box):
    failed = failing(bridge, box)
    answer = client.get(f"/console/initiations/{failed.initiation_id}/retry")
    assert answer.status_code == 405
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1
