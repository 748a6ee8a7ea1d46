"""Every answer tells a browser what it may do with it: each route, each method, each kind of error."""

import base64

import pytest
from flask import abort
from werkzeug.exceptions import default_exceptions

from cobrowse.errors import error_types_by_code
from cobrowse.model import Secret
from sandbox.state import WEBCHAT
from tests.http_client import HTTP
from tests.integration.conftest import KEY
from web.error_handlers import register_error_handlers
from web.flask_app import App

PASSWORD = "console-password-0123456789"
METRICS = "metrics-0123456789abcdef"
RELAY = "relay-secret-0123456789"
ROWS = '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "custom"\n'
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
# The same for every installation, so that others may keep it.
PUBLIC = ("/docs/static/docs.css", "/console/static/console.css")


def unguarded(answer, path):
    """The headers that an answer lacks, or has too weak."""
    policy = answer.headers.get("Content-Security-Policy", "")
    missing_reason = {
        "Content-Security-Policy": "default-src 'none'" in policy and "unsafe" not in policy,
        "frame-ancestors": "frame-ancestors 'none'" in policy,
        "base-uri": "base-uri 'none'" in policy,
        "X-Frame-Options": answer.headers.get("X-Frame-Options") == "DENY",
        "X-Content-Type-Options": answer.headers.get("X-Content-Type-Options") == "nosniff",
        "Referrer-Policy": answer.headers.get("Referrer-Policy") in ("no-referrer", "same-origin"),
        "Cache-Control": path in PUBLIC or answer.headers.get("Cache-Control") == "no-store",
        "no X-Powered-By": "X-Powered-By" not in answer.headers,
        "no Access-Control-Allow-Origin": "Access-Control-Allow-Origin" not in answer.headers,
    }
    return [name for name, there in missing_reason.items() if not there]


def basic(password):
    return {"Authorization": "Basic " + base64.b64encode(f"ops:{password}".encode()).decode()}


@pytest.fixture
def bridge(service):
    return service(
        environ={"RELAY": RELAY}, rows=ROWS, console_password=Secret(PASSWORD), metrics_token=Secret(METRICS)
    )


def paths(bridge):
    """A path for each route of the service, and some that are none."""
    ran = bridge.start(WEBCHAT)
    for rule in bridge.app.url_map.iter_rules():
        css = "docs.css" if rule.rule.startswith("/docs") else "console.css"
        path = rule.rule.replace("<initiation_id>", ran["initiationId"]).replace("<path:filename>", css)
        yield path.replace("<name>", "relay")
    yield from ("/", "/console/initiations/absent", "/docs/static/absent.css", "/webhooks/absent", "//data-actions")


def test_every_route_answers_every_method_and_caller_with_them(bridge):
    callers = (
        {},
        {"X-Api-Key": KEY},
        basic(PASSWORD),
        *({"Authorization": f"Bearer {one}"} for one in (METRICS, RELAY)),
    )
    missing_reason, statuses = {}, set()
    for path in paths(bridge):
        for method in METHODS:
            for headers in callers:
                with bridge.client.open(path, method=method, headers=headers, json={}) as answer:
                    statuses.add(answer.status_code)
                    if without := unguarded(answer, path):
                        missing_reason[f"{method} {path} {answer.status_code}"] = without
    assert missing_reason == {}
    assert statuses >= {200, 401, 404, 405, 422}


@pytest.fixture
def failing():
    """An app behind the same edge, whose only route fails as its path says."""
    app = App("cobrowse-bridge")
    register_error_handlers(app, lambda: "correlation-1")

    @app.get("/<code>")
    def fail(code):
        if code.isdigit():
            abort(int(code))
        raise error_types_by_code()[code]("it is so") if code in error_types_by_code() else ZeroDivisionError(code)

    return app.test_client()


@pytest.mark.parametrize("failure", [*error_types_by_code(), *map(str, sorted(default_exceptions)), "a bug"])
def test_every_kind_of_error_has_them(failing, failure):
    answer = failing.get(f"/{failure}")
    assert answer.status_code >= 400
    assert unguarded(answer, f"/{failure}") == []


def test_no_answer_tells_which_version_of_what_it_was_made_by(gunicorn, box):
    server = gunicorn(CONSOLE_PASSWORD=PASSWORD)
    asked = [
        ("GET", path) for path in ("/healthz", "/docs", "/console", "/metrics", "/absent", "/docs/static/docs.css")
    ]
    for method, path in (*asked, ("POST", "/data-actions/cobrowse"), ("no-method", "/healthz")):
        answer = HTTP.request(method, f"{server.url}{path}")
        assert answer.headers["Server"] == "gunicorn", path
        assert not {"x-powered-by", "via"} & set(answer.headers)
        assert b"werkzeug" not in answer.content.lower()
        assert path == "/docs" or b"python" not in answer.content.lower()
