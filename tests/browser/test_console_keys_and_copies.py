"""The console's keys, copies, times, attempts, filters and buttons, in a real Chromium."""

import json
import re

import pytest
from playwright.sync_api import expect

from sandbox.state import ENDED, VOICE, WEBCHAT
from tests.clocks import wait_until
from tests.integration.consoles import ask, console, failing

COPIES = ["clipboard-read", "clipboard-write"]
# Milliseconds for which the page says that it has copied something.
SAID = 1_500


def row(page, outcome):
    return page.locator(f"#row-{outcome.initiation_id}")


def copied(page):
    return page.evaluate("navigator.clipboard.readText()")


def test_keys_search_step_copy_and_help(site, open_page, bridge):
    first = ask(bridge, WEBCHAT)
    last = ask(bridge, VOICE)
    page = open_page(site, permissions=COPIES)
    page.keyboard.press("j")
    expect(row(page, last).locator("a.open")).to_be_focused()
    page.keyboard.press("j")
    expect(row(page, first).locator("a.open")).to_be_focused()
    page.keyboard.press("j")
    expect(row(page, first).locator("a.open")).to_be_focused()
    page.keyboard.press("k")
    expect(row(page, last).locator("a.open")).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert copied(page) == VOICE
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    # What is typed into a field is text.
    page.keyboard.type("j?/c")
    expect(page.get_by_label("Search")).to_have_value("j?/c")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_copy_key_copies_the_conversation_of_a_page_too(site, open_page, bridge):
    outcome = ask(bridge, WEBCHAT)
    page = open_page(f"{site}/initiations/{outcome.initiation_id}", stands=True, permissions=COPIES)
    page.keyboard.press("c")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert copied(page) == WEBCHAT


def test_ids_json_and_curl_are_copied_whole(site, open_page, bridge):
    outcome = ask(bridge, WEBCHAT, sender="architect", key="case-1")
    page = open_page(f"{site}/initiations/{outcome.initiation_id}", stands=True, permissions=COPIES)

    def text_of(button):
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator("#copied")).to_have_text("Copied")
        page.clock.run_for(SAID)
        expect(page.locator("#copied")).to_have_text("")
        return copied(page)

    wanted = {"conversation": WEBCHAT, "initiation": outcome.initiation_id, "correlation id": "corr-1", "key": "case-1"}
    assert {name: text_of(f"Copy {name}") for name in wanted} == wanted
    assert json.loads(text_of("Copy JSON"))["initiationId"] == outcome.initiation_id
    curl = text_of("Copy as curl")
    assert curl.startswith("curl -sS http://127.0.0.1:")
    assert WEBCHAT in curl


def test_what_was_copied_last_is_said_for_its_whole_time(site, open_page, bridge):
    outcome = ask(bridge, WEBCHAT)
    page = open_page(f"{site}/initiations/{outcome.initiation_id}", stands=True, permissions=COPIES)
    first, second = (page.get_by_role("button", name=f"Copy {name}", exact=True) for name in ("conversation", "JSON"))
    words = second.text_content()
    first.click()
    expect(first).to_have_text("Copied")
    page.clock.run_for(SAID - 500)
    second.click()
    expect(second).to_have_text("Copied")
    page.clock.run_for(SAID - 500)
    expect(first).to_have_text("Copy")
    expect(page.locator("#copied")).to_have_text("Copied")
    # Once more while it still says so.
    page.evaluate("navigator.clipboard.writeText('')")
    second.click()
    wait_until(lambda: copied(page))
    page.clock.run_for(SAID)
    expect(page.locator("#copied")).to_have_text("")
    expect(second).to_have_text(words)


def test_times_are_the_readers_own_with_zone_and_age_and_utc_on_hover(site, open_page, bridge):
    outcome = ask(bridge, WEBCHAT)
    page = open_page(site, timezone_id="Asia/Kolkata")
    time = row(page, outcome).locator("time")
    utc = time.get_attribute("datetime")
    expect(time).to_have_attribute("title", f"{utc[:19].replace('T', ' ')} UTC")
    minutes = int(utc[11:13]) * 60 + int(utc[14:16]) + 330
    expect(time).to_contain_text(f"{minutes // 60 % 24:02}:{minutes % 60:02}:{utc[17:19]}")
    expect(time).to_contain_text(re.compile(r"\d+ s ago"))
    expect(page.get_by_role("columnheader", name="Time")).to_contain_text(re.compile(r"GMT\+5:30|IST"))
    page.goto(f"{site}/initiations/{outcome.initiation_id}")
    expect(page.locator(".facts time").first).to_have_attribute("title", re.compile(r"UTC$"))


