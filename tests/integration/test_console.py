"""The console over a real ledger and a sandbox: what it lists and shows, whom it lets in, and running again."""

import base64
import html
import re
from dataclasses import replace
from functools import partial

import pytest
from flask import Flask

from app import new_id
from cobrowse.clock import SystemClock
from cobrowse.errors import InternalError
from cobrowse.ledger import Claim, State, slot_of
from cobrowse.model import Command, Failure, Outcome, Secret, Status
from sandbox.state import ABSENT, EMAIL, ENDED, MESSAGE, VOICE, WEBCHAT
from tests.clocks import ManualClock
from web.console import PAGE, Console
from web.console_guard import HEADERS, Forms
from web.edge import guard

PASSWORD = "console-password-0123456789"
FORM_KEY = Secret("form-key-0123456789")
OURS = {"Sec-Fetch-Site": "same-origin"}
# Fails at once, and for now; and after having asked Genesys again and again.
LIMITED = {"operation": "create", "kind": "status", "status": 429, "retry_after": 60}
UNAVAILABLE = {"operation": "attach", "kind": "status", "status": 503, "times": "always"}


def console(bridge, **told):
    """An app that has the console of this service and nothing besides."""
    ledger = bridge.initiate.ledger
    parts = {
        "recent": ledger.recent,
        "read": ledger.read,
        "since": ledger.since,
        "run_again": bridge.initiate.run_again,
        "clock": SystemClock(),
        "deadline_seconds": 3.0,
        "csrf_key": FORM_KEY,
        "senders": ("architect", "crm"),
    }
    app = Flask("console", static_folder=None)
    guard(app, new_id)
    app.register_blueprint(Console(**parts | told).blueprint())
    return app


@pytest.fixture
def bridge(service):
    return service(deadline_seconds=2.0)


@pytest.fixture
def client(bridge):
    return console(bridge).test_client()


def ask(bridge, conversation_id, *, key="", sender="crm", correlation_id="corr-1", seconds=2.0, **fields):
    """An initiation by this sender: its outcome."""
    command = Command(sender, correlation_id, seconds, conversation_id, key=key, fingerprint="f", **fields)
    return bridge.initiate(command)


def failing(bridge, box, conversation_id=WEBCHAT, fault=LIMITED, **fields):
    """One that has failed for now; nothing is wrong any more."""
    box.faults.add(**fault)
    outcome = ask(bridge, conversation_id, **fields)
    box.faults.clear()
    assert outcome.failure.retryable
    return outcome


def token_in(page):
    return html.unescape(re.search(r'name="token" value="([^"]+)"', page)[1])


def run_again(client, outcome, **more):
    page = client.get(f"/console/initiations/{outcome.initiation_id}").text
    return client.post(
        f"/console/initiations/{outcome.initiation_id}/run-again", data={"token": token_in(page)}, headers=OURS, **more
    )


def listed(client, **query):
    """The ids on the list's page."""
    answer = client.get("/console", query_string=query)
    assert answer.status_code == 200
    return re.findall(r'id="row-([^"]+)"', answer.text)


# --- the list -------------------------------------------------------------------------------------


def test_the_newest_initiations_are_listed_with_what_came_of_them(client, bridge, box):
    first = ask(bridge, WEBCHAT, key="case-1", requested_by="Ann", credential="flow")
    second = ask(bridge, ENDED, sender="architect")
    page = client.get("/console").text
    assert re.findall(r'id="row-([^"]+)"', page) == [second.initiation_id, first.initiation_id]
    for words in ("Initiated", "Failed for good", "conversation_not_active", "crm", "architect", "Ann", "media"):
        assert words in page
    assert WEBCHAT in page
    assert ENDED in page


def test_an_empty_ledger_says_what_will_come(client):
    assert "No initiation yet" in client.get("/console").text
    assert "Nothing fits this filter" in client.get("/console?state=ignored").text


def test_the_strip_tells_the_last_hour_in_words_and_plots(client, bridge, box):
    ask(bridge, WEBCHAT)
    box.faults.add(operation="create", kind="status", status=429, retry_after=0)
    ask(bridge, VOICE)
    ask(bridge, ENDED)
    page = client.get("/console").text
    assert "3 in the last hour" in page
    assert "2 of 3, 1 failed" in page
    assert re.search(r'id="plot-limited">.*?<p class="value">1</p>', page, re.DOTALL)
    upstream = re.search(r'id="plot-calls">.*?<p class="value">(\d+)</p>', page, re.DOTALL)
    assert int(upstream[1]) == len(box.calls())
    assert page.count('role="img"') == page.count("<desc ") == 5


