"""The commands without a service: what each takes, prints and exits with."""

import contextlib
import json
import os

import click
import pytest
from click.testing import CliRunner
from werkzeug.security import check_password_hash

from cli import COMMANDS, program
from commands.group import Group, run
from schemas.console_users import parse_users

PASSWORD = "a-password-of-ann"
ROW = '[senders.crm]\nsignature = "github"\nsecrets = ["$CRM"]\nenvelope = "custom"\n'


@pytest.fixture
def bridge(tmp_path):
    """Runs a command in an empty folder with these variables and no other setting: exit status, output and errors."""
    runner, here = CliRunner(), tmp_path / "here"
    here.mkdir()

    def call(*words, stdin="", **variables):
        bare = dict.fromkeys(name for name in os.environ if name not in ("PATH", "HOME"))
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
