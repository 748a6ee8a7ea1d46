"""Pictures of the console's pages, in both themes, on a desk and on a phone.

`python -m tests.browser.pictures` writes those of docs/images; `… FOLDER` writes every page there, to look at.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from cobrowse.model import Secret
from sandbox.server import start
from sandbox.state import LIVE
from tests.browser.conftest import FLAGS, find_chromium, served
from tests.browser.test_console_in_a_browser import PHONE, a_busy_hour
from tests.integration.conftest import Service, settings_on
from tests.integration.consoles import PASSWORD

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DESK = {"viewport": {"width": 1280, "height": 800}}
# What a README has room for.
PAPER = {"viewport": {"width": 1200, "height": 600}}


def write(folder, *, every):
    """The list in both themes; with `every`, each page there is."""
    with tempfile.TemporaryDirectory() as work, start(rate_limit=None) as box:
        settings = settings_on(box, Path(work), console_label="production", genesys_region="mypurecloud.com")
        bridge = Service(settings, None, None, {}, None)
        door = Service(settings_on(box, Path(work), console_password=Secret(PASSWORD)), None, None, {}, None)
        with served(bridge.app) as url, served(door.app) as locked, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
            for theme in ("light", "dark") if every else ():
                shoot(browser, folder, {"empty": f"{url}/console?q=nothing", "first": f"{url}/console"}, theme)
            waited, failed = a_busy_hour(bridge, box)
            for _ in range(3):
                bridge.post(key="a-wrong-key-of-somebodys", conversationId=LIVE)
            bridge.client.post("/webhooks/nobody", json={})
            one = f"{url}/console/initiations"
            pages = {"list": f"{url}/console"}
            if every:
                pages |= {
                    "waited": f"{one}/{waited.initiation_id}",
                    "failed": f"{one}/{failed.initiation_id}",
                    "absent": f"{one}/absent",
                    "refused": f"{url}/console/refused",
                    "senders": f"{url}/console/senders",
                    "root": f"{url}/",
                    "sign-in": f"{locked}/console",
                }
            for theme in ("light", "dark"):
                shoot(browser, folder, pages, theme, prefix="" if every else "console-", phone=every)
            browser.close()


def shoot(browser, folder, pages, theme, *, prefix="", phone=True):
    """A picture of each page in this theme."""
    for device, options in (("desk", DESK), ("phone", PHONE)) if phone else (("paper", PAPER),):
        page = browser.new_context(color_scheme=theme, locale="en-GB", **options).new_page()
        for name, url in pages.items():
            page.goto(url)
            end = f"-{device}" if phone else ""
            page.screenshot(path=folder / f"{prefix or name + '-'}{theme}{end}.png", full_page=phone)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="write every page here")
    asked = parser.parse_args().folder
    if asked is not None:
        asked.mkdir(parents=True, exist_ok=True)
    write(asked or IMAGES, every=asked is not None)
