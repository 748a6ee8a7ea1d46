"""The commands without a service: what each takes, prints and exits with."""

import contextlib
import json
import os
import re
import socket
from contextlib import closing
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner
from werkzeug.security import check_password_hash

from cli import COMMANDS, program
from commands.group import Group, run
from commands.send import is_as_expected
from integrations.ledger import connect
from integrations.refusals import Refusal
from integrations.senders.response_policies import acknowledgement
from schemas.console_users import parse_users

PASSWORD = "a-password-of-ann"
ROW = '[senders.crm]\nsignature = "github"\nsecrets = ["$CRM"]\nenvelope = "custom"\n'


@pytest.fixture
def bridge(tmp_path):
    """Runs a command in an empty folder with these variables and no other setting: exit status, output and errors."""
    runner, here = CliRunner(), tmp_path / "here"
    here.mkdir()

    def call(*words, stdin="", **variables):
        # With what a .env may add, so that it is taken away again.
        bare = dict.fromkeys({*os.environ, "LEDGER_URL", "LOG_LEVEL"} - {"PATH", "HOME"})
        with contextlib.chdir(here), runner.isolation(stdin, {**bare, **variables}) as (out, err, _):
            try:
                status = run(program, words)
            except SystemExit as ended:
                status = ended.code
            return status, out.getvalue().decode(), " ".join(err.getvalue().decode().split())

    return call


def every(group=program, before=()):
    """Each command with the words that name it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*before, name), command
        if isinstance(command, Group):
            yield from every(command, (*before, name))


EVERY = dict(every())
# Run until they are stopped, and have nothing to print but their log.
WITHOUT_JSON = {("listen",), ("ledger",)}


@pytest.mark.parametrize("words", [(), *EVERY], ids=" ".join)
def test_the_help_fits_eighty_columns_and_is_not_cut(bridge, words):
    status, shown, _ = bridge(*words, "--help", COLUMNS="80")
    assert status == 0
    assert [line for line in shown.splitlines() if len(line) > 80 or line.endswith("...")] in ([], [usage(shown)])


def usage(shown):
    """A group's usage ends with the dots of what may follow."""
    return next(line for line in shown.splitlines() if line.startswith("Usage:"))


def test_every_command_speaks_json():
    silent = {words for words, command in EVERY.items() if not {"--json"} & {o for p in command.params for o in p.opts}}
    assert silent == WITHOUT_JSON
    assert {words[0] for words in EVERY} == COMMANDS.keys()


@pytest.mark.parametrize("words", [words for words in EVERY if words != ("serve",)], ids=" ".join)
def test_an_option_that_there_is_not_is_one_clear_line(bridge, words):
    status, shown, told = bridge(*words, "--nonsense")
    assert (status, shown) == (2, "")
    assert told.startswith("✗ No such option")
    assert told.endswith("--help lists what it takes.")


