"""The console as a person meets it: in a real Chromium, live, by keyboard, in both themes, on a phone, scriptless."""

import itertools
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cobrowse.ledger import Claim, Lease, lock_key_for
from cobrowse.model import Command
from console.views import PAGE
from sandbox.state import EMAIL, ENDED, LIVE, MESSAGE, VOICE, WEBCHAT
from tests.integration.consoles import ask, failing

PHONE = {"viewport": {"width": 380, "height": 800}}
# Longer than the script waits between two looks.
LOOK = 3_500
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
LONG = "a-key-without-any-place-to-break-it-" + "x" * 200
_numbers = itertools.count(1)


def row(page, outcome):
    return page.locator(f"#row-{outcome.initiation_id}")


def fits(page):
    """Whether the page is no wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def a_busy_hour(bridge, box):
    """One initiation or more of every kind there is."""
    for _ in range(8):
        ask(bridge, box.add_conversation("webchat").id, requested_by="Ann Lee", key=f"case-{next(_numbers)}")
    box.faults.add(operation="create", kind="status", status=429, retry_after=0.4)
    waited = ask(bridge, VOICE, sender="architect", credential="flow")
    box.faults.add(operation="attach", kind="lag", seconds=60)
    ask(bridge, MESSAGE, requested_by="maria.gonzalez@example.com")
    failed = failing(bridge, box, WEBCHAT, key=LONG, requested_by="Dr. Kwabena Boateng-Mensah of the second line")
    for conversation in (ENDED, EMAIL):
        ask(bridge, conversation, sender="architect")
    ask(bridge, LIVE, reuse_live_session=True, key="case-live")
    for name, lease in (("held", 600.0), ("gone", 0.0)):
        command = Command("crm", "c", 5.0, WEBCHAT, key=name, requested_by="Ann Lee")
        bridge.initiate.ledger.claim(Claim(f"id-{name}", lock_key_for(command, ""), "worker", command, lease))
    return waited, failed


def test_the_page_has_its_landmarks_its_heading_and_a_name_for_everything(site, open_page, bridge, box):
    a_busy_hour(bridge, box)
    page = open_page(site)
    for landmark in ("banner", "main", "search"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Initiations")
    assert page.title() == "Initiations · Cobrowse console"
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.get_by_role("region", name="The last hour")).to_be_visible()
    expect(page.get_by_role("table", name="Initiations, the newest first")).to_be_visible()
    expect(page.get_by_role("columnheader")).to_have_count(8)
    for label in ("Search", "State", "Sender"):
        expect(page.get_by_label(label, exact=True)).to_have_count(1)
    for name in ("Initiations", "Success", "Duration", "Upstream calls", "429s"):
        expect(page.locator(".figure").filter(has_text=name).first).to_be_visible()
    controls = "[...document.querySelectorAll('a, button, input:not([type=hidden]), select')]"
    assert page.evaluate(f"{controls}.filter(each => !(each.labels?.length || each.textContent.trim())).length") == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_a_new_initiation_appears_by_itself_and_is_told_once(site, open_page, bridge):
    first = ask(bridge, WEBCHAT)
    page = open_page(site)
    expect(row(page, first)).to_be_visible()
    page.evaluate("window.same = true")
    second = ask(bridge, ENDED)
    expect(row(page, second)).to_contain_text("conversation_not_active")
    assert page.locator("tbody.row").first.get_attribute("id") == f"row-{second.initiation_id}"
    expect(page.get_by_role("status")).to_have_text("1 new initiation")
    expect(page.locator("#figure-rate")).to_contain_text("2 in the last hour")
    third = ask(bridge, VOICE)
    expect(row(page, third)).to_be_visible()
    # A screen reader is not talked to at each of them.
    expect(page.get_by_role("status")).to_have_text("1 new initiation")
    assert page.evaluate("window.same") is True


def test_a_filter_holds_for_what_comes_live(site, open_page, bridge):
    page = open_page(site)
    page.get_by_label("State").select_option("Succeeded")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("state=succeeded"))
    failed = ask(bridge, ENDED)
    started = ask(bridge, WEBCHAT)
    expect(row(page, started)).to_be_visible()
    expect(row(page, failed)).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(row(page, failed)).to_be_visible()


def test_a_row_opens_and_closes_by_keyboard_where_it_stands(site, open_page, bridge, box):
    waited, _ = a_busy_hour(bridge, box)
    page = open_page(site)
    page.get_by_role("button", name="Filter").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody')?.id") == f"row-{waited.initiation_id}":
            break
    opener = row(page, waited).get_by_role("button", expanded=False)
    expect(opener).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    inside = row(page, waited).get_by_role("article")
    expect(inside).to_contain_text("after 429")
    expect(row(page, waited).get_by_role("button", expanded=True)).to_be_focused()
    page.keyboard.press("Space")
    expect(inside).to_have_count(0)
    page.keyboard.press("Space")
    expect(inside).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(inside).to_have_count(0)
    expect(opener).to_be_focused()
    assert page.url == site


def test_a_click_anywhere_in_a_row_opens_it_and_the_columns_stay_where_they_are(site, open_page, bridge, box):
    waited, failed = a_busy_hour(bridge, box)
    page = open_page(site)
    before = row(page, waited).locator(".sender").bounding_box()
    row(page, waited).locator(".sender").click()
    expect(row(page, waited).locator(".waterfall")).to_be_visible()
    row(page, failed).locator(".sender").click()
    expect(row(page, failed).get_by_role("heading", name="Why it failed")).to_be_visible()
    after = row(page, waited).locator(".sender").bounding_box()
    assert (before["x"], before["width"]) == (after["x"], after["width"])


def test_what_is_open_stays_open_while_others_come(site, open_page, bridge):
    outcome = ask(bridge, WEBCHAT)
    page = open_page(site)
    row(page, outcome).locator("a.open").click()
    row(page, outcome).get_by_text("Response (secrets masked)").click()
    expect(row(page, outcome).locator("pre")).to_be_visible()
    expect(row(page, ask(bridge, VOICE))).to_be_visible()
    expect(row(page, outcome).locator("pre")).to_be_visible()
    assert outcome.session.join_url.reveal() not in page.content()
    assert "•••" in row(page, outcome).locator("pre").inner_text()


def test_the_link_to_older_ones_keeps_the_keyboard_while_others_come(site, open_page, bridge):
    for _ in range(PAGE):
        ask(bridge, EMAIL)
    first = ask(bridge, WEBCHAT)
    page = open_page(site)
    older = page.get_by_role("link", name="Older initiations")
    older.focus()
    expect(row(page, ask(bridge, MESSAGE))).to_be_visible()
    expect(row(page, first)).to_be_visible()
    expect(older).to_be_focused()


def test_the_waterfall_is_drawn_to_scale(site, open_page, bridge, box):
    waited, _ = a_busy_hour(bridge, box)
    page = open_page(f"{site}/initiations/{waited.initiation_id}")
    [wait] = [span for span in waited.spans if span.kind == "wait"]
    width = page.locator(".waterfall .bar svg").first.bounding_box()["width"]
    line = page.locator(".waterfall .waiting").bounding_box()
    total = max(span.start + span.seconds for span in waited.spans)
    total = max(total, waited.seconds)
    assert line["width"] == pytest.approx(width * wait.seconds / total, abs=3)
    band = page.locator(".waterfall .wait .within").bounding_box()
    assert band["x"] - 1 <= line["x"]
    assert line["x"] + line["width"] <= band["x"] + band["width"] + 1
    expect(page.locator(".axis")).to_contain_text("0 ms")
    expect(page.locator(".waterfall .call.throttled .result")).to_have_text("429")


def test_the_waterfall_keeps_to_its_column_at_any_width(site, open_page, bridge, box):
    page = open_page(f"{site}/initiations/{a_busy_hour(bridge, box)[0].initiation_id}")
    for width in (340, 830, 840, 1120, 1200, 1247, 1249, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        edges = [page.locator(f".detail {part}").bounding_box() for part in ("> .result", ".waterfall")]
        column, waterfall = (edge["x"] + edge["width"] for edge in edges)
        assert waterfall <= column + 1, f"it juts out at {width}"


def test_a_hidden_page_asks_for_nothing_and_catches_up_once_it_is_seen(site, open_page, bridge):
    page = open_page(site)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(HIDE, True)
    outcome = ask(bridge, WEBCHAT)
    page.wait_for_timeout(LOOK)
    assert [url for url in asked if "part=" in url] == []
    page.evaluate(HIDE, False)
    expect(row(page, outcome)).to_be_visible()


def test_updates_can_be_paused_and_resumed(site, open_page, bridge):
    page = open_page(site)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused")).to_be_visible()
    outcome = ask(bridge, WEBCHAT)
    page.wait_for_timeout(LOOK)
    expect(row(page, outcome)).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(row(page, outcome)).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_service_that_goes_away_is_reported(site, open_page):
    page = open_page(site)
    page.route("**/console?part=1", lambda route: route.abort())
    expect(page.get_by_text("Not reachable, retrying")).to_be_visible()
    page.unroute("**/console?part=1")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    # What the browser itself says of it is what was meant to happen.
    assert all("part=1" in words or "ERR_FAILED" in words for words in open_page.complaints)
    open_page.complaints.clear()


def test_a_failed_one_is_run_again_from_its_row(site, open_page, bridge, box):
    failed = failing(bridge, box, key="case-1")
    page = open_page(site)
    row(page, failed).locator("a.open").click()
    row(page, failed).get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("Attempt 2 has ended: initiated")
    expect(page).to_have_url(re.compile(failed.initiation_id))
    assert box.invitations(WEBCHAT) == 1
    page.go_back()
    expect(row(page, failed)).to_contain_text("Initiated")


def test_a_running_one_is_followed_to_its_end(site, open_page, bridge, box):
    failed = failing(bridge, box, key="case-1")
    held = bridge.initiate.ledger.reclaim(Lease(failed.initiation_id, "by-hand"), 3.0)
    assert held is not None
    page = open_page(f"{site}/initiations/{failed.initiation_id}")
    expect(page.locator("article .chip").first).to_have_text("Running")
    expect(page.locator("article .chip").first).to_have_text("Interrupted")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("Attempt 3 has ended: initiated")


def test_without_scripts_every_link_and_form_works_as_a_page(site, open_page, bridge, box):
    failed = failing(bridge, box)
    ask(bridge, VOICE, sender="architect")
    page = open_page(site, java_script_enabled=False)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_label("Search").fill(WEBCHAT[:8])
    page.keyboard.press("Enter")
    expect(page.locator("tbody.row")).to_have_count(1)
    row(page, failed).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(failed.initiation_id)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("initiated")


def test_the_way_past_the_header_works(site, open_page):
    page = open_page(site)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_list_fits_a_window_of_any_width(site, open_page, bridge, box):
    a_busy_hour(bridge, box)
    page = open_page(site)
    for width in (340, 830, 1024, 1160, 1170, 1263, 1265):
        page.set_viewport_size({"width": width, "height": 800})
        assert fits(page), f"it is wider than {width}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_readable_in_both_themes_and_fits_a_phone(site, open_page, bridge, box, theme):
    waited, failed = a_busy_hour(bridge, box)
    for device, options in (("desk", {}), ("phone", PHONE)):
        page = open_page(site, color_scheme=theme, **options)
        for name in ("list", "open", "waited", "failed", "absent", "refused", "senders"):
            if name == "open":
                for outcome in (waited, failed):
                    row(page, outcome).locator("a.open").click()
                    expect(row(page, outcome).locator(".waterfall")).to_be_visible()
            elif name in ("refused", "senders"):
                page.goto(f"{site}/{name}")
            elif name != "list":
                path = {"waited": waited.initiation_id, "failed": failed.initiation_id}.get(name, "absent")
                page.goto(f"{site}/initiations/{path}")
            assert fits(page), f"{name} on the {device} is wider than its window"
            contrast = page.evaluate(CONTRAST)
            assert contrast["seen"] > 5
            assert contrast["poor"] == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 380) is (theme == "light")
    assert [words for words in open_page.complaints if "404" not in words] == []
    open_page.complaints.clear()
