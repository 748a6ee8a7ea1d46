"""The console on a socket, and a headless Chromium that looks at it."""

import os
import shutil
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect, sync_playwright
from werkzeug.serving import make_server

from tests.clocks import HANGS
from tests.integration.conftest import box, service, shared_box  # noqa: F401 - fixtures
from tests.integration.consoles import console

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# For each context it would make the pages of its own address bar and a spare renderer, which doubles a test's CPU time.
# The list takes the place of Playwright's.
WITHOUT = (
    "HttpsUpgrades",
    "OptimizationHints",
    "PaintHolding",
    "SpareRendererForSitePerProcess",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
)
# It may call home for updates and lists, and it is often run as root in a container, where its sandbox can't be had.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    f"--disable-features={','.join(WITHOUT)}",
    # As few processes as may be: each is started anew for a context, and costs a sixth of a test's CPU time.
    "--in-process-gpu",
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
)

expect.set_options(timeout=1000 * HANGS)


def find_chromium():
    """The path of an installed Chromium; None without one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


# Not for the session: while it is there, asyncio has a loop running, and other tests want one of their own.
@pytest.fixture(scope="module")
def chromium():
    """An installed Chromium. Without one these tests are skipped, or fail where REQUIRE_CHROMIUM=1."""
    found = find_chromium()
    if found is None:
        words = f"no Chromium is installed (looked for {', '.join(NAMES)}); Debian's package is chromium"
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail(words)
        pytest.skip(words)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def served(app, port=0):
    """The app on this port, or one of its own: its URL."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    server.log_startup = lambda: None
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve():
    """Serves apps until all pages are closed: a request of theirs that a server's end cuts off is a complaint."""
    with ExitStack() as stack:
        yield lambda app, port=0: stack.enter_context(served(app, port))


@pytest.fixture
def bridge(service):  # noqa: F811 - the fixture
    return service(deadline_seconds=3.0)


@pytest.fixture
def site(bridge, serve):
    """The console's address."""
    return f"{serve(console(bridge))}/console"


def failure_of(request):
    """What a failed request says; one that was cut off because its page was left is none."""
    return [] if "ERR_ABORTED" in str(request.failure) else [f"failed: {request.url} {request.failure}"]


@pytest.fixture
def open_page(chromium, serve):
    """A factory of pages. Whatever a page complains of, a policy's violation say, fails the test.

    Where time `stands`, a page's timers wait until the test runs its clock.
    """
    contexts, complaints = [], []

    def build(url="", *, stands=False, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, "locale": "en-GB"} | options)
        context.set_default_timeout(1000 * HANGS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.extend(failure_of(request)))
        if stands:
            page.clock.install(time=datetime.now(UTC))
        if url:
            page.goto(url)
        if stands:
            page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
        return page

    build.complaints = complaints
    yield build
    for context in contexts:
        context.close()
    assert complaints == []
