"""Whom the console lets in, where the service has it, and what each answer tells the browser."""

import base64
from functools import partial

import pytest
from structlog.testing import capture_logs

from cobrowse.model import Secret
from console.auth import HEADERS, Signer
from console.sign_in import user_row
from tests.integration.consoles import (
    FORM_KEY,
    OURS,
    PASSWORD,
    USERS,
    bridge,
    client,
    console,
    failing,
    token_in,
)

__all__ = ["bridge", "client"]

# --- headers and sign-in --------------------------------------------------------------------------


def with_password(bridge):
    return console(bridge, password=Secret(PASSWORD)).test_client()


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


EVERYWHERE = (
    "",
    "?part=1",
    "/refused",
    "/senders",
    "/callbacks",
    "/initiations/x",
    "/static/console.css",
    "/static/console.js",
)


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("credentials", [{}, basic("ops", PASSWORD)])
def test_every_answer_tells_the_browser_what_it_may_do(bridge, path, credentials):
    answer = with_password(bridge).get(f"/console{path}", headers=credentials)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")
    answer.close()


@pytest.mark.parametrize("path", [path for path in EVERYWHERE if "static" not in path])
def test_with_a_password_nothing_is_seen_without_it(bridge, path):
    answer = with_password(bridge).get(f"/console{path}")
    assert answer.status_code == 401
    # With "Basic" a browser would ask in a window of its own, and could not be signed out.
    assert answer.headers["WWW-Authenticate"] == 'Cookie realm="cobrowse-bridge console"'
    assert 'type="password"' in answer.text


@pytest.mark.parametrize("name", ["ops", "", "Ann Lee"])
def test_the_password_opens_with_any_name_from_anywhere(bridge, name):
    answer = with_password(bridge).get(
        "/console", headers=basic(name, PASSWORD), environ_base={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        basic("ops", PASSWORD[:-1]),
        basic("ops", PASSWORD + "x"),
        basic("ops", ""),
        basic(PASSWORD, ""),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic " + base64.b64encode(b"ops:\xff\xfe").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"no-colon").decode()},
        {"Authorization": f"Bearer {PASSWORD}"},
        {"X-Api-Key": PASSWORD},
    ],
)
def test_nothing_else_opens(bridge, headers):
    assert with_password(bridge).get("/console", headers=headers).status_code == 401


def test_the_password_is_asked_for_before_a_form_is_checked(bridge, box):
    failed = failing(bridge, box)
    token = Signer(FORM_KEY).token(failed.initiation_id)
    path = f"/console/initiations/{failed.initiation_id}/retry"
    assert with_password(bridge).post(path, data={"token": token}, headers=OURS).status_code == 401
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"X-Forwarded-For": "203.0.113.9"}},
    ],
)
@pytest.mark.parametrize("path", EVERYWHERE)
def test_without_a_password_there_is_nothing_for_anybody_elsewhere(client, request_, path):
    answer = client.get(f"/console{path}", **request_)
    assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")


# --- as the service has it ------------------------------------------------------------------------


def test_on_the_sandbox_the_service_has_it_for_this_machine(service):
    client = service().client
    assert client.get("/console").status_code == 200
    assert client.get("/console", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 404


def test_with_a_password_the_service_asks_for_it(service):
    client = service(console_password=Secret(PASSWORD)).client
    assert client.get("/console").status_code == 401
    assert client.get("/console", headers=basic("ops", PASSWORD)).status_code == 200


def test_with_neither_there_is_no_console(service):
    elsewhere = partial(
        service,
        sandbox=False,
        genesys_api_url="https://api.genesys.example",
        genesys_login_url="https://login.genesys.example",
        genesys_client_id="id",
        genesys_client_secret=Secret("a-secret-of-the-client"),
    )
    nothing = elsewhere().client.get("/")
    assert (nothing.status_code, nothing.json["errorCode"]) == (404, "not_found")
    assert "CONSOLE_PASSWORD" in nothing.json["errorHint"]
    answer = elsewhere().client.get("/console")
    assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["", "/refused", "/initiations/x/retry"])
def test_options_asks_for_the_password_too(service, path):
    client = service(console_password=Secret(PASSWORD)).client
    assert client.options(f"/console{path}").status_code == 401
    assert client.options(f"/console{path}", headers=basic("ops", PASSWORD)).status_code == 200


# --- named users ----------------------------------------------------------------------------------

ANN, BOB = basic("ann", "a-password-of-ann"), basic("bob", "a-password-of-bob")


def test_a_viewer_looks_and_an_operator_acts_under_the_own_name(bridge, box):
    failed = failing(bridge, box)
    client = console(bridge, users=USERS).test_client()
    path = f"/console/initiations/{failed.initiation_id}"
    page = client.get(path, headers=BOB)
    assert (page.status_code, ">Retry<" in page.text, "bob, viewer" in page.text) == (200, False, True)
    token = token_in(client.get(path, headers=ANN).text)
    answer = client.post(f"{path}/retry", data={"token": token}, headers=OURS | BOB)
    assert (answer.status_code, "and bob is a viewer" in answer.text) == (403, True)
    assert bridge.initiate.ledger.read(failed.initiation_id).attempts == 1
    with capture_logs() as lines:
        assert client.post(f"{path}/retry", data={"token": token}, headers=OURS | ANN).status_code == 303
    [line] = [line for line in lines if line["event"] == "retried from the console"]
    assert (line["initiation_id"], line["requested_by"]) == (failed.initiation_id, "ann")


@pytest.mark.parametrize("headers", [{}, basic("ann", "a-password-of-bob"), basic("eve", "a-password-of-ann")])
def test_nobody_else_gets_in(bridge, headers):
    assert console(bridge, users=USERS).test_client().get("/console", headers=headers).status_code == 401


def test_guesses_are_few_and_the_page_says_how_long_to_wait(bridge):
    client = with_password(bridge)
    answers = [client.get("/console", headers=basic("ops", "wrong")).status_code for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2
    answer = client.get("/console", headers=basic("ops", PASSWORD))
    assert (answer.status_code, 0 < int(answer.headers["Retry-After"]) <= 61) == (429, True)
    assert client.get("/console", headers=basic("another", PASSWORD)).status_code == 200


def test_the_service_has_it_for_its_users(service):
    users = (Secret(user_row("ann", "operator", "a-password-of-ann")),)
    client = service(console_users=users).client
    assert client.get("/console").status_code == 401
    assert client.get("/console", headers=ANN).status_code == 200