@pytest.mark.parametrize(
    ("state", "expected"),
    [("succeeded", ["ok"]), ("failed_final", ["ended"]), ("failed_retryable", ["busy"]), ("ignored", ["ignored"])],
)
def test_the_list_is_filtered_by_state(client, bridge, box, state, expected):
    ids = {
        "ok": ask(bridge, WEBCHAT).initiation_id,
        "ended": ask(bridge, ENDED).initiation_id,
        "busy": failing(bridge, box, VOICE).initiation_id,
        "ignored": bridge.initiate.ignore(Command("crm", "c", 1.0, MESSAGE), "not wanted").initiation_id,
    }
    assert listed(client, state=state) == [ids[name] for name in expected]
    assert len(listed(client, state="")) == 4


def test_the_list_is_filtered_by_sender_and_both_filters_go_together(client, bridge):
    ask(bridge, WEBCHAT, sender="crm")
    theirs = ask(bridge, ENDED, sender="architect")
    assert listed(client, sender="architect") == [theirs.initiation_id]
    assert listed(client, sender="architect", state="succeeded") == []
    assert "selected>architect</option>" in client.get("/console?sender=architect").text


@pytest.mark.parametrize("what", ["conversation", "key", "correlation", "initiation"])
def test_search_finds_by_the_beginning_of_any_id(client, bridge, what):
    ask(bridge, VOICE, key="other", correlation_id="other")
    outcome = ask(bridge, WEBCHAT, key="case-77", correlation_id="trace-77")
    words = {
        "conversation": WEBCHAT[:9],
        "key": "case-7",
        "correlation": "trace-77",
        "initiation": outcome.initiation_id,
    }
    assert listed(client, q=f" {words[what]} ") == [outcome.initiation_id]
    assert listed(client, q="nothing-begins-so") == []


def test_a_filter_that_cannot_be_one_is_told(client):
    for query in ({"state": "broken"}, {"before": "x"}, {"before": "0"}, {"q": "x" * 256}, {"sender": "a\0b"}):
        answer = client.get("/console", query_string=query)
        assert (answer.status_code, answer.mimetype) == (422, "text/html")
        assert f"{next(iter(query))}:" in answer.text.lower()


def test_older_ones_are_a_page_further_and_keep_the_filter(client, bridge):
    for number in range(PAGE + 3):
        bridge.initiate.ignore(Command("crm", f"c-{number}", 1.0, f"conv-{number}"), "not wanted")
    page = client.get("/console?sender=crm").text
    older = html.unescape(re.search(r'href="([^"]+)">Older', page)[1])
    assert "sender=crm" in older
    rest = client.get(older).text
    assert re.findall(r"conv-\d+", rest)[0] == "conv-2"
    assert len(re.findall(r'id="row-', rest)) == 3
    assert ">Older initiations</a>" not in rest
    assert "data-live" not in rest


def test_the_live_part_is_sent_again_only_when_something_has_changed(bridge):
    client = console(bridge, clock=ManualClock()).test_client()
    ask(bridge, WEBCHAT)
    first = client.get("/console/live")
    assert first.text.count('id="row-') == 1
    assert "<html" not in first.text
    known = {"If-None-Match": first.headers["ETag"]}
    same = client.get("/console/live", headers=known)
    assert (same.status_code, same.data) == (304, b"")
    ask(bridge, ENDED)
    changed = client.get("/console/live", headers=known)
    assert (changed.status_code, changed.text.count('id="row-')) == (200, 2)
    assert client.get("/console/live?state=succeeded").text.count('id="row-') == 1


