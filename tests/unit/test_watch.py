"""The watch over the whole run works: a secret that gets out in any of the places fails the test it happens in."""

import textwrap
from pathlib import Path

import pytest

from tests.watch import WATCH, Watch

pytest_plugins = ["pytester"]
# What the runs in here need no more than the run around them: some can't be imported a second time in a process.
WITHOUT = [f"-pno:{name}" for name in ("cacheprovider", "randomly", "schemathesis", "anyio", "pyreqwest")]

CONFTEST = """
    from pathlib import Path
    import pytest
    from flask import Flask
    from tests.watch import Watch

    WATCH = Watch(["planted-0123456789"], app="planted", root=Path(__file__).parent)

    def pytest_configure(config):
        config.pluginmanager.register(WATCH)

    @pytest.fixture
    def ask():
        def ask(answer, path="/", name="planted", **headers):
            app = Flask(name)
            app.get(path.partition("?")[0])(answer)
            app.errorhandler(RuntimeError)(lambda _: ("it failed", 500))
            return app.test_client().get(path, headers=headers)
        return ask
"""
SESSION = '{"joinUrl": "https://join.example.com/1", "viewerUrl": "", "joinCode": "271828", "success": True}'

LEAKS = {
    "in the log": "print('planted-0123456789', file=sys.stderr)",
    "in a record of logging": "logging.getLogger('x').warning('planted-0123456789')",
    "in what is counted": "ask(lambda: Response('x{a=\"planted-0123456789\"} 1', mimetype='text/plain'), '/metrics')",
    "in an error": "ask(lambda: (jsonify(errorMessage='planted-0123456789'), 502))",
    "in a failure that is told in the body": "ask(lambda: jsonify(success=False, errorHint='planted-0123456789'))",
    "in an answer's header": "ask(lambda: Response(headers={'X-Told': 'planted-0123456789'}))",
    "in a page": "ask(lambda: '<p>planted&#45;0123456789</p>', '/console')",
    "in another field of a success": f"ask(lambda: jsonify({SESSION} | dict(note='planted-0123456789')))",
    "a failure's link": f"ask(lambda: jsonify({SESSION} | dict(success=False, joinUrl='planted-0123456789')))",
    "a link of one of a batch that failed": (
        "ask(lambda: jsonify(success=True, results=[dict(success=False, joinUrl='planted-0123456789')]))"
    ),
    "a link that was handed out, in the log": (
        f"ask(lambda: jsonify({SESSION})); print('https://join.example.com/1', file=sys.stderr)"
    ),
    "a code that was handed out, in the log": f"ask(lambda: jsonify({SESSION})); print('code 271828', file=sys.stderr)",
    "a link that was handed out, on a page": (
        f"ask(lambda: jsonify({SESSION})); ask(lambda: 'https://join.example.com/1', '/console')"
    ),
    "a key that came, in its answer": "ask(lambda: (request.headers['X-Api-Key'], 401), X_Api_Key='presented-0123')",
    "a password that came, in the log": (
        "ask(lambda: 'x', Authorization='Basic dTpwcmVzZW50ZWQtMDEyMw=='); print('presented-0123', file=sys.stderr)"
    ),
    "a signature that came, in a page": (
        "ask(lambda: 'x', X_Hub_Signature_256='sha256=0123456789ab'); ask(lambda: 'sha256=0123456789ab', '/console')"
    ),
    "a key in a URL, in the log": "ask(lambda: 'x', '/?code=presented-0123'); print('presented-0123', file=sys.stderr)",
    "a token that was issued": "WATCH.taint('issued-0123456789'); print('issued-0123456789', file=sys.stderr)",
    "in a span": "WATCH.traces.on_request(RequestInfo('GET', '/planted-0123456789', {}, 'c'))(200)",
    "in the ledger": "(tmp_path / 'ledger.sqlite3').write_bytes(b'\\0planted-0123456789\\0')",
    "in the ledger's write-ahead log": "(tmp_path / 'ledger.sqlite3-wal').write_bytes(b'\\0planted-0123456789\\0')",
    "a ledger's own key, in the ledger": (
        "(tmp_path / 'l.sqlite3.key').write_text('made-0123456789\\n');"
        "(tmp_path / 'l.sqlite3').write_bytes(b'made-0123456789')"
    ),
    "in the log of a process": "(tmp_path / 'gunicorn-8000.log').write_text('planted-0123456789')",
    "in the workers' counts": (
        "(tmp_path / 'cobrowse-metrics-1').mkdir();"
        "(tmp_path / 'cobrowse-metrics-1' / 'counter_1.db').write_text('planted-0123456789')"
    ),
    "in a failure's words": "ask(fails(lambda: int(PLANTED)))",
    "in a variable of a failure": "ask(fails(lambda held=PLANTED: 1 / 0))",
    "in a variable of what a failure came from": "ask(fails(chained))",
    "in a variable of a failure that is logged": "ask(logged)",
}
FINE = {
    "a success's link and code, to its caller": f"ask(lambda: jsonify({SESSION}))",
    "those of a batch": f"ask(lambda: jsonify(success=False, results=[{SESSION}]))",
    "a code's digits in a longer number or a time": (
        f"ask(lambda: jsonify({SESSION})); print('09:00:00.271828 12718281', file=sys.stderr)"
    ),
    "a ledger's own key, in its file": "(tmp_path / 'l.sqlite3.key').write_text('made-0123456789')",
    "a Secret in a variable of a failure": "ask(fails(lambda held=Secret(PLANTED): 1 / 0))",
    "what another app answers": "ask(lambda: 'planted-0123456789', name='sandbox')",
}

