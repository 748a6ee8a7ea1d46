"""Flask as this service uses it."""

import gc

import pytest
from flask import session, url_for

from web.flask_app import App


@pytest.fixture
def app():
    app = App("it")
    app.get("/fixed")(fixed)
    app.post("/fixed")(posted)
    app.get("/folder/")(folder)
    app.get("/named/<name>")(named)
    return app


def fixed():
    return "fixed"


def posted():
    return "posted"


def folder():
    return url_for("named", name="x")


def named(name):
    return name


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/fixed", 200, "fixed"),
        ("POST", "/fixed", 200, "posted"),
        ("HEAD", "/fixed", 200, ""),
        ("OPTIONS", "/fixed", 200, ""),
        ("GET", "/fixed?query=1", 200, "fixed"),
        ("GET", "/folder/", 200, "/named/x"),
        ("GET", "/named/fixed", 200, "fixed"),
        ("PUT", "/fixed", 405, None),
        ("GET", "/fixed/", 404, None),
        ("GET", "/folder", 308, None),
        ("GET", "/absent", 404, None),
    ],
)
def test_a_path_leads_where_it_would_in_flask(app, method, path, status, body):
    answer = app.test_client().open(path, method=method)
    assert answer.status_code == status
    assert body is None or answer.text == body


def test_the_table_of_fixed_paths_says_what_werkzeug_finds(app):
    adapter = app.url_map.bind("localhost")
    assert {path for _, path in app.fixed_rules} == {"/fixed", "/folder/"}
    for (method, path), rule in app.fixed_rules.items():
        assert adapter.match(path, method, return_rule=True) == (rule, {})


def test_a_request_to_a_fixed_path_leaves_nothing_to_the_garbage_collector(app):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/fixed", "SERVER_NAME": "x", "SERVER_PORT": "80"}
    environ["wsgi.url_scheme"] = "http"

    def garbage():
        gc.collect()
        gc.disable()
        try:
            assert b"".join(app(dict(environ), lambda *_: None)) == b"fixed"
            return gc.collect()
        finally:
            gc.enable()

    # Other threads of this process may leave some as well, but not each time.
    assert 0 in (garbage() for _ in range(10))


def test_a_session_can_not_be_written_to(app):
    with app.test_request_context("/fixed"), pytest.raises(RuntimeError, match="session is unavailable"):
        session["name"] = "value"
    assert "Set-Cookie" not in app.test_client().get("/fixed").headers
