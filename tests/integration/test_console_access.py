"""Whom the console lets in, where the service has it, and what each answer tells the browser."""

import base64
from functools import partial

import pytest

from cobrowse.model import Secret
from console.auth import HEADERS, CsrfTokens
from tests.integration.consoles import (
    FORM_KEY,
    OURS,
    PASSWORD,
    bridge,
    client,
    console,
    failing,
)

__all__ = ["bridge", "client"]


# --- headers and sign-in --------------------------------------------------------------------------


def with_password(bridge):
    return console(bridge, password=Secret(PASSWORD)).test_client()


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


EVERYWHERE = ("", "/live", "/initiations/x", "/initiations/x/detail", "/static/console.css", "/static/console.js")


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("credentials", [{}, basic("ops", PASSWORD)])
def test_every_answer_tells_the_browser_what_it_may_do(bridge, path, credentials):
    answer = with_password(bridge).get(f"/console{path}", headers=credentials)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")
    answer.close()


@pytest.mark.parametrize("path", EVERYWHERE)
def test_with_a_password_nothing_is_seen_without_it(bridge, path):
    answer = with_password(bridge).get(f"/console{path}")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="cobrowse-bridge console"'
    assert "CONSOLE_PASSWORD" in answer.text


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
    token = CsrfTokens(FORM_KEY).token(failed.initiation_id)
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
    answer = elsewhere().client.get("/console")
    assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["", "/live", "/static/console.css", "/initiations/x/retry"])
def test_options_asks_for_the_password_too(service, path):
    client = service(console_password=Secret(PASSWORD)).client
    assert client.options(f"/console{path}").status_code == 401
    assert client.options(f"/console{path}", headers=basic("ops", PASSWORD)).status_code == 200
