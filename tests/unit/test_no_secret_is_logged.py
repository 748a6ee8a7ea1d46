"""The watch over the whole run's logs works: a test that logs a secret fails."""

import pytest

from tests.conftest import leaks

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    "line", ["key=test-key-0123456789abcdef", "https://cobrowse.sandbox.example/join/1", '{"joinCode":"123456"}']
)
def test_a_secret_is_found_in_a_log(line):
    assert leaks(f"x {line} y")


def test_ids_are_no_secrets():
    assert leaks('{"initiation_id":"11111111-1111-4111-8111-111111111111","correlation_id":"c-1"}') == []


def test_a_test_that_logs_a_secret_fails(pytester):
    pytester.makeconftest("from tests.conftest import pytest_runtest_makereport")
    pytester.makepyfile("import sys\ndef test_it():\n    print('sandbox-secret', file=sys.stderr)")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
