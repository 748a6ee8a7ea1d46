"""Holds the whole test run to one promise, nothing secret gets out, and marks the tests that take their time."""

import functools
import gc
import os
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.databases import database, server
from tests.gunicorn_forks import gunicorn_forks
from tests.leftovers import Leftovers
from tests.rules import CompiledRules
from tests.watch import WATCH

__all__ = ["database", "gunicorn_forks", "server"]

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
            "contract/test_loaded_modules.py",
            "contract/test_openapi_agreement.py",
            "contract/test_sandbox_page.py",
            "contract/test_secret_scan.py",
        ),
        "slow",
    ),
}
# Modules with many browsers, services or processes in them, those that take the longest first.
LONG = (
    "browser/test_console_in_a_browser.py",
    "integration/test_listen.py",
    "integration/test_package.py",
    "integration/test_server_limits.py",
    "integration/test_callbacks.py",
    "integration/test_crashes.py",
    "browser/test_console_keys_and_copies.py",
    "integration/test_demo.py",
    "contract/test_bad_input.py",
    "contract/test_ledger_gevent.py",
    "contract/test_docs_commands.py",
    "integration/test_login.py",
    "contract/test_deploy.py",
    "contract/test_openapi_agreement.py",
    "integration/test_faults_beside_a_start.py",
    "integration/test_request_smuggling.py",
    "browser/test_console_sign_in_in_a_browser.py",
    "simulation/test_simulation.py",
    "integration/test_transport_connections.py",
    "contract/test_fault_matrix.py",
    "integration/test_ledger_processes.py",
    "integration/test_bad_machines.py",
)
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
    config.pluginmanager.register(CompiledRules())


def pytest_collection():
    gc.disable()  # nearly all that is made from here on stays for the whole run


def pytest_collection_finish():
    gc.freeze()  # no later collection walks through it
    gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    mark(items)  # before pytest chooses by marks
    yield  # they are in random order from here on
    items[:] = long_ones_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def long_ones_first(items, workers):
    """The items in an order in which no worker comes upon a long module when the others have nothing left to do.

    Each worker begins with an equal stretch of the list, and takes over the end of another's. Modules stay whole, for
    what their tests share.
    """
    modules = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    stretches = [[] for _ in range(workers)]
    turns = cycle((*stretches, *reversed(stretches)))  # who has the longest of one round has the shortest of the next
    for long in LONG:
        next(turns).extend(modules.pop(HERE / long, ()))
    rest = iter([item for module in modules.values() for item in module])
    size = len(items) // workers
    for stretch in stretches:
        stretch.extend(islice(rest, max(0, size - len(stretch))))
    return [item for stretch in stretches for item in stretch] + list(rest)


@functools.cache
def place(path):
    """Where a test is, below this folder; "" elsewhere."""
    return path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""


def mark(items):
    for item in items:
        path = place(item.path)
        for name in (path, path.partition("/")[0]):
            if name in MARKED:
                item.add_marker(getattr(pytest.mark, MARKED[name]))
        on_a_server = "postgresql" in getattr(item, "callspec", NO_PARAMETERS).params.values()
        if on_a_server or SLOW_FIXTURES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)
