"""cobrowse-bridge list, show and tail: what the ledger holds, for a person and for a program."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from sandbox.state import ENDED, VOICE, WEBCHAT
from tests.clocks import HANGS, wait_until
from tests.integration.conftest import ROOT
from tests.integration.test_command_line import PROGRAM, bridge

__all__ = ["bridge"]


@pytest.fixture
def filled(bridge):
    """The same, where two initiations have succeeded and one has failed."""
    for conversation, status in ((WEBCHAT, 0), (ENDED, 1), (VOICE, 0)):
        assert bridge("start", conversation).returncode == status
    return bridge


def test_the_newest_are_listed_in_aligned_columns(filled):
    done = filled("list")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["Ago", "Conversation", "Result", "Sender"]
    places = [head.index(word) for word in ("Conversation", "Result", "Sender")]
    cells = [[row[place:].split("  ")[0].rstrip() for place in places] for row in rows]
    assert [row[:2] for row in cells] == [
        [VOICE, "✓ initiated"],
        [ENDED, "✗ conversation_not_active"],
        [WEBCHAT, "✓ initiated"],
    ]
    assert all(sender.endswith("…") and "command-line".startswith(sender[:-1]) for _, _, sender in cells)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_list_is_filtered_and_cut(filled):
    assert [one["conversationId"] for one in json.loads(filled("list", "--failed", "--json").stdout)] == [ENDED]
    assert [one["conversationId"] for one in json.loads(filled("list", WEBCHAT[:8], "--json").stdout)] == [WEBCHAT]
    assert [one["conversationId"] for one in json.loads(filled("list", "--limit", "1", "--json").stdout)] == [VOICE]
    assert filled("list", "--sender", "nobody").stdout == "No results.\n"


def test_an_initiation_is_shown_with_its_cause_and_its_steps(filled):
    done = filled("show", ENDED[:13])
    assert done.stdout.startswith("✗ conversation_not_active\n")
    assert re.search(r"^  cause  conversation 4444.*\n", done.stdout, re.MULTILINE)
    assert re.search(r"^  hint   Cobrowse is added to a live conversation", done.stdout, re.MULTILINE)
    assert re.search(r"^  token .*━.* ms  done$", done.stdout, re.MULTILINE)
    assert "https://" not in filled("show", WEBCHAT).stdout
    answer = json.loads(filled("show", WEBCHAT, "--json").stdout)["answer"]
    assert (answer["status"], answer["joinUrl"]) == ("initiated", "•••")


def test_an_initiation_that_is_not_there_says_where_to_look(filled):
    done = filled("show", "nope")
    assert done.returncode == 1
    assert "→ cobrowse-bridge list shows what there is" in done.stderr


def test_what_became_of_a_start_is_told_from_the_record_and_if_asked_from_genesys(filled, box):
    looked = len(box.calls("conversation"))
    kept = filled("status", WEBCHAT)
    assert (kept.returncode, kept.stdout.splitlines()[0]) == (0, "✓ initiated")
    assert "→ --live asks Genesys how far the session is." in kept.stdout
    assert len(box.calls("conversation")) == looked
    box.state.change_cobrowse(WEBCHAT, "joined")
    live = filled("status", WEBCHAT, "--live")
    assert re.findall(r"^  (session|customer) +(\w+)$", live.stdout, re.MULTILINE) == [
        ("session", "joined"),
        ("customer", "yes"),
    ]
    told = json.loads(filled("status", WEBCHAT, "--live", "--json").stdout)
    assert (told["sessionState"], told["customerConnected"], told["answer"]["joinUrl"]) == ("joined", True, "•••")
    assert len(box.calls("conversation")) == looked + 2


def test_the_status_of_a_failed_start_has_its_cause_and_exits_1(filled, box):
    done = filled("status", ENDED, "--live")
    assert done.returncode == 1
    assert done.stdout.startswith("✗ conversation_not_active\n  cause  conversation 4444")
    assert filled("status", "nope").returncode == filled("status", "").returncode == 1
    ambiguous = filled("status", "0")
    assert ambiguous.returncode == 1
    assert "several conversations" in " ".join(ambiguous.stderr.split())
    away = filled("status", WEBCHAT, "--live", GENESYS_API_URL="http://127.0.0.1:1")
    assert (away.returncode, away.stderr[:24]) == (1, "✗ genesys_unavailable: c")
    assert "Traceback" not in away.stderr


def test_an_export_is_a_table_for_a_spreadsheet_or_an_object_a_line_and_holds_no_link(filled):
    shown = filled("export").stdout
    rows = list(csv.DictReader(shown.splitlines()))
    assert [(row["conversationId"], row["status"], row["errorCode"]) for row in rows] == [
        (VOICE, "initiated", ""),
        (ENDED, "failed", "conversation_not_active"),
        (WEBCHAT, "initiated", ""),
    ]
    lines = [json.loads(line) for line in filled("export", "--json").stdout.splitlines()]
    assert [line["initiationId"] for line in lines] == [row["initiationId"] for row in rows]
    assert list(lines[0]) == list(rows[0])
    assert "https://" not in shown
    (linked,) = csv.DictReader(filled("export", WEBCHAT, "--links").stdout.splitlines())
    assert linked["joinUrl"].startswith("https://")


def test_an_export_takes_the_lists_filters_and_a_time_range(filled):
    def found(*words):
        done = filled("export", "--json", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["conversationId"] for line in done.stdout.splitlines()]

    assert found("--failed") == [ENDED]
    assert found(WEBCHAT[:8]) == [WEBCHAT]
    assert found("--sender", "nobody") == []
    first, _, last = (json.loads(line)["created"] for line in filled("export", "--json").stdout.splitlines()[::-1])
    assert found("--since", last) == [VOICE]
    assert found("--until", last) == [ENDED, WEBCHAT]
    assert found("--since", "1h", "--until", first) == []
    wrong = filled("export", "--since", "1h", "--until", "2h")
    assert (wrong.returncode, "nothing can be between them" in wrong.stderr) == (2, True)


# What a background job of a shell inherits ignores Ctrl-C; a terminal's does not.
INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_tail_shows_some_and_then_each_as_it_ends(filled, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3"}
    seen = tmp_path / "seen"
    with seen.open("wb") as out:
        words = [sys.executable, "-c", INTERRUPTIBLE, *PROGRAM, "tail", "-n", "1", "--json"]
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=out)
    try:
        wait_until(lambda: seen.read_text().count("\n") == 1, "tail showed nothing")
        assert filled("start", ENDED).returncode == 1
        wait_until(lambda: seen.read_text().count("\n") == 2, "tail did not follow")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(HANGS) == 0
    lines = [json.loads(line) for line in seen.read_text().splitlines()]
    assert [line["conversationId"] for line in lines] == [VOICE, ENDED]
    assert [line["state"] for line in lines] == ["succeeded", "failed_final"]


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_and_can_be_turned_off(filled, tmp_path, variables, coloured):
    assert "\x1b" not in filled("list").stdout
    environment = {"PATH": "/usr/bin:/bin", "TERM": "xterm", "LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3"}
    ours, theirs = pty.openpty()
    subprocess.run([*PROGRAM, "list"], cwd=ROOT, env=environment | variables, stdout=theirs, timeout=HANGS, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert ("\x1b[32m✓" in shown) is coloured
