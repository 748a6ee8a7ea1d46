"""Holds the whole test run to one promise, nothing secret gets out, and marks the tests that take their time."""

import gc
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.databases import database, server
from tests.leftovers import Leftovers
from tests.watch import WATCH

__all__ = ["database", "server"]

HERE = Path(__file__).parent
# Where a folder or a file of tests has a mark of its own. `make test-fast` passes over all three.
MARKED = {
    "browser": "browser",
    "integration": "slow",
    "simulation": "slow",
    "integration/test_crashes.py": "crash",
    "integration/test_ledger_processes.py": "crash",
    **dict.fromkeys(
        (
            "contract/test_bad_input.py",
            "contract/test_deploy.py",
            "contract/test_deploy_unit.py",
            "contract/test_docs_commands.py",
            "contract/test_fault_matrix.py",
            "contract/test_fuzz_guided.py",
            "contract/test_growth.py",
            "contract/test_ledger_gevent.py",
            "contract/test_ledger_health.py",
            "contract/test_ledger_impostors.py",
            "contract/test_ledger_reach.py",
            "contract/test_openapi_agreement.py",
            "contract/test_secret_scan.py",
        ),
        "slow",
    ),
}
NO_PARAMETERS = SimpleNamespace(params={})
# What takes long to start, or is a process of its own.
SLOW_FIXTURES = {"server", "gunicorn"}

leaks = WATCH.leaks

# How long an example takes is the machine's affair; what must be cheap is measured by its own test.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def own_process():
    """Each test finds the process as the first one did, and fails if it leaves it otherwise."""
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    leftovers = Leftovers()
    yield
    assert leftovers.found() == [], "this test leaves something to the next"


def pytest_configure(config):
    config.pluginmanager.register(WATCH)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()  # what was collected stays for the whole run: no later collection walks through it


def pytest_collection_modifyitems(items):
    for item in items:
        path = item.path.relative_to(HERE).as_posix() if item.path.is_relative_to(HERE) else ""
        for name in (path, path.partition("/")[0]):
            if name in MARKED:
                item.add_marker(getattr(pytest.mark, MARKED[name]))
        on_a_server = "postgresql" in getattr(item, "callspec", NO_PARAMETERS).params.values()
        if on_a_server or SLOW_FIXTURES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)
