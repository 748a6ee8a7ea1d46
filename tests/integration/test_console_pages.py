"""What the console shows besides the list: refused requests, senders, each attempt; and what a search finds."""

import re

import pytest

from console.views import ServiceInfo
from sandbox.state import ENDED, VOICE, WEBCHAT
from tests.integration.consoles import ask, bridge, client, console, failing, listed

__all__ = ["bridge", "client"]


def test_a_refused_request_is_shown_with_its_cause_and_its_remedy(service):
    bridge = service()
    for _ in range(3):
        bridge.client.post("/data-actions/cobrowse", json={})
    bridge.client.post("/webhooks/crn", json={})
    bridge.app.extensions["recorder"].flush()
    page = bridge.client.get("/console/refused").text
    assert "not_authenticated" in page
    assert "no API key came with the request" in page
    assert "it must be one of the service&#39;s API_KEYS" in page
    assert re.search(r'class="number" data-head="Requests">3 ', page)
    assert "no sender of this name is configured" in page
    only = bridge.client.get("/console/refused?q=crn").text
    assert ("not_found" in only, "not_authenticated" in only) == (True, False)
    assert "No results" in bridge.client.get("/console/refused?sender=nobody").text


def test_where_nothing_was_refused_the_page_says_so(client):
    assert "Nothing was refused" in client.get("/console/refused").text


def test_each_attempt_has_a_tab_with_its_own_failure_and_correlation_id(client, bridge, box):
    failed = failing(bridge, box, correlation_id="corr-first", key="case-1")
    bridge.initiate.retry(bridge.initiate.ledger.read(failed.initiation_id), 2.0, "corr-second")
    path = f"/console/initiations/{failed.initiation_id}"
    newest, first = client.get(path).text, client.get(f"{path}?attempt=1").text
    for page in (newest, first):
        tabs = re.search(r'<nav class="tabs".*?</nav>', page, re.DOTALL)[0]
        assert re.findall(r"Attempt (\d)", tabs) == ["2", "1"]
        assert "genesys_rate_limited" in tabs
    assert "Attempt 2, " in newest
    assert "corr-second" in newest
    assert "Why it failed" not in newest
    assert "Why it failed" in first
    assert re.search(r'Attempt 1, .*correlation id <span class="id">corr-first', first)


def test_an_attempt_that_there_is_not_is_the_newest(client, bridge, box):
    failed = failing(bridge, box)
    page = client.get(f"/console/initiations/{failed.initiation_id}?attempt=9").text
    assert "genesys_rate_limited" in page
    assert '<nav class="tabs"' not in page


@pytest.mark.parametrize(
    ("pasted", "found"),
    [
        ("Ann", ["asked"]),
        ("conversation_not_active", ["ended"]),
        ("corr-of-asked", ["asked"]),
        (f"https://apps.mypurecloud.ie/directory/#/analytics/interactions/{VOICE.upper()}/admin/details", ["asked"]),
        (f'"conversationId": "{ENDED}",', ["ended"]),
        ('"case-asked"', ["asked"]),
        ("conversation_not", []),
    ],
)
def test_anything_that_is_pasted_is_found(client, bridge, pasted, found):
    ids = {
        ask(
            bridge, VOICE, key="case-asked", requested_by="Ann Lee", correlation_id="corr-of-asked"
        ).initiation_id: "asked",
        ask(bridge, ENDED).initiation_id: "ended",
    }
    assert [ids[each] for each in listed(client, q=pasted)] == found


def test_a_time_range_hides_what_is_older(client, bridge, box):
    new, old = ask(bridge, WEBCHAT), ask(bridge, VOICE)
    database = bridge.initiate.ledger._database
    database.execute("UPDATE initiations SET created = {now} - 7200 WHERE id = :id", {"id": old.initiation_id})
    assert listed(client, within="1h") == [new.initiation_id]
    assert set(listed(client, within="6h")) == {new.initiation_id, old.initiation_id}
    assert client.get("/console?within=1y").status_code == 422


def test_the_filters_hold_for_the_figures_too(client, bridge):
    for conversation in (WEBCHAT, VOICE):
        ask(bridge, conversation)
    ask(bridge, ENDED, sender="architect")
    rate = r'id="figure-rate".*?(\d+) in the last hour'
    for query, count in (("", "3"), ("?sender=crm", "2"), ("?state=failed_final", "1"), (f"?q={VOICE}", "1")):
        assert re.search(rate, client.get(f"/console{query}").text, re.DOTALL)[1] == count


def test_a_conversation_is_linked_to_genesyss_own_page_where_there_is_one(bridge, client):
    started = ask(bridge, WEBCHAT)
    path = f"/console/initiations/{started.initiation_id}"
    there = console(bridge, about=ServiceInfo(apps_url="https://apps.mypurecloud.ie")).test_client().get(path).text
    assert f"https://apps.mypurecloud.ie/directory/#/analytics/interactions/{WEBCHAT}/admin/details" in there
    assert "in Genesys" not in client.get(path).text


def test_a_data_actions_request_can_be_copied_as_curl_without_its_key(client, bridge):
    started = ask(bridge, WEBCHAT, sender="architect", credential="flow", requested_by="O'Hara")
    page = client.get(f"/console/initiations/{started.initiation_id}").text
    assert "http://localhost/data-actions/cobrowse" in page
    assert "X-Api-Key: $API_KEY" in page
    assert "as curl" not in client.get(f"/console/initiations/{ask(bridge, VOICE).initiation_id}").text


def test_one_that_failed_for_good_asks_before_it_runs_again(client, bridge, box):
    final, retryable = ask(bridge, ENDED), failing(bridge, box)
    asks = '<details class="confirm">'
    assert asks in client.get(f"/console/initiations/{final.initiation_id}").text
    page = client.get(f"/console/initiations/{retryable.initiation_id}").text
    assert asks not in page
    assert ">Retry<" in page


def test_an_empty_list_has_the_request_to_begin_with(client):
    page = client.get("/console").text
    assert "curl -sS http://localhost/data-actions/cobrowse" in page
    assert "/console/refused" in page


@pytest.mark.parametrize(("label", "red"), [("production", True), ("Prod", True), ("test org", False)])
def test_the_environment_has_a_label_and_production_a_red_one(bridge, label, red):
    page = console(bridge, about=ServiceInfo("1.2.3", label)).test_client().get("/console").text
    assert f'class="label{" production" if red else ""}">{label}<' in page
    assert "cobrowse-bridge 1.2.3" in page


def test_the_root_leads_to_the_console_or_says_where_to_go(service):
    answer = service().client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/console")