HEAD = """
    import logging, sys
    import structlog
    from flask import Response, jsonify, request
    from cobrowse.model import Secret
    from integrations.observability.observers import RequestInfo
    from conftest import WATCH

    # Put together here: a traceback shows lines of code as well.
    PLANTED = "-".join(("planted", "0123456789"))

    def fails(what):
        def fail():
            try:
                what()
            except Exception as error:
                raise RuntimeError("it failed") from error
        return fail

    def chained():
        held = str(PLANTED)
        try:
            int(len(held) * "x")
        except ValueError as error:
            raise LookupError from error

    def logged():
        try:
            held = str(PLANTED)
            int(len(held) * "x")
        except ValueError as error:
            structlog.get_logger().error("a fault", exc_info=error)
        return "fine"

    def test_it(ask, tmp_path):
"""


@pytest.fixture
def outcomes(pytester):
    """What becomes of a test that does this."""
    # The fixture's own run must not find this one's conftest.
    pytester.syspathinsert()

    def run(what):
        pytester.makeconftest(textwrap.dedent(CONFTEST))
        pytester.makepyfile(textwrap.dedent(HEAD) + f"    {what}\n")
        done = pytester.runpytest_inprocess(*WITHOUT)
        return done, done.parseoutcomes()

    return run


@pytest.mark.parametrize("where", LEAKS)
def test_a_secret_that_gets_out_fails_the_test(outcomes, where):
    done, came_of_it = outcomes(LEAKS[where])
    assert came_of_it == {"passed": 1, "errors": 1}
    done.stdout.fnmatch_lines("something secret showed during this test:")


@pytest.mark.parametrize("where", FINE)
def test_what_is_no_leak_fails_nothing(outcomes, where):
    assert outcomes(FINE[where])[1] == {"passed": 1}


@pytest.mark.parametrize(
    "line", ["key=test-key-0123456789abcdef", "https://cobrowse.sandbox.example/join/1", '{"joinCode":"123456"}']
)
def test_what_the_tests_sign_in_with_and_what_the_sandbox_hands_out_is_found(line):
    assert Watch().leaks(f"x {line} y")


def test_ids_are_no_secrets():
    assert Watch().leaks('{"initiation_id":"11111111-1111-4111-8111-111111111111","correlation_id":"c-1"}') == []


def test_the_report_does_not_tell_the_secret(outcomes):
    done, _ = outcomes("ask(lambda: ('planted-0123456789', 500))")
    assert "the answer of /: planted-…" in done.stdout.str()
    assert "planted-0123456789" not in done.stdout.str()


def test_the_next_test_begins_with_nothing(outcomes, pytester):
    second = "\n\ndef test_next():\n    print('issued-0123456789', file=sys.stderr)"
    assert outcomes(f"WATCH.taint('issued-0123456789'){second}")[1] == {"passed": 2}


def test_the_run_of_this_repository_is_watched(request):
    assert request.config.pluginmanager.is_registered(WATCH)
    assert Path(WATCH._root, "app.py").exists()