ON_SANDBOX = {"SANDBOX": "true"} | dict.fromkeys(("GENESYS_API_URL", "GENESYS_LOGIN_URL"), "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("words", "variables", "status", "why"),
    [
        (("sandbox", "--port", "99999"), {}, 2, "99999 is not in the range 0<=x<=65535"),
        (("sandbox", "--port", "soon"), {}, 2, "'soon' is not a valid integer range"),
        (("sandbox", "--rate-limit", "-1"), {}, 2, "-1 is not in the range x>=0"),
        (("sandbox", "--host", "0.0.0.0"), {}, 1, "→ --allow-remote lets other machines reach it"),
        (("listen", "--metrics-port", "-1"), {}, 2, "-1 is not in the range 0<=x<=65535"),
        (("list", "--env-file", "gone"), {}, 2, "File 'gone' does not exist"),
        (("list", "--env-file", "."), {}, 2, "File '.' is a directory"),
        (("list",), {"LEDGER_URL": "sqlite:////proc/none/l.sqlite3"}, 1, "→ Check that LEDGER_URL's directory exists"),
        (("list",), {"LEDGER_URL": "nonsense"}, 2, "LEDGER_URL must be sqlite:///relative/file"),
        (("list", "--failed", "--refused"), {}, 2, "give one of them"),
        (("send", "crm", "--header", "Foo", "--example"), {}, 2, "'Foo' is not a header such as 'X-Name: value'"),
        (("send", "crm", "--url", "ftp://x", "--example"), {}, 2, "'ftp://x' is not an address such as http://127"),
        (("send", "crm", "--file", "gone"), {}, 2, "File 'gone' does not exist"),
        (
            ("send", "crm", "--example"),
            ON_SANDBOX,
            2,
            "SENDERS_FILE: names no file that has a sender; copy senders.example.toml",
        ),
        (("senders",), {"SENDERS_FILE": "gone"}, 2, "gone: can't be read: No such file or directory"),
        (("start", "nope"), ON_SANDBOX, 2, "'nope' is not a conversation id"),
        (("end",), ON_SANDBOX, 2, "Give either a CONVERSATION_ID or --initiation ID"),
        (("status", "x", "--live"), {}, 2, "GENESYS_CLIENT_ID: required"),
        (("doctor", "--conversation"), {}, 2, "Option '--conversation' requires an argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_one_clear_line_with_a_remedy(bridge, words, variables, status, why):
    ended, shown, told = bridge(*words, **variables)
    assert (ended, shown) == (status, "")
    assert why in told
    assert told.startswith("✗ ")
    assert "→ " in told


@pytest.mark.parametrize("content", [b"\xff\xfeL", "LEDGER_URL=nonsense".encode("utf-16")])
def test_an_env_file_that_is_no_text_is_named(bridge, tmp_path, content):
    (tmp_path / "here/.env").write_bytes(content)
    for words in (("list",), ("senders",), ("serve", "--check")):
        status, _, told = bridge(*words)
        assert (status, told.partition(" →")[0]) == (1, "✗ .env can't be read: it is not a text in UTF-8.")


@pytest.mark.parametrize(
    ("content", "which"),
    [
        ("LOG_LEVEL=INFO\nLEDGER_URL sqlite:///here\n", "line 2 is"),
        ("# x\n\nA=\"open\nB='shut' secret-word\nC=3\n", "lines 3, 4 are"),
        ("a b\n" * 9, "lines 1, 2, 3, 4, 5 are"),
    ],
)
def test_a_line_of_an_env_file_that_is_no_variable_is_named_and_not_shown(bridge, tmp_path, content, which):
    (tmp_path / "here/.env").write_text(content)
    status, _, told = bridge("list")
    assert (status, told.partition(" →")[0]) == (1, f"✗ .env can't be read: {which} not of the form NAME=value.")
    assert "secret-word" not in told


@pytest.mark.parametrize(
    ("words", "in_order"),
    [
        ("--env-file x serve", "serve --env-file x"),
        ("--env-file=x serve --check", "serve --env-file=x --check"),
        ("--json --env-file x doctor", "doctor --json --env-file x"),
        ("--env-file list serve", "serve --env-file list"),
        ("--env-file x ledger upgrade --json", "ledger upgrade --env-file x --json"),
        ("ledger --env-file x upgrade", "ledger upgrade --env-file x"),
        ("--json senders", "senders --json"),
        ("senders --json check x", "senders check --json"),
        ("senders --env-file here.env check x", "senders check --env-file here.env"),
    ],
)
def test_an_option_before_its_command_is_refused_with_the_right_order(bridge, tmp_path, words, in_order):
    (tmp_path / "here/here.env").touch()
    status, shown, told = bridge(*words.split(), COLUMNS="80")
    assert (status, shown) == (2, "")
    assert re.fullmatch(rf"✗ --(json|env-file) belongs after the command's name\. → cobrowse-bridge {in_order}", told)


@pytest.mark.parametrize(
    "words", ["--port 80 serve", "--nonsense list", "--env-file", "--env-file serve", "--env-file x y"]
)
def test_an_option_that_no_named_command_takes_is_unknown(bridge, words):
    option = words.split()[0]
    status, _, told = bridge(*words.split())
    assert (status, told) == (2, f"✗ No such option '{option}'. → cobrowse-bridge --help lists what it takes.")


def test_an_env_file_may_come_from_windows(bridge, tmp_path):
    (tmp_path / "here/.env").write_bytes(b"\xef\xbb\xbfLEDGER_URL=sqlite:///windows.sqlite3\r\nLOG_LEVEL=INFO\r\n")
    assert bridge("ledger", "upgrade")[0] == 0
    assert (tmp_path / "here/windows.sqlite3").exists()


REFUSALS = tuple(
    Refusal(
        first=datetime(2026, 11, 27, 9, minute, tzinfo=UTC),
        last=datetime(2026, 11, 27, 9, minute, 30, tzinfo=UTC),
        sender=sender,
        code="signature_invalid",
        status=401,
        address="203.0.113.9",
        message="the signature does not fit this request",
        hint="Compare the secret with the sender's.",
        correlation_id=f"corr-{sender}",
        count=count,
    )
    for minute, sender, count in ((1, "crm", 3), (2, "shop", 1))
)


@pytest.fixture
def refused(bridge, tmp_path):
    """The command, in a folder whose ledger has two refusals on record."""
    with closing(connect(f"sqlite:///{tmp_path}/here/ledger.sqlite3", keys=(), retention_seconds=10**9)) as ledger:
        ledger.refusals.add(REFUSALS)
    return lambda *words: bridge("list", "--refused", *words)


def test_what_was_refused_is_listed_with_count_cause_and_remedy_the_newest_first(refused):
    status, shown, _ = refused()
    assert status == 0
    shop, crm = shown.split("✗ ")[1:]
    assert shop.startswith("401 signature_invalid  shop  27 Nov ")
    assert crm.startswith("401 signature_invalid  crm  3 times, 27 Nov ")
    for each in (shop, crm):
        assert "  cause    the signature does not fit this request\n" in each
        assert "  hint     Compare the secret with the sender's.\n" in each
        assert "  address  203.0.113.9\n" in each


def test_what_was_refused_is_filtered_and_is_json_if_asked(refused, bridge):
    [crm] = json.loads(refused("--sender", "crm", "--json")[1])
    assert (crm["sender"], crm["count"], crm["first"]) == ("crm", 3, "2026-11-27T09:01:00+00:00")
    assert [each["sender"] for each in json.loads(refused("corr-shop", "--json")[1])] == ["shop"]
    assert [each["sender"] for each in json.loads(refused("--limit", "1", "--json")[1])] == ["shop"]
    assert refused("--sender", "nobody")[1] == "No refused requests.\n"


def test_a_port_that_is_taken_is_named(bridge, tmp_path):
    (tmp_path / "here/senders.toml").write_text('[listen]\nqueues = ["22222222-2222-4222-8222-222222222222"]\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, told = bridge("sandbox", "--port", port)
        assert (status, f"✗ The sandbox has not started: 127.0.0.1:{port} is in use by another process." in told) == (
            1,
            True,
        )
        assert f"→ Choose another --port, or end the process that this shows: ss -ltnp 'sport = :{port}'" in told
        status, _, told = bridge("listen", "--metrics-port", port, SENDERS_FILE="senders.toml", **ON_SANDBOX)
    cause = f"✗ /metrics can't be served: 127.0.0.1:{port} is in use by another process."
    assert (status, cause in told) == (1, True)
    assert f"→ Choose another --metrics-port, or end the process that this shows: ss -ltnp 'sport = :{port}'" in told


def test_a_persons_entry_is_printed_with_the_passwords_hash_and_never_the_password(bridge):
    status, row, told = bridge("console-user", "ann", "--role", "viewer", stdin=f"{PASSWORD}\n")
    assert (status, told) == (0, "")
    (user,) = parse_users([row.strip()])
    assert (user.name, user.role) == ("ann", "viewer")
    assert check_password_hash(user.password_hash.replace(".", "$"), PASSWORD)
    assert PASSWORD not in row


def test_a_persons_entry_is_json_if_asked(bridge):
    status, shown, _ = bridge("console-user", "ann", "--json", stdin=f"{PASSWORD}\r\n")
    told = json.loads(shown)
    assert (status, told["name"], told["role"]) == (0, "ann", "operator")
    assert parse_users([told["entry"]])[0].name == "ann"


@pytest.mark.parametrize(
    ("words", "stdin", "why"),
    [
        (("ann",), "short\n", "the password must be 12 bytes or longer"),
        (("ann",), "", "the password must be 12 bytes or longer"),
        (("ann:x",), f"{PASSWORD}\n", "'ann:x' is not a name"),
        (("ann", "--role", "admin"), f"{PASSWORD}\n", "'admin' is not one of 'viewer', 'operator'"),
        ((), f"{PASSWORD}\n", "Missing argument 'NAME'"),
    ],
)
def test_an_entry_that_could_not_be_used_is_refused(bridge, words, stdin, why):
    status, shown, told = bridge("console-user", *words, stdin=stdin)
    assert (status, shown) == (2, "")
    assert why in told
    assert PASSWORD not in told


STARTED, FAILED, IGNORED = (
    {"success": True, "status": "initiated"},
    {"success": False, "status": "failed"},
    {"success": False, "status": "ignored"},
)


@pytest.mark.parametrize(
    ("answer", "started", "ignored"),
    [
        (STARTED, True, False),
        (FAILED, False, False),
        (IGNORED, False, True),
        ({"results": [STARTED, STARTED]}, True, False),
        ({"results": [STARTED, FAILED]}, False, False),
        ({"results": [STARTED, IGNORED]}, False, False),
        ({"results": [IGNORED]}, False, True),
        ({"results": []}, False, False),
        ({"success": "true"}, False, False),
        ([], False, False),
        (None, False, False),
        (b"OK", False, False),
        (acknowledgement(accepted=True), True, True),
        (acknowledgement(accepted=False), False, False),
    ],
)
def test_send_tells_a_session_that_was_started_from_all_else(answer, started, ignored):
    assert is_as_expected(answer, ignored=False) is started
    assert is_as_expected(answer, ignored=True) is ignored


def test_a_senders_file_is_checked_in_json(bridge, tmp_path):
    (tmp_path / "senders.toml").write_text(ROW)
    words = ("senders", "check", str(tmp_path / "senders.toml"), "--json")
    status, shown, _ = bridge(*words, CRM="crm-secret-0123456789abcdef")
    assert (status, json.loads(shown)) == (0, [{"name": "crm", "warnings": []}])
    status, shown, told = bridge(*words)
    assert (status, shown) == (2, "")
    assert "$CRM is not set in the environment" in told


def test_whether_the_service_would_start_is_told_in_json(bridge):
    status, shown, _ = bridge("serve", "--check", "--json", SANDBOX="true")
    told = json.loads(shown)
    assert (status, told["ok"]) == (2, False)
    assert [line.partition(":")[0] for line in told["errors"]] == ["GENESYS_API_URL", "GENESYS_LOGIN_URL"]
    url = "http://127.0.0.1:9099"
    status, shown, _ = bridge("serve", "--check", "--json", SANDBOX="true", GENESYS_API_URL=url, GENESYS_LOGIN_URL=url)
    assert (status, json.loads(shown)) == (0, {"ok": True, "errors": []})
    assert bridge("serve", "--json")[0] == 2
