"""The scenarios of docs/sandbox.md, played as they stand on a service and a sandbox: each shows what the page says."""

import json
import re
import shutil
import subprocess
import threading
from contextlib import ExitStack

import pytest
from werkzeug.serving import make_server

from cobrowse.model import Secret
from sandbox.server import start
from tests.clocks import HANGS
from tests.contract.pages import PAGES, blocks
from tests.in_process import service

SCENARIOS = dict(re.findall(r"^## (\d+\. [^\n]+)\n(.*?)(?=^## |\Z)", PAGES["sandbox.md"], re.MULTILINE | re.DOTALL))
# A part of the hint or message of those whose remedy matters most.
SAID = {
    "2": "it still rings",
    "3": "The customer has left",
    "5": "allowed IP addresses",
    "6": "a firewall, CDN or proxy in between",
    "7": "Genesys-Access-Token",
    "10": "and none was made",
}

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the page's requests are made with curl")


@pytest.fixture
def desk(tmp_path):
    """A sandbox, and what plays a shell's lines on it and on a service: their output."""
    with ExitStack() as stack:
        box = stack.enter_context(start(api="native", auto_create=True))
        settings = {"sandbox": True, "api_keys": Secret(), "cobrowse_flow": "native", "deadline_seconds": 4.0}
        app, _ = stack.enter_context(service(box.url, tmp_path, **settings))
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)

        def play(script):
            script = script.replace("127.0.0.1:9099", f"127.0.0.1:{box.port}")
            script = script.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
            words = ["bash", "-euo", "pipefail", "-c", script]
            return subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANGS).stdout

        yield box, play


def test_there_are_ten_and_the_headings_are_numbered():
    assert [name.partition(".")[0] for name in SCENARIOS] == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_shows_what_the_page_says(scenario, desk):
    box, play = desk
    (told,), number = blocks(SCENARIOS[scenario], "json"), scenario.partition(".")[0]
    answers = play(blocks(SCENARIOS[scenario], "sh")[0]).replace("}{", "}\n{").splitlines()
    answer, expected = json.loads(answers[-1]), json.loads(told)
    assert {key: answer.get(key) for key in expected} == expected, answer["errorMessage"]
    assert SAID.get(number, "") in f"{answer['errorMessage']} {answer['errorHint']}"
    # Whatever went wrong, it went wrong as the page has it, and nobody was invited twice.
    assert all(fault["fired"] for fault in (asked.document() for asked in box.faults.all()))
    assert all(times == 1 for times in box.state.invitations().values())


def test_a_used_up_budget_says_the_rest_of_its_wait_and_asks_nothing(desk):
    box, play = desk
    script = blocks(SCENARIOS["10. The calls of this minute are used up"], "sh")[0]
    play(script)
    before = len(box.calls())
    answer = json.loads(play(script[script.rindex("curl") :]))
    assert 0 < answer["retryAfterSeconds"] <= 42
    assert len(box.calls()) == before