# --- one initiation -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/detail"])
def test_an_initiation_shows_its_calls_its_waits_its_facts_and_its_answer(client, bridge, box, path):
    box.faults.add(operation="create", kind="status", status=429, retry_after=0.3)
    outcome = ask(bridge, WEBCHAT, key="case-9", requested_by="Ann", correlation_id="trace-9")
    answer = client.get(f"/console/initiations/{outcome.initiation_id}{path}")
    assert answer.status_code == 200
    page = html.unescape(answer.text)
    for words in ("429", "after 429", "wait", "before another try of create", "201", "attach", "verify", "done"):
        assert words in page
    for words in (
        "case-9",
        "trace-9",
        "Ann",
        WEBCHAT,
        outcome.initiation_id,
        f'"upstreamCalls": {outcome.upstream_calls}',
    ):
        assert words in page
    assert ("<html" in page) is (path == "")
    assert "Run again" not in page


def test_a_failure_shows_its_cause_and_its_remedy(client, bridge):
    outcome = ask(bridge, ENDED, key="case-1")
    page = html.unescape(client.get(f"/console/initiations/{outcome.initiation_id}").text)
    assert outcome.failure.code in page
    assert outcome.failure.message in page
    assert outcome.failure.hint in page
    assert "gets this answer again" in page
    assert "Run again" in page


@pytest.mark.parametrize("initiation_id", ["absent", "a%00b", "%C3%A9", "x" * 200, "%22%3E%3Cscript%3E"])
@pytest.mark.parametrize("path", ["", "/detail"])
def test_an_initiation_that_is_not_there_is_a_page_that_says_so(client, initiation_id, path):
    answer = client.get(f"/console/initiations/{initiation_id}{path}")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is no initiation with this id" in answer.text


def test_one_that_was_joined_or_ignored_has_no_steps_and_says_what_it_is(client, bridge):
    ignored = bridge.initiate.ignore(Command("crm", "c", 1.0, MESSAGE), "the event's type is not wanted")
    page = html.unescape(client.get(f"/console/initiations/{ignored.initiation_id}").text)
    assert "It took no step of its own" in page
    assert "the event's type is not wanted" in page


def test_one_at_work_and_one_whose_worker_is_gone_are_told_apart(client, bridge):
    for key, lease in (("held", 60.0), ("gone", 0.0)):
        command = Command("crm", "c", 5.0, WEBCHAT, key=key)
        claim = Claim(f"id-{key}", slot_of(command, ""), "worker", command, lease)
        bridge.initiate.ledger.claim(claim)
    held, gone = (client.get(f"/console/initiations/id-{key}").text for key in ("held", "gone"))
    assert ("Running" in held, "data-running" in held, "Run again" in held) == (True, True, False)
    assert ("Interrupted" in gone, "data-running" in gone, "Run again" in gone) == (True, False, True)
    page = client.get("/console").text
    assert "Running" in page
    assert "Interrupted" in page


# --- what may never be seen -----------------------------------------------------------------------


@pytest.mark.parametrize("flow", ["media", "native"])
def test_no_page_holds_a_join_url_a_viewer_url_or_a_join_code(service, box, flow):
    bridge = service(cobrowse_flow=flow)
    outcome = ask(bridge, WEBCHAT, key="case-1")
    session = outcome.session
    secrets = [str(value) for value in (session.join_url, session.viewer_url, session.join_code) if value]
    assert secrets
    client = console(bridge).test_client()
    for path in ("", "/live", f"/initiations/{outcome.initiation_id}", f"/initiations/{outcome.initiation_id}/detail"):
        page = html.unescape(client.get(f"/console{path}").text)
        assert outcome.initiation_id in page
        assert not [secret for secret in secrets if secret in page]
    assert page.count("•••") == len(secrets)


def test_the_settings_of_a_session_are_not_shown(client, bridge):
    outcome = ask(bridge, WEBCHAT, session_settings={"mask": ["#iban"]})
    assert "#iban" not in client.get(f"/console/initiations/{outcome.initiation_id}").text


def test_what_a_sender_wrote_stays_text(client, bridge, box):
    hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
    box.faults.add(operation="create", kind="status", status=400, message=hostile)
    outcome = ask(bridge, hostile, key=hostile, sender=hostile, requested_by=hostile, correlation_id=hostile)
    ignored = bridge.initiate.ignore(Command("crm", "c", 1.0, MESSAGE), hostile)
    paths = [f"/initiations/{each.initiation_id}{end}" for each in (outcome, ignored) for end in ("", "/detail")]
    for path in ("", "/live", *paths):
        page = client.get(f"/console{path}").text
        assert "<script>" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page
    for query in ({"q": hostile}, {"sender": hostile}, {"state": hostile}):
        page = client.get("/console", query_string=query).text
        assert "<script>" not in page
        assert "<img" not in page