def test_each_attempt_has_its_tab(site, open_page, bridge, box):
    failed = failing(bridge, box, key="case-1")
    entry = bridge.initiate.ledger.read(failed.initiation_id)
    bridge.initiate.retry(entry, 3.0, "corr-of-the-second")
    page = open_page(f"{site}/initiations/{failed.initiation_id}")
    tabs = page.get_by_role("navigation", name="Attempts").get_by_role("link")
    expect(tabs).to_have_text([re.compile("Attempt 2 Initiated"), re.compile("Attempt 1 genesys_rate_limited")])
    expect(tabs.first).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", name="Why it failed")).to_have_count(0)
    tabs.nth(1).click()
    expect(tabs.nth(1)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", name="Why it failed")).to_be_visible()
    expect(page.locator("article")).to_contain_text("corr-1")
    tabs.first.click()
    expect(page.locator("article")).to_contain_text("corr-of-the-second")


def test_filters_hold_for_the_figures_too(site, open_page, bridge):
    ask(bridge, WEBCHAT, sender="crm")
    ask(bridge, ENDED, sender="architect")
    page = open_page(site)
    expect(page.locator("#figure-rate")).to_contain_text("2 in the last hour")
    page.get_by_label("Sender").select_option("crm")
    page.get_by_label("Time").select_option("15 minutes")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("region", name="The last 15 minutes")).to_be_visible()
    expect(page.locator("#figure-rate")).to_contain_text("1 in the last 15 minutes")
    expect(page.locator("#figure-success")).to_contain_text("1 of 1, 0 failed")


def test_a_permanent_failure_is_run_again_only_after_a_question(site, open_page, bridge):
    failed = ask(bridge, ENDED)
    page = open_page(f"{site}/initiations/{failed.initiation_id}")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    page.get_by_text("Retry…").click()
    expect(page.get_by_text("until its cause is fixed")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("Attempt 2 has ended: failed (permanent)")


@pytest.fixture
def native(service):
    return service(deadline_seconds=3.0, cobrowse_flow="native")


def test_a_session_is_ended_by_its_button(native, serve, open_page, box):
    url = serve(console(native))
    started = ask(native, WEBCHAT)
    page = open_page(f"{url}/console/initiations/{started.initiation_id}")
    page.get_by_role("button", name="End session").click()
    expect(page.locator("article .chip").first).to_have_text("Ended")
    expect(page.locator(".facts")).to_contain_text(started.initiation_id)
    page.goto(f"{url}/console/initiations/{started.initiation_id}")
    expect(page.get_by_role("button", name="End session")).to_have_count(0)


def test_refusals_and_senders_appear_by_themselves(bridge, serve, open_page):
    url = serve(bridge.app)
    refused = open_page(f"{url}/console/refused")
    expect(refused.get_by_text("Nothing was refused")).to_be_visible()
    expect(refused.get_by_text("Live", exact=True)).to_be_visible()
    assert bridge.post(key="a-wrong-key-of-somebodys", conversationId=WEBCHAT).status_code == 401
    expect(refused.get_by_role("row").filter(has_text="not_authenticated")).to_be_visible()
    senders = open_page(f"{url}/console/senders")
    expect(senders.get_by_text("Live", exact=True)).to_be_visible()


HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>"


def test_what_a_sender_wrote_runs_nowhere(bridge, serve, open_page, box):
    box.faults.add(operation="create", kind="status", status=400, message=HOSTILE)
    written = {"key": HOSTILE, "sender": HOSTILE, "requested_by": HOSTILE, "correlation_id": HOSTILE}
    failed = ask(bridge, WEBCHAT, **written)
    url = serve(bridge.app)
    page = open_page(f"{url}/console", permissions=COPIES)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    row(page, failed).locator("a.open").click()
    expect(page.get_by_role("heading", name="Why it failed")).to_be_visible()
    page.get_by_role("button", name="Copy key", exact=True).click()
    expect(page.locator("#copied")).to_have_text("Copied")
    assert copied(page) == HOSTILE
    # Comes live, from the script's own look.
    second = ask(bridge, VOICE, **written | {"key": f"{HOSTILE}2"})
    expect(row(page, second)).to_be_visible()
    bridge.client.post("/webhooks/nobody", json={}, headers={"X-Correlation-Id": HOSTILE, "Content-Type": HOSTILE})
    page.goto(f"{url}/console/refused")
    expect(page.get_by_role("row").filter(has_text="not_found")).to_be_visible()
    assert page.locator("img, main script").count() == 0
