"""The console over a real ledger and a sandbox: what it lists and shows, and what may never be seen there."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cobrowse.ledger import Claim, lock_key_for
from cobrowse.model import Command, Secret
from console.views import PAGE
from integrations.genesys.budget import BudgetState
from sandbox.state import ENDED, VOICE, WEBCHAT
from tests.clocks import ManualClock
from tests.integration.consoles import ask, bridge, client, console, failing, listed
from web.error_responses import hint_of

__all__ = ["bridge", "client"]


# --- the list -------------------------------------------------------------------------------------


def test_the_newest_initiations_are_listed_with_what_came_of_them(client, bridge, box):
    first = ask(bridge, WEBCHAT, key="case-1", requested_by="Ann", credential="flow")
    second = ask(bridge, ENDED, sender="architect")
    page = client.get("/console").text
    assert re.findall(r'id="row-([^"]+)"', page) == [second.initiation_id, first.initiation_id]
    for words in ("Initiated", "Failed (permanent)", "conversation_not_active", "crm", "architect", "Ann", "media"):
        assert words in page
    assert WEBCHAT in page
    assert ENDED in page


def test_an_empty_ledger_says_what_will_come(client):
    assert "No initiation yet" in client.get("/console").text
    assert "No results" in client.get("/console?state=succeeded").text


def test_the_strip_tells_the_last_hour_in_figures(client, bridge, box):
    ask(bridge, WEBCHAT)
    box.faults.add(operation="create", kind="status", status=429, retry_after=0)
    ask(bridge, VOICE)
    ask(bridge, ENDED)
    page = client.get("/console").text
    assert "3 in the last hour" in page
    assert "2 of 3, 1 failed" in page
    assert re.search(r'id="figure-limited">.*?<p class="value">1</p>', page, re.DOTALL)
    upstream = re.search(r'id="figure-calls">.*?<p class="value">(\d+)</p>', page, re.DOTALL)
    assert int(upstream[1]) == len(box.calls())


def test_the_calls_that_genesys_allows_are_told_while_their_window_lasts(client, bridge, box):
    assert "API calls" not in client.get("/console").text
    box.options.rate_limit = 300
    calls = ask(bridge, WEBCHAT).upstream_calls - 1  # the token's own is not one of them
    noon = datetime(2026, 11, 27, 12, tzinfo=UTC)
    told = (*bridge.initiate.genesys.client.budgets.states(), BudgetState("token", 0.0, 0.0, noon))
    page = console(bridge, budgets=lambda: told).test_client().get("/console?part=1").text
    page = re.sub(r"<time[^>]*>([^<]*)</time>", r"\1", page)
    until = f"{told[0].reset:%H:%M:%S} UTC"
    assert f"Genesys API calls, as this worker knows them: {calls} of 300 used until {until}." in page
    assert "Genesys token requests, as this worker knows them: used up until 12:00:00 UTC." in page


@pytest.mark.parametrize(
    ("state", "expected"),
    [("succeeded", ["ok"]), ("failed_final", ["ended"]), ("failed_retryable", ["busy"])],
)
def test_the_list_is_filtered_by_state(client, bridge, box, state, expected):
    ids = {
        "ok": ask(bridge, WEBCHAT).initiation_id,
        "ended": ask(bridge, ENDED).initiation_id,
        "busy": failing(bridge, box, VOICE).initiation_id,
    }
    assert listed(client, state=state) == [ids[name] for name in expected]
    assert len(listed(client, state="")) == 3


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


def test_a_filter_that_cannot_be_one_is_reported(client):
    for query in ({"state": "broken"}, {"before": "x"}, {"before": "0"}, {"q": "x" * 256}, {"sender": "a\0b"}):
        answer = client.get("/console", query_string=query)
        assert (answer.status_code, answer.mimetype) == (422, "text/html")
        assert f"{next(iter(query))}:" in answer.text.lower()


def test_older_ones_are_a_page_further_and_keep_the_filter(client, bridge):
    for number in range(PAGE + 3):
        command = Command("crm", f"c-{number}", 1.0, f"conv-{number}")
        bridge.initiate.ledger.claim(Claim(f"id-{number}", lock_key_for(command, ""), "worker", command, 60.0))
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
    first = client.get("/console?part=1")
    assert first.text.count('id="row-') == 1
    assert "<html" not in first.text
    known = {"If-None-Match": first.headers["ETag"]}
    same = client.get("/console?part=1", headers=known)
    assert (same.status_code, same.data) == (304, b"")
    ask(bridge, ENDED)
    changed = client.get("/console?part=1", headers=known)
    assert (changed.status_code, changed.text.count('id="row-')) == (200, 2)
    assert client.get("/console?part=1&state=succeeded").text.count('id="row-') == 1


# --- one initiation -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "?part=row"])
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
    assert ">Retry<" not in page


def test_a_failure_shows_its_cause_and_its_remedy(client, bridge):
    outcome = ask(bridge, ENDED, key="case-1")
    page = html.unescape(client.get(f"/console/initiations/{outcome.initiation_id}").text)
    assert outcome.failure.code in page
    assert outcome.failure.message in page
    assert hint_of(outcome.failure) in page
    assert "gets this response again" in page
    assert ">Retry<" in page


@pytest.mark.parametrize("initiation_id", ["absent", "a%00b", "%C3%A9", "x" * 200, "%22%3E%3Cscript%3E"])
@pytest.mark.parametrize("path", ["", "?part=row"])
def test_an_initiation_that_is_not_there_is_a_page_that_says_so(client, initiation_id, path):
    answer = client.get(f"/console/initiations/{initiation_id}{path}")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    # An id is never escaped, and a path has one spelling.
    assert ("one spelling" if "%" in initiation_id else "There is no initiation with this id") in answer.text


def test_a_running_one_and_one_whose_worker_is_gone_are_distinguished(client, bridge):
    for key, lease in (("held", 60.0), ("gone", 0.0)):
        command = Command("crm", "c", 5.0, WEBCHAT, key=key)
        claim = Claim(f"id-{key}", lock_key_for(command, ""), "worker", command, lease)
        bridge.initiate.ledger.claim(claim)
    held, gone = (client.get(f"/console/initiations/id-{key}").text for key in ("held", "gone"))
    assert ("Running" in held, "data-running" in held, ">Retry<" in held) == (True, True, False)
    assert ("Interrupted" in gone, "data-running" in gone, ">Retry<" in gone) == (True, False, True)
    page = client.get("/console").text
    assert "Running" in page
    assert "Interrupted" in page


# --- what may never be seen -----------------------------------------------------------------------


@pytest.mark.parametrize("flow", ["media", "native"])
def test_no_page_holds_a_join_url_a_viewer_url_or_a_join_code(service, box, flow):
    bridge = service(cobrowse_flow=flow)
    outcome = ask(bridge, WEBCHAT, key="case-1")
    session = outcome.session
    secrets = [
        value.reveal()
        for value in (session.join_url, session.viewer_url, session.join_code, session.websocket_url)
        if value
    ]
    assert secrets
    client = console(bridge).test_client()
    one = f"/initiations/{outcome.initiation_id}"
    for path in ("", "?part=1", one, f"{one}?part=row"):
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
    paths = [f"/initiations/{outcome.initiation_id}{end}" for end in ("", "?part=row")]
    for path in ("", "?part=1", *paths):
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
    for path in ("", "?part=1", f"/initiations/{failed.initiation_id}", "/initiations/absent"):
        page = client.get(f"/console{path}").text
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:|https?://", page)
        assert not re.search(r"<script(?! src)", page)


def test_an_entry_without_readable_secrets_is_listed_all_the_same(bridge):
    ask(bridge, WEBCHAT)
    [entry] = bridge.initiate.ledger.recent(1)
    bare = replace(entry, outcome=replace(entry.outcome, session=entry.outcome.session._replace(join_url=Secret())))
    ledger = bridge.initiate.ledger
    records = SimpleNamespace(
        recent=lambda limit, **_: [bare],
        read=lambda _: bare,
        recent_samples=ledger.recent_samples,
        callbacks=ledger.callbacks,
    )
    client = console(bridge, records=records).test_client()
    assert client.get("/console").status_code == 200
    assert client.get(f"/console/initiations/{bare.id}").status_code == 200
