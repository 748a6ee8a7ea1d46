"""cobrowse-bridge …, run as a person runs it."""

import getpass
import json
import re
import sys
from contextlib import closing

import pytest

from integrations.ledger import connect
from sandbox.state import EMAIL, VOICE, WEBCHAT
from settings import Settings
from tests.integration.conftest import ROOT

PROGRAM = [sys.executable, str(ROOT / "cli.py")]


@pytest.fixture
def bridge(box, tmp_path, cli):
    """Runs a command on the sandbox in a terminal of 80 columns."""

    def run(*words, **variables):
        environment = {
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "80",
            "SANDBOX": "true",
            "GENESYS_API_URL": box.url,
            "GENESYS_LOGIN_URL": box.url,
            "LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3",
            **variables,
        }
        return cli(*words, cwd=ROOT, env=environment)

    return run


def test_the_numbered_steps_are_shown_with_their_times_and_a_verified_session_exits_0(bridge, box):
    done = bridge("start", WEBCHAT)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^  (\d) (\w+) +✓ +\d+ ms$", done.stdout, re.MULTILINE) == [
        ("1", "token"),
        ("2", "check"),
        ("3", "create"),
        ("4", "attach"),
        ("5", "verify"),
    ]
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize("spelling", ["  {%s} ", "'%s'", "urn:uuid:%s"])
def test_an_id_is_read_in_any_usual_spelling(bridge, box, spelling):
    done = bridge("start", spelling % WEBCHAT.replace("-", "").upper(), "--json")
    assert json.loads(done.stdout)["conversationId"] == WEBCHAT
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("${input.conversationId}", "'${input.conversationId}' was not filled in"),
        ("$GENESYS_ID", "'$GENESYS_ID' is not a conversation id"),
        ("case 4711", "'case 4711' is not a conversation id"),
        ("x" * 500, "x" * 60 + "' is not a conversation id"),
    ],
)
def test_what_is_no_id_is_shown_and_nothing_is_asked(bridge, box, given, shown):
    done = bridge("start", given)
    assert done.returncode == 2
    assert shown in " ".join(done.stderr.split())
    assert box.calls() == []


def test_the_conversation_may_come_from_the_environment(bridge, box):
    assert bridge("start", GENESYS_CONVERSATION_ID=VOICE).returncode == 0
    assert box.invitations(VOICE) == 1


def test_json_is_one_object_and_nothing_else(bridge):
    answer = json.loads(bridge("start", WEBCHAT, "--json").stdout)
    assert (answer["status"], answer["conversationId"]) == ("initiated", WEBCHAT)


def test_a_failure_says_cause_and_hint_and_exits_1(bridge):
    done = bridge("start", EMAIL)
    assert done.returncode == 1
    assert re.search(r"^✗ cobrowse_not_supported: conversation 5555.* is\n  e-mail", done.stderr)
    assert "\n→ Cobrowse needs a webchat" in done.stderr


def test_an_unverified_session_exits_0_with_a_warning(bridge, box):
    box.faults.add(operation="attach", kind="lag", seconds=60)
    done = bridge("start", WEBCHAT)
    assert done.returncode == 0
    assert "! unverified: the conversation does not show it yet" in done.stdout
    assert "→ The customer has the invitation." in done.stdout


def test_latest_needs_to_be_allowed(bridge, box):
    assert bridge("start", "--latest").returncode == 2
    assert bridge("start", "--latest", ALLOW_LATEST="true").returncode == 0
    assert box.invitations(WEBCHAT) == 1


def test_no_conversation_is_a_usage_error(bridge):
    done = bridge("start")
    assert done.returncode == 2
    assert "CONVERSATION_ID" in done.stderr


