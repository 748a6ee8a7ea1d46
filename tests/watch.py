"""One watch over the whole run: nothing secret is in what the service logs, counts, traces, answers, shows or keeps.

A test during which a secret shows in one of these places fails, whatever else it was about. What of a place is looked
at, and what is exempt, is in tests/witnesses.py.
"""

import re
from collections import deque
from functools import cached_property

import pytest
import structlog
from flask import Flask, request, request_finished, request_started

from cobrowse.clock import SystemClock
from integrations.observability.tracing import Traces
from tests import witnesses

# What the tests sign in with, the shapes of what the sandbox hands out, and what the ledger's own tests keep.
SECRETS = (
    *("test-key-0123456789abcdef", "other-key-fedcba9876543210", "hostile-key-0123456789abcdef"),
    *("sandbox-secret", "console-password-0123456789", "user-token-"),
    *("cobrowse.sandbox.example/join/", "cobrowse.sandbox.example/view/"),
    *("very-secret-join", "very-secret-view", "very-secret-code"),
)
_JOIN_CODE = re.compile(rb'"?join_?[cC]ode"?\s*[:=]\s*"?\d{6}')
# Characters below which a value is too common to be looked for. No secret of the service's is as short.
SHORTEST = 12
# The latest credentials of a test that are looked for everywhere; each is looked for in its own answer anyway.
RECENT = 256


class Watch:
    """A plugin of pytest's: collects what gets out during a test, and looks through it when the test is over.

    `app` is the name of the Flask apps that are watched; `root` is where the code lies whose variables are looked at.
    """

    def __init__(self, secrets=SECRETS, app="cobrowse-bridge", root=witnesses.ROOT):
        self._always = tuple(secret.encode() for secret in secrets)
        self._app = app
        self._root = root
        self._issued, self._codes = set(), set()
        self._presented = deque(maxlen=RECENT)
        # The same page is served many times: its bytes are kept once.
        self._seen = {}
        self._leaked = set()

    def taint(self, *values):
        """Until this test is over these may show nowhere."""
        self._issued.update(str(value).encode() for value in values if len(str(value)) >= SHORTEST)

    def saw(self, place, told):
        """The service has told this there."""
        self._seen[_bytes(told)] = place

    def leaks(self, told, also=()):
        """The secrets that a text holds."""
        told = _bytes(told)
        found = {one for one in (*self._always, *self._issued, *also) if one in told}
        patterns = (
            (*self._codes, _JOIN_CODE) if b"join" in told else self._codes
        )  # the look costs less than the pattern
        found.update(match[0] for pattern in patterns for match in pattern.finditer(told))
        return sorted(one.decode(errors="replace") for one in found)

    def follow(self, settings, initiate, environ):
        """A service of this process: the secrets among its settings are some, and its traces are looked at."""
        self.taint(*witnesses.secrets(settings, environ))
        for aside in initiate.observers:
            aside._observers += (self.traces,)
            aside._request_observers += (self.traces,)

    @cached_property
    def traces(self):
        """Makes the spans that a collector would be sent."""
        return Traces("", SystemClock(), witnesses.Spans(self.saw))

    # What is watched

    def asked(self, app):
        """A request begins: what its caller authenticates by is a secret from now on."""
        if app.name == self._app:
            self._presented.extend(self._proofs())
            processors = structlog.get_config()["processors"]
            if self.logged not in processors:
                processors.insert(0, self.logged)

    def answered(self, app, response):
        """A request has ended."""
        if app.name == self._app:
            place = f"the answer of {request.path[:60]}"
            told, links, codes = witnesses.answer(request, response)
            self._note(place, {found.decode(errors="replace") for found in self._proofs() if found in told})
            self.saw(place, told)
            self.taint(*links)
            # Six digits are looked for where they are no part of a time or of a longer number.
            self._codes.update(re.compile(rb"(?<![\d.:])%b(?!\d)" % code.encode()) for code in codes)

    def logged(self, _logger, _method, event):
        """A processor of structlog's: a failure that is logged."""
        if isinstance(failure := event.get("exc_info"), BaseException):
            self.failed(failure)
        return event

    def failed(self, failure):
        """Something was raised, and a tool that shows the variables of its frames would be told of it."""
        self.saw("a traceback with its variables", witnesses.traceback(failure, self._root))

    def _proofs(self):
        return [one for one in witnesses.credentials(request) if len(one) >= SHORTEST]

    def _note(self, place, secrets):
        # The report itself must not tell them.
        self._leaked.update(f"{place}: {secret[:8]}…" for secret in secrets)

    # pytest's hooks

    def pytest_sessionstart(self):
        request_started.connect(self.asked)
        request_finished.connect(self.answered)
        self._handle = handle = Flask.handle_user_exception

        # The one place that every failure of a request comes through, those that are answered and not logged as well.
        def handled(app, failure):
            if app.name == self._app:
                self.failed(failure)
            return handle(app, failure)

        Flask.handle_user_exception = handled

    def pytest_sessionfinish(self):
        request_started.disconnect(self.asked)
        request_finished.disconnect(self.answered)
        Flask.handle_user_exception = self._handle
        processors = structlog.get_config()["processors"]
        if self.logged in processors:
            processors.remove(self.logged)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if report.when == "teardown" and (found := self._over(item, report)) and report.outcome == "passed":
            report.outcome = "failed"
            report.longrepr = "something secret showed during this test:\n" + "\n".join(found)
        return report

    def _over(self, item, report):
        """Where something secret showed, a line each; the next test begins with nothing."""
        self.saw("the log", report.capstderr + report.caplog)
        if folder := (item.funcargs or {}).get("tmp_path"):
            self.taint(*witnesses.own_keys(folder))
            for place, told in witnesses.files(folder):
                self.saw(place, told)
        also = set(self._presented)
        for told, place in self._seen.items():
            self._note(place, self.leaks(told, also))
        found = sorted(self._leaked)
        for kept in (self._issued, self._codes, self._presented, self._seen, self._leaked):
            kept.clear()
        return found


def _bytes(told):
    return told if isinstance(told, bytes) else told.encode(errors="replace")


WATCH = Watch()
