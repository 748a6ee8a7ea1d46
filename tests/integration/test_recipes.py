"""Every recipe of docs/senders.md, played: `send NAME --example` against the running service starts one session."""

import json
import re

import pytest
from click.testing import CliRunner

from cli import program
from integrations.senders.sample_deliveries import sample_delivery, sample_names
from sandbox.server import start
from tests.integration.conftest import ROOT, running_gunicorn
from tests.payloads import BASE_URL, environ

EXAMPLE = ROOT / "senders.example.toml"
SECRETS = environ(EXAMPLE.read_text())
NAMES = re.findall(r"(?m)^\[senders\.([\w-]+)\]$", EXAMPLE.read_text())


@pytest.fixture(scope="module")
def sandbox():
    with start(rate_limit=None) as box:
        yield box


@pytest.fixture(scope="module")
def play(gunicorn_forks, sandbox, tmp_path_factory):
    """Runs `cobrowse-bridge send` with these words against one service that has every row."""
    variables = {**SECRETS, "SENDERS_FILE": str(EXAMPLE), "PUBLIC_BASE_URL": BASE_URL}
    known = {"SANDBOX": "true", "GENESYS_API_URL": sandbox.url, "GENESYS_LOGIN_URL": sandbox.url, **variables}
    with running_gunicorn(gunicorn_forks.start, sandbox, tmp_path_factory.mktemp("recipes")) as run:
        server = run(**variables)

        def send(*words):
            words = ["send", *words, "--url", server.url]
            return CliRunner().invoke(program, words, env=known)

        yield send


def answer_in(done):
    """The JSON that came back; None for XML."""
    told = done.stdout[done.stdout.index("< HTTP") :]
    return json.loads(told[told.index("{") :]) if "{" in told else None


def test_every_row_has_an_example_and_no_example_is_of_no_row():
    assert sorted(NAMES) == sample_names()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipes_example_starts_exactly_one_session_however_often_it_is_sent(play, sandbox, name):
    conversation = sandbox.state.add(sample_delivery(name).channel).id
    words = (name, "--example", "--conversation", conversation)
    # Genesys names no conversation in such a message: nothing is started.
    words = (*words, "--expect-ignored") if name == "open-messaging" else words
    first = play(*words)
    assert first.exit_code == 0, first.output
    again = play(*words)
    assert again.exit_code == 0, again.output
    if name == "open-messaging":
        assert answer_in(first)["status"] == "ignored"
        assert sandbox.invitations(conversation) == 0
        return
    assert sandbox.invitations(conversation) == 1
    for secret in SECRETS.values():
        assert secret not in first.output


def test_chats_are_told_in_words(play, sandbox):
    for name in ("slack", "teams"):
        told = answer_in(play(name, "--example", "--conversation", sandbox.state.add("webchat").id))
        assert told["text"] == "Cobrowse is started: the customer has the invitation."
    assert told["type"] == "message"


def test_chats_are_told_of_a_failure_in_words_and_with_200(play):
    done = play("slack", "--example", "--conversation", "99999999-9999-4999-8999-999999999999")
    assert "< HTTP 200" in done.stdout
    assert done.exit_code == 1
    assert answer_in(done)["text"].startswith("Cobrowse was not started: ")


def test_either_a_file_or_the_example_is_sent(play, tmp_path):
    payload = tmp_path / "x.json"
    payload.write_text("{}")
    for words in ((), ("--example", "--file", str(payload))):
        done = play("crm", *words)
        assert done.exit_code == 2
        assert "either --file FILE or --example" in done.output