def test_no_page_has_anything_inline_or_foreign(client, bridge, box):
    failed = failing(bridge, box)
    for path in ("", "/live", f"/initiations/{failed.initiation_id}", "/initiations/absent"):
        page = client.get(f"/console{path}").text
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:|https?://", page)
        assert not re.search(r"<script(?! src)", page)


# --- headers and sign-in --------------------------------------------------------------------------


def with_password(bridge):
    return console(bridge, password=Secret(PASSWORD)).test_client()


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


EVERYWHERE = ("", "/live", "/initiations/x", "/initiations/x/detail", "/static/console.css", "/static/console.js")


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("credentials", [{}, basic("ops", PASSWORD)])
def test_every_answer_tells_the_browser_what_it_may_do(bridge, path, credentials):
    answer = with_password(bridge).get(f"/console{path}", headers=credentials)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")
    answer.close()


@pytest.mark.parametrize("path", EVERYWHERE)
def test_with_a_password_nothing_is_seen_without_it(bridge, path):
    answer = with_password(bridge).get(f"/console{path}")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="cobrowse-bridge console"'
    assert "CONSOLE_PASSWORD" in answer.text


@pytest.mark.parametrize("name", ["ops", "", "Ann Lee"])
def test_the_password_opens_with_any_name_from_anywhere(bridge, name):
    answer = with_password(bridge).get(
        "/console", headers=basic(name, PASSWORD), environ_base={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        basic("ops", PASSWORD[:-1]),
        basic("ops", PASSWORD + "x"),
        basic("ops", ""),
        basic(PASSWORD, ""),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic " + base64.b64encode(b"ops:\xff\xfe").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"no-colon").decode()},
        {"Authorization": f"Bearer {PASSWORD}"},
        {"X-Api-Key": PASSWORD},
    ],
)
def test_nothing_else_opens(bridge, headers):
    assert with_password(bridge).get("/console", headers=headers).status_code == 401


def test_the_password_is_asked_for_before_a_form_is_looked_at(bridge, box):
    failed = failing(bridge, box)
    token = Forms(FORM_KEY).token(failed.initiation_id)
    path = f"/console/initiations/{failed.initiation_id}/run-again"
    assert with_password(bridge).post(path, data={"token": token}, headers=OURS).status_code == 401
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"X-Forwarded-For": "203.0.113.9"}},
    ],
)
@pytest.mark.parametrize("path", EVERYWHERE)
def test_without_a_password_there_is_nothing_for_anybody_elsewhere(client, request_, path):
    answer = client.get(f"/console{path}", **request_)
    assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")


# --- run again ------------------------------------------------------------------------------------


def test_run_again_is_a_new_attempt_on_the_same_row_with_the_same_key(client, bridge, box):
    failed = failing(bridge, box, fault=UNAVAILABLE, key="case-1", requested_by="Ann")
    answer = run_again(client, failed)
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"]).text
    assert "Attempt 2 has ended: initiated" in page
    assert "Run again" not in page
    entry = bridge.initiate.ledger.read(failed.initiation_id)
    assert (entry.state, entry.attempts, entry.command.key) == (State.SUCCEEDED, 2, "case-1")
    assert box.invitations(WEBCHAT) == 1
    assert listed(client) == [failed.initiation_id]
    again = ask(bridge, WEBCHAT, key="case-1")
    assert (again.replayed, again.initiation_id, again.success) == (True, failed.initiation_id, True)


def test_what_had_failed_for_good_is_run_again_once_its_cause_is_mended(client, bridge, box):
    failed = ask(bridge, ABSENT, key="case-2")
    assert failed.failure.final
    box.add_conversation("webchat", conversation_id=ABSENT)
    assert "initiated" in client.get(run_again(client, failed).headers["Location"]).text
    assert box.invitations(ABSENT) == 1


def test_a_new_attempt_that_fails_is_shown_with_its_error(client, bridge, box):
    failed = ask(bridge, EMAIL)
    page = client.get(run_again(client, failed).headers["Location"]).text
    assert "Attempt 2 has ended: failed for good" in page
    assert "cobrowse_not_supported" in page
    assert "Run again" in page


