"""Holds the whole test run to one promise: nothing secret is ever logged."""

import re

import pytest

# What the tests sign in with, and the shapes of what the sandbox hands out.
SECRETS = (
    "test-key-0123456789abcdef",
    "other-key-fedcba9876543210",
    "sandbox-secret",
    "console-password-0123456789",
    "user-token-",
    "cobrowse.sandbox.example/join/",
    "cobrowse.sandbox.example/view/",
)
_JOIN_CODE = re.compile(r'"?join_?[cC]ode"?\s*[:=]\s*"?\d{6}')
_ISSUED = set()


def taint(*values):
    """From now on this may be in no log line."""
    _ISSUED.update(str(value) for value in values if value)


def leaks(log):
    """The secrets that a log holds."""
    return [secret for secret in (*SECRETS, *_ISSUED) if secret in log] + _JOIN_CODE.findall(log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "teardown" and report.outcome == "passed" and (found := leaks(report.capstderr + report.caplog)):
        report.outcome = "failed"
        report.longrepr = (
            f"{len(found)} secret(s) in what was logged during this test, the first begins {found[0][:12]!r}"
        )
    return report
