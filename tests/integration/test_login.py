"""A service user logs in as a person does it, on the sandbox, and the service acts as that user where it must."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from cobrowse.model import Secret
from integrations.genesys import UserClient, grant_name
from integrations.genesys.transport import CurlTransport
from integrations.ledger import connect
from sandbox.directory import SERVICE_USER
from sandbox.state import VOICE, WEBCHAT
from tests.clocks import HANGS, wait_until
from tests.contract.ledgers import pass_time
from tests.integration.conftest import KEY, ROOT
from tests.integration.patient import patient
from tests.ports import free_port

__all__ = ["patient"]

PROGRAM = [sys.executable, str(ROOT / "cli.py")]
EMAIL = SERVICE_USER["email"]
# A whole line.
PAGE = re.compile(r"http\S+\n")


class Person:
    """Someone at a terminal and a browser."""

    def __init__(self, box, folder, forks):
        self.box = box
        self.forks = forks
        self.typed = folder / "typed"
        os.mkfifo(self.typed)
        self.redirect_uri = f"http://127.0.0.1:{free_port()}/callback"
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "80",
            "SANDBOX": "true",
            "GENESYS_API_URL": box.url,
            "GENESYS_LOGIN_URL": box.url,
            "GENESYS_USER_CLIENT_ID": "sandbox-user",
            "GENESYS_USER_REDIRECT_URI": self.redirect_uri,
            "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
        }

    def begin(self, *words, **variables):
        return subprocess.Popen(
            [*PROGRAM, *words],
            cwd=ROOT,
            env=self.environment | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words, stdin=os.devnull, **variables):
        done = self.forks.run(*words, cwd=ROOT, env=self.environment | variables, stdin=stdin)
        return done.returncode, done.stdout, done.stderr

    def browse(self, page, answer="yes"):
        """Open the page and answer it: where the browser is sent to."""
        shown = httpx.get(page, trust_env=False)
        assert EMAIL in shown.text
        assert "login=yes" in shown.text
        return httpx.get(f"{page}&login={answer}", trust_env=False).headers["Location"]

    def log_in(self, answer="yes", alter=lambda address: address, **variables):
        """With --paste: the status and all that was printed."""
        with ThreadPoolExecutor(1) as pool:
            login = pool.submit(self.run, "login", "--paste", stdin=self.typed, **variables)
            with self.typed.open("w") as terminal:
                terminal.write(alter(self.browse(wait_until(lambda: self.page(login)), answer)) + "\n")
            status, out, err = login.result(HANGS)
        return status, out + err

    def page(self, login):
        """The address that is printed to be opened, once it is."""
        assert not login.done(), login.result()
        return next((line.strip() for line in self.forks.printed().splitlines(True) if PAGE.fullmatch(line)), None)


@pytest.fixture
def person(box, tmp_path, forks):
    return Person(box, tmp_path, forks)


@pytest.fixture
def acting(service, box):
    """The service with a user client; Genesys demands a user for the call that invites."""
    box.options.user_required = ("attach",)

    def build(**more):
        return service(genesys_user_client_id="sandbox-user", **more)

    return build


def stored(folder, box):
    with closing(connect(f"sqlite:///{folder}/ledger.sqlite3", keys=[], retention_seconds=86_400)) as ledger:
        return ledger.grants.read(grant_name(UserClient(box.url, "sandbox-user", Secret())))


@pytest.mark.parametrize("secret", ["", "sandbox-user-secret"])
def test_a_login_by_paste_is_kept_and_whose_it_is_is_said(person, box, tmp_path, secret):
    more = {"GENESYS_USER_CLIENT_SECRET": secret} if secret else {}
    status, told = person.log_in(**more)
    assert status == 0, told
    assert f"Logged in as {EMAIL} of Sandbox" in told
    found = stored(tmp_path, box)
    assert (found.account, found.org, found.refused) == (EMAIL, "Sandbox", "")
    assert found.access.reveal() in box.tokens._tokens
    status, told, _ = person.run("login", "--status")
    assert status == 0
    assert EMAIL in told
    as_json = json.loads(person.run("login", "--status", "--json")[1])
    assert (as_json["loggedIn"], as_json["user"], as_json["refused"]) == (True, EMAIL, "")
    assert not [one for one in box.logins.issued if one in told + str(as_json)]


def test_a_login_comes_back_to_the_loopback_server_and_other_requests_to_it_do_nothing(person, box, tmp_path):
    process = person.begin("login")
    page = next(line for line in process.stdout if line.startswith("http")).strip()
    place = person.redirect_uri
    assert httpx.get(f"{place}?code=evil&state=guessed", trust_env=False).status_code == 404
    assert httpx.get(place.replace("callback", "favicon.ico"), trust_env=False).status_code == 404
    thanks = httpx.get(person.browse(page), trust_env=False)
    assert (thanks.status_code, "close this window" in thanks.text) == (200, True)
    out, err = process.communicate(timeout=HANGS)
    assert process.returncode == 0, out + err
    assert stored(tmp_path, box).account == EMAIL


@pytest.mark.parametrize(
    ("answer", "alter", "why"),
    [
        ("no", lambda address: address, "access_denied"),
        ("yes", lambda address: address.replace("state=", "state=x"), "its state is another"),
        ("yes", lambda address: address.replace("code=", "code=x"), "invalid_grant"),
        ("yes", lambda _: "what is this", "its state is another"),
    ],
)
def test_a_login_that_went_wrong_keeps_nothing_and_says_what_to_do(person, box, tmp_path, answer, alter, why):
    status, told = person.log_in(answer, alter)
    assert status == 1
    assert why in " ".join(told.split())
    assert "→" in told
    assert stored(tmp_path, box) is None


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"GENESYS_USER_CLIENT_ID": ""}, "GENESYS_USER_CLIENT_ID: required for a login"),
        ({"LEDGER_URL": "postgresql+psycopg://u:p@127.0.0.1/x"}, "LEDGER_KEYS is needed"),
        ({"LEDGER_URL": "sqlite:////nowhere/ledger.sqlite3"}, "ledger_unavailable"),
    ],
)
def test_what_is_lacking_is_said_before_a_person_logs_in(person, variables, why):
    status, out, err = person.run("login", "--paste", **variables)
    assert status in (1, 2)
    assert why in " ".join(err.split())
    assert "http" not in out


def test_a_port_that_is_taken_is_named_with_the_remedy(person):
    port = free_port()
    with closing(socket.create_server(("127.0.0.1", port))):
        status, _, err = person.run("login", GENESYS_USER_REDIRECT_URI=f"http://127.0.0.1:{port}/callback")
    assert status == 1
    assert "--paste" in err


def test_the_service_acts_as_the_user_where_genesys_demands_one_and_invites_once(person, acting, box):
    person.log_in()
    bridge = acting()
    assert bridge.start(WEBCHAT)["status"] == "initiated"
    assert [(call.operation, call.status) for call in box.calls() if call.operation in ("create", "attach")] == [
        ("create", 201),
        ("attach", 400),
        ("attach", 201),
    ]
    assert bridge.start(VOICE)["status"] == "initiated"
    assert [call.status for call in box.calls("attach")] == [400, 201, 201]
    assert (box.invitations(WEBCHAT), box.invitations(VOICE)) == (1, 1)


def test_before_a_login_the_request_fails_and_the_same_key_succeeds_after_it(person, acting, box):
    bridge = acting()
    failed = bridge.start(WEBCHAT, headers={"Idempotency-Key": "k-1"})
    assert (failed["errorCode"], failed["retryable"]) == ("service_user_login_required", False)
    assert box.invitations(WEBCHAT) == 0
    assert bridge.client.get("/readyz").json["status"] == "degraded"
    person.log_in()
    assert bridge.start(WEBCHAT, headers={"Idempotency-Key": "k-1"})["success"]
    assert box.invitations(WEBCHAT) == 1


def test_a_withdrawn_login_is_one_clear_error_readyz_s_reason_and_the_doctor_s_until_the_next(
    person, acting, box, patient
):
    person.log_in()
    bridge = acting()
    assert bridge.start(WEBCHAT)["success"]
    box.logins.revoke()
    failed = bridge.start(VOICE)
    assert (failed["errorCode"], failed["retryable"]) == ("service_user_login_required", False)
    told = acting().client.get("/readyz")
    assert (told.status_code, told.json["status"]) == (200, "degraded")
    assert told.json["checks"]["service_user"].startswith("service_user_login_required")
    patient.set(genesys_user_client_id="sandbox-user")
    check = patient.checks()["service user"]
    assert check.ok is False
    assert "cobrowse-bridge login" in check.hint

    assert person.run("login", "--status")[0] == 1
    person.log_in()
    assert acting().client.get("/readyz").json["status"] == "ok"
    assert acting().start(VOICE)["success"]
    assert box.invitations(VOICE) == 1


def test_the_doctor_says_who_it_is_until_when_and_which_token_each_operation_takes(person, acting, box, patient):
    patient.set(genesys_user_client_id="sandbox-user")
    before = patient.checks()
    assert before["service user"].ok is None
    assert (before["tokens"].ok, "login" in before["tokens"].hint) == (False, True)
    person.log_in()
    box.options.user_required = ("conversation", "attach")
    after = patient.checks()
    assert f"{EMAIL} of Sandbox" in after["service user"].found
    assert "good until" in after["service user"].found
    assert after["tokens"].found.startswith("the service user's for attach, conversation, as Genesys demands")
    patient.set(genesys_grant="service_user")
    assert patient.checks()["tokens"].found == "the service user's, for every operation"
    patient.set(genesys_grant="client_credentials")
    refused = patient.checks()["tokens"]
    assert (refused.ok, "user context" in refused.found, "cobrowse-bridge login" in refused.hint) == (False, True, True)
    assert box.invitations() == 0


def test_as_the_service_user_alone_no_client_is_needed(person, service, box):
    person.log_in()
    box.options.user_required = ("create", "attach", "conversation")
    assert service(genesys_user_client_id="sandbox-user", genesys_grant="service_user").start(WEBCHAT)["success"]
    assert box.calls("token") == []


def test_after_a_logout_nobody_is_logged_in(person, box, tmp_path):
    person.log_in()
    assert person.run("logout")[0] == 0
    assert stored(tmp_path, box) is None
    assert "Nobody" in person.run("logout")[1]
    assert json.loads(person.run("logout", "--json")[1]) == {"loggedOut": False}
    assert person.run("login", "--status", "--json")[:2] == (1, '{\n  "loggedIn": false\n}\n')
    assert person.run("login", "--status")[0] == 1


def renewed(person, box):
    """A login whose token is over, so that it must be renewed."""
    box.options.expires_in = 1
    person.log_in()
    time.sleep(1)
    box.options.expires_in = 3600


def test_two_machines_renew_the_token_once_between_them(person, box, gunicorn):
    renewed(person, box)
    box.options.user_required = ("attach",)
    box.faults.add("user_token", "delay", seconds=1.0)
    more = {"GENESYS_USER_CLIENT_ID": "sandbox-user", "WEB_CONCURRENCY": "1", "DEADLINE_SECONDS": "20"}
    machines = [gunicorn(**more), gunicorn(**more)]
    answers = []

    def start(number):
        answers.append(
            httpx.post(
                f"{machines[number].url}/data-actions/cobrowse",
                json={"conversationId": (WEBCHAT, VOICE)[number]},
                headers={"X-Api-Key": KEY},
                timeout=HANGS,
                trust_env=False,
            ).json()
        )

    threads = [threading.Thread(target=start, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["status"] for answer in answers] == ["initiated"] * 2
    assert box.logins.renewed == 1


def test_a_worker_killed_with_the_new_pair_in_hand_costs_a_login_and_no_invitation(person, box, gunicorn, tmp_path):
    """Genesys has renewed, and the ledger has not heard of it: the old refresh token is void, the new one lost."""
    renewed(person, box)
    box.options.user_required = ("attach",)
    box.faults.add("user_token", "delay", seconds=2.0, when="after")
    server = gunicorn(GENESYS_USER_CLIENT_ID="sandbox-user", WEB_CONCURRENCY="1", DEADLINE_SECONDS="2")

    def start(key):
        return httpx.post(
            f"{server.url}/data-actions/cobrowse",
            json={"conversationId": WEBCHAT},
            headers={"X-Api-Key": KEY, "Idempotency-Key": key},
            timeout=HANGS,
            trust_env=False,
        ).json()

    def start_and_lose():
        with contextlib.suppress(httpx.TransportError):
            start("k-0")

    losing = threading.Thread(target=start_and_lose)
    losing.start()
    wait_until(lambda: box.logins.renewed == 1)
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    losing.join()
    pass_time(f"sqlite:///{tmp_path}/ledger.sqlite3", 15)  # longer than any lease of the dead
    answers = []

    def settled():
        answers.append(start("k-1"))
        return not answers[-1]["retryable"]

    wait_until(settled)
    assert answers[-1]["errorCode"] == "service_user_login_required"
    assert box.invitations(WEBCHAT) == 0
    person.log_in()
    assert start("k-1")["success"]
    assert box.invitations(WEBCHAT) == 1


def test_no_refresh_token_is_in_what_a_failing_login_host_is_quoted_with(person, acting, box, tmp_path):
    renewed(person, box)
    box.faults.add("user_token", "echo", status=502, times="always")
    transport = CurlTransport()
    answer = acting(transport=transport).start(WEBCHAT)
    transport.close()
    assert answer["errorCode"] == "genesys_unavailable"
    assert not [one for one in box.logins.issued if one in str(answer)]