def test_what_has_succeeded_meanwhile_is_not_run_again(client, bridge, box):
    failed = failing(bridge, box, key="case-1")
    token = token_in(client.get(f"/console/initiations/{failed.initiation_id}").text)
    assert ask(bridge, WEBCHAT, key="case-1").success
    path = f"/console/initiations/{failed.initiation_id}"
    answer = client.post(f"{path}/run-again", data={"token": token}, headers=OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 2


def test_run_again_carries_the_requests_correlation_id_to_genesys(client, bridge, box):
    failed = failing(bridge, box)
    before = len(box.calls())
    page = client.get(f"/console/initiations/{failed.initiation_id}").text
    headers = OURS | {"X-Correlation-Id": "by-hand-1"}
    client.post(
        f"/console/initiations/{failed.initiation_id}/run-again", data={"token": token_in(page)}, headers=headers
    )
    assert {call.correlation_id for call in box.calls()[before:]} == {"by-hand-1"}


def test_an_outcome_that_the_row_does_not_tell_is_shown_all_the_same(bridge, box):
    failed = failing(bridge, box)
    failure = Failure("ledger_unavailable", "the ledger can't be reached", "ask again shortly", True, False)

    def away(entry, deadline_seconds, correlation_id):
        return Outcome(Status.FAILED, entry.id, correlation_id, failure=failure)

    answer = run_again(console(bridge, run_again=away).test_client(), failed)
    assert answer.status_code == 503
    assert "the ledger can&#39;t be reached. ask again shortly" in answer.text


def test_a_bug_is_a_page_with_the_correlation_id_and_nothing_else(service, box, capfd):
    bridge = service()
    failed = failing(bridge, box)

    def broken(entry, deadline_seconds, correlation_id):
        raise InternalError("a fault inside the service") from ZeroDivisionError("secret-detail")

    answer = run_again(console(bridge, run_again=broken).test_client(), failed)
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
    other = Forms(FORM_KEY).token("another-id")
    data = {"token": token} | {key: other if value == "of another" else value for key, value in form.items()}
    data = {key: value for key, value in data.items() if value is not None}
    path = f"/console/initiations/{failed.initiation_id}/run-again"
    answer = client.post(path, data=data, headers=headers)
    assert answer.status_code in (403, 422)
    assert answer.mimetype == "text/html"
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1
    assert client.post(path, data={"token": token}, headers={"Origin": "http://localhost"}).status_code == 303


def test_a_token_of_one_worker_holds_in_another(bridge, box):
    failed = failing(bridge, box)
    one, other = console(bridge).test_client(), console(bridge).test_client()
    token = token_in(one.get(f"/console/initiations/{failed.initiation_id}").text)
    path = f"/console/initiations/{failed.initiation_id}/run-again"
    assert other.post(path, data={"token": token}, headers=OURS).status_code == 303


def test_running_again_is_a_post_and_nothing_else(client, bridge, box):
    failed = failing(bridge, box)
    answer = client.get(f"/console/initiations/{failed.initiation_id}/run-again")
    assert answer.status_code == 405
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1


# --- as the service has it ------------------------------------------------------------------------


def test_on_the_sandbox_the_service_has_it_for_this_machine(service):
    client = service().client
    assert client.get("/console").status_code == 200
    assert client.get("/console", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 404


def test_with_a_password_the_service_asks_for_it(service):
    client = service(console_password=Secret(PASSWORD)).client
    assert client.get("/console").status_code == 401
    assert client.get("/console", headers=basic("ops", PASSWORD)).status_code == 200


def test_with_neither_there_is_no_console(service):
    elsewhere = partial(
        service,
        genesys_api_url="https://api.genesys.example",
        genesys_login_url="https://login.genesys.example",
        genesys_client_id="id",
        genesys_client_secret=Secret("a-secret-of-the-client"),
    )
    answer = elsewhere().client.get("/console")
    assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")


def test_an_entry_without_readable_secrets_is_listed_all_the_same(bridge):
    ask(bridge, WEBCHAT)
    [entry] = bridge.initiate.ledger.recent(1)
    bare = replace(entry, outcome=replace(entry.outcome, session=replace(entry.outcome.session, join_url=Secret())))
    client = console(bridge, recent=lambda limit, **_: [bare], read=lambda _: bare).test_client()
    assert client.get("/console").status_code == 200
    assert client.get(f"/console/initiations/{bare.id}").status_code == 200