def test_wrong_settings_are_listed_in_plain_lines_without_a_traceback(bridge):
    done = bridge("start", WEBCHAT, COBROWSE_FLOW="both", DEADLINE_SECONDS="soon")
    assert done.returncode == 2
    assert "  COBROWSE_FLOW: Must be one of" in done.stderr
    assert "  DEADLINE_SECONDS: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dot_env_file_is_read(tmp_path, cli):
    (tmp_path / ".env").write_text("GENESYS_REGION=mars\n")
    done = cli("start", WEBCHAT, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    assert "GENESYS_REGION: 'mars' is not a region" in done.stderr


def test_the_sandbox_needs_no_setting_and_keeps_to_this_machine(cli):
    environment = dict.fromkeys(Settings.NAMES, "") | {"PATH": "/usr/bin:/bin"}
    refused = cli("sandbox", "--host", "0.0.0.0", "--port", "0", cwd=ROOT, env=environment)
    assert refused.returncode == 1
    assert "not a loopback" in refused.stderr


@pytest.fixture
def senders_file(tmp_path):
    rows = tmp_path / "senders.toml"
    rows.write_text(
        '[senders.crm]\nsignature = "standard-webhooks"\nsecrets = ["$CRM_SECRET"]\nenvelope = "custom"\n'
        'rate_limit = "9/minute"\n'
        '[senders.d365]\nsignature = "api-key"\nquery = "code"\nsecrets = ["$D365"]\nenvelope = "custom"\n'
    )
    return {
        "SENDERS_FILE": str(rows),
        "CRM_SECRET": "whsec_bWFueS1ieXRlcy1vZi1hLXNlY3JldA==",
        "D365": "dataverse-key-0123456789",
    }


def test_the_senders_are_listed_with_their_secrets_masked(bridge, senders_file):
    done = bridge("senders", **senders_file)
    assert done.returncode == 0, done.stderr
    assert "/webhooks/crm" in done.stdout
    assert "$CRM_SECRET •••" in done.stdout
    assert senders_file["CRM_SECRET"] not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert json.loads(bridge("senders", "--json", **senders_file).stdout)[0]["rateLimit"] == "9/minute"


def test_what_sns_asks_a_person_to_do_is_shown_with_its_row(bridge, tmp_path):
    rows = tmp_path / "senders.toml"
    rows.write_text('[senders.sns]\nsignature = "bearer"\nsecrets = ["$S"]\nenvelope = "custom"\nhandshake = "sns"\n')
    variables = {"SENDERS_FILE": str(rows), "S": "0123456789abcdef"}
    assert not re.search(r"^  note ", bridge("senders", **variables).stdout, re.MULTILINE)
    url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=" + "2" * 120
    with closing(connect(f"sqlite:///{tmp_path}/ledger.sqlite3", keys=(), retention_seconds=60)) as ledger:
        ledger.notes.save("sns", f"open it to confirm: {url}")
    assert re.search(
        rf"^  note +open it to confirm: {re.escape(url)}$", bridge("senders", **variables).stdout, re.MULTILINE
    )
    assert json.loads(bridge("senders", "--json", **variables).stdout)[0]["note"].endswith(url)
    away = bridge("senders", **variables, LEDGER_URL=f"sqlite:///{tmp_path}/senders.toml")
    assert (away.returncode, "the ledger, which has its notes, can't be read" in away.stdout) == (0, True)


def test_no_senders_says_how_to_have_some(bridge):
    assert "senders.example.toml" in bridge("senders").stdout


@pytest.mark.parametrize("sender", ["crm", "d365"])
def test_a_payload_is_sent_as_the_sender_would_and_the_answer_shown(
    bridge, gunicorn, box, senders_file, tmp_path, sender
):
    server = gunicorn(**senders_file)
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({"conversationId": WEBCHAT}))
    done = bridge("send", sender, "--file", str(payload), "--url", server.url, **senders_file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"> POST /webhooks/{sender}" in done.stdout
    assert '"status": "initiated"' in done.stdout
    for secret in (senders_file["CRM_SECRET"], senders_file["D365"]):
        assert secret not in done.stdout
    assert box.invitations(WEBCHAT) == 1


def test_sending_says_which_senders_there_are_and_when_nobody_answers(bridge, senders_file, tmp_path, unused_tcp_port):
    payload = tmp_path / "payload.json"
    payload.write_text("{}")
    unknown = bridge("send", "nobody", "--file", str(payload), **senders_file)
    assert unknown.returncode == 2
    assert "known senders: crm, d365" in unknown.stderr
    away = bridge(
        "send", "crm", "--file", str(payload), "--url", f"http://127.0.0.1:{unused_tcp_port()}", **senders_file
    )
    assert away.returncode == 1
    assert "Is the service running?" in away.stderr


def test_the_ledger_is_upgraded_and_purged_by_hand(bridge):
    assert "The schema went from 0 to " in bridge("ledger", "upgrade").stdout
    assert "The schema is at version " in bridge("ledger", "upgrade").stdout
    assert bridge("start", WEBCHAT).returncode == 0
    assert bridge("ledger", "purge").stdout == "0 initiations removed.\n"
    assert bridge("ledger", "resend").stdout == "0 callbacks made due now.\n"
    away = bridge("ledger", "upgrade", LEDGER_URL="mysql://x")
    assert away.returncode == 2
    assert "LEDGER_URL must be" in away.stderr


def test_a_session_is_ended_by_its_conversation_and_by_its_initiation(bridge, box):
    started = json.loads(bridge("start", WEBCHAT, "--json", COBROWSE_FLOW="native").stdout)
    tried = bridge("end", WEBCHAT, "--dry-run", COBROWSE_FLOW="native")
    assert (tried.returncode, box.calls("disconnect")) == (0, [])
    assert "would_end" in tried.stdout
    done = bridge("end", "--initiation", started["initiationId"], COBROWSE_FLOW="native")
    assert done.returncode == 0, done.stderr
    assert "✓ ended" in done.stdout
    assert done.stderr == ""
    [record] = [json.loads(line) for line in bridge("export", "--json").stdout.splitlines() if '"action":"end"' in line]
    assert (record["sender"], record["requestedBy"]) == ("command-line", getpass.getuser())
    again = json.loads(bridge("end", WEBCHAT, "--json", COBROWSE_FLOW="native").stdout)
    assert (again["success"], again["status"]) == (True, "already_ended")
    assert len(box.calls("disconnect")) == 1


def test_an_end_that_names_nothing_or_what_is_not_there_says_so(bridge):
    assert "either" in bridge("end").stderr
    assert "no initiation" in bridge("end", "--initiation", "unknown").stderr


def test_a_dry_run_says_what_would_happen_and_starts_nothing(bridge, box):
    done = bridge("start", WEBCHAT, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would_start" in done.stdout
    refused = bridge("start", EMAIL, "--dry-run", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["errorCode"]) == (1, "cobrowse_not_supported")
    assert (box.invitations(), box.sessions()) == (0, [])


def test_a_senders_file_is_checked_without_a_start_and_without_a_setting_of_genesyss(tmp_path, senders_file, cli):
    def check(text):
        file = tmp_path / "checked.toml"
        file.write_text(text)
        return cli("senders", "check", str(file), cwd=ROOT, env={"PATH": "/usr/bin:/bin", **senders_file})

    row = '[senders.crm]\nsignature = "{}"\nsecrets = ["$CRM_SECRET"]\nenvelope = "custom"\n'
    good = check(row.format("intercom"))
    assert (good.returncode, good.stdout.splitlines()[0]) == (0, "crm: valid")
    assert "warning: signature: sha1 is weak" in good.stdout
    bad = check(row.format("intercomm") + "batch = 1\n")
    assert bad.returncode == 2
    assert "did you mean 'intercom'?" in " ".join(bad.stderr.split())
    assert "batch: must be true or false" in bad.stderr
    assert senders_file["CRM_SECRET"] not in good.stdout + bad.stderr
