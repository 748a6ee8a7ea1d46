"""/healthz, /readyz and /metrics: who is told what; and that telemetry sees every request but these."""

import pytest
from flask import Flask

from cobrowse.errors import GenesysUnauthorized, GenesysUnavailable, LedgerUnavailable
from cobrowse.model import Secret
from integrations.observability.metrics import Metrics
from web.error_handlers import register_error_handlers
from web.health import HealthEndpoints, observe_requests

TOKEN = "metrics-0123456789abcdef"
AWAY = LedgerUnavailable("the SQLite file /srv/ledger.sqlite3 can't be opened", hint="Check its directory.")
REFUSED = GenesysUnauthorized("token: Genesys answered 401")


@pytest.fixture
def metrics():
    return Metrics(["architect"])


@pytest.fixture
def client(metrics):
    """A factory: a client of an app with these endpoints, as the app's edge has them."""

    def build(**told):
        app = Flask("test", static_folder=None)
        register_error_handlers(app, lambda: "made-up-id")
        observe_requests(app, metrics)
        app.register_blueprint(
            HealthEndpoints(**{"exposition": metrics.exposition, "open_locally": True, **told}).blueprint()
        )

        @app.post("/webhooks/<name>")
        def webhook(name):
            if name == "broken":
                raise ZeroDivisionError
            return {"name": name, "in flight": metrics.exposition()[0].decode().count("cobrowse_in_flight 1.0")}

        return app.test_client()

    return build


def test_healthz_looks_at_nothing_else(client):
    def never():
        raise AssertionError("it must not ask")

    answer = client(ready=never).get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_readyz_is_ok_when_every_check_is(client):
    answer = client(ready=lambda: {"ledger": None, "genesys": None}).get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "checks": {"ledger": "ok", "genesys": "ok"}})
    assert answer.headers["Cache-Control"] == "no-store"


def test_readyz_says_what_is_wrong(client):
    answer = client(ready=lambda: {"ledger": AWAY, "genesys": REFUSED}).get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "failing"
    assert answer.json["checks"]["ledger"] == f"ledger_unavailable: {AWAY.message}. Check its directory."
    assert answer.json["checks"]["genesys"].startswith("genesys_unauthorized: token: Genesys answered 401. ")


def test_an_outsider_is_told_the_kind_only(client):
    answer = client(ready=lambda: {"ledger": AWAY}).get("/readyz", environ_base={"REMOTE_ADDR": "203.0.113.7"})
    assert (answer.status_code, answer.json["checks"]) == (503, {"ledger": "ledger_unavailable"})


def test_what_may_be_away_does_not_make_the_service_unready(client):
    answer = client(ready=lambda: {"ledger": AWAY}, non_critical=("ledger",)).get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"]["ledger"].startswith("ledger_unavailable")


@pytest.mark.parametrize(
    ("problem", "transient", "status"),
    [
        (GenesysUnavailable("token: 503"), ("genesys",), 200),
        (GenesysUnavailable("token: 503"), (), 503),
        (REFUSED, ("genesys",), 503),  # no retry helps: the client's secret is wrong
    ],
)
def test_an_outage_of_genesys_is_tolerated_unless_it_is_not_to_be(client, problem, transient, status):
    answer = client(ready=lambda: {"genesys": problem, "ledger": None}, transient=transient).get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (status, "degraded" if status == 200 else "failing")
    assert problem.code in answer.json["checks"]["genesys"]


def test_without_a_token_nobody_reads_the_metrics_of_a_service_in_production(client):
    caller = client(open_locally=False, ready=lambda: {"ledger": AWAY})
    answer = caller.get("/metrics")
    assert (answer.status_code, answer.json["errorCode"]) == (401, "not_authenticated")
    assert answer.json["errorHint"].startswith("Set METRICS_TOKEN")
    assert caller.get("/readyz").json["checks"] == {"ledger": "ledger_unavailable"}


@pytest.mark.parametrize(
    ("peer", "token", "headers", "status"),
    [
        ("127.0.0.1", "", {}, 200),
        ("127.8.8.8", "", {}, 200),
        ("::1", "", {}, 200),
        ("::ffff:127.0.0.1", "", {}, 200),
        ("203.0.113.7", "", {}, 401),
        ("10.0.0.7", "", {}, 401),
        ("::ffff:10.0.0.7", "", {}, 401),
        ("", "", {}, 401),
        ("127.0.0.1", "", {"X-Forwarded-For": "203.0.113.7"}, 401),
        ("127.0.0.1", "", {"Forwarded": "for=203.0.113.7"}, 401),
        ("127.0.0.1", "", {"Via": "1.1 proxy"}, 401),
        ("127.0.0.1", "", {"Host": "evil.example:8000"}, 401),  # a page whose name points here: DNS rebinding
        ("127.0.0.1", "", {"Host": "127.0.0.1.evil.example"}, 401),
        ("127.0.0.1", TOKEN, {"Host": "evil.example", "Authorization": f"Bearer {TOKEN}"}, 200),
        ("203.0.113.7", TOKEN, {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("203.0.113.7", TOKEN, {"Authorization": f"bearer  {TOKEN} "}, 200),
        ("127.0.0.1", TOKEN, {"X-Forwarded-For": "203.0.113.7", "Authorization": f"Bearer {TOKEN}"}, 200),
        ("127.0.0.1", TOKEN, {}, 401),
        ("127.0.0.1", TOKEN, {"Authorization": "Bearer "}, 401),
        ("127.0.0.1", TOKEN, {"Authorization": f"Basic {TOKEN}"}, 401),
        ("127.0.0.1", TOKEN, {"Authorization": f"Bearer {TOKEN}x"}, 401),
        ("127.0.0.1", TOKEN, {"Authorization": "Bearer ÿé"}, 401),
        ("203.0.113.7", "", {"Authorization": "Bearer "}, 401),
    ],
)
def test_the_metrics_are_for_this_machine_or_for_who_has_the_token(client, peer, token, headers, status):
    answer = client(metrics_token=Secret(token)).get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == status
    if status == 200:
        assert b"cobrowse_in_flight" in answer.data
        assert answer.content_type.startswith("text/plain")
    else:
        assert answer.json["errorCode"] == "not_authenticated"
        assert "METRICS_TOKEN" in answer.json["errorHint"]
        assert TOKEN not in answer.text


def test_requests_are_counted_by_their_route(client):
    caller = client()
    assert caller.post("/webhooks/crm").json == {"name": "crm", "in flight": 1}
    assert caller.post("/webhooks/broken").status_code == 500
    assert caller.get("/webhooks/crm").status_code == 405
    assert caller.get("/nowhere/at/all").status_code == 404
    told = caller.get("/metrics").text
    for line in (
        'cobrowse_http_requests_total{route="/webhooks/<name>",status="200"} 1.0',
        'cobrowse_http_requests_total{route="/webhooks/<name>",status="500"} 1.0',
        'cobrowse_http_requests_total{route="other",status="405"} 1.0',
        'cobrowse_http_requests_total{route="other",status="404"} 1.0',
        "cobrowse_in_flight 0.0",
    ):
        assert line in told


def test_probes_and_scrapes_are_not_counted(client):
    caller = client()
    for path in ("/healthz", "/readyz", "/metrics"):
        caller.get(path)
    assert "cobrowse_http_requests_total{" not in caller.get("/metrics").text
