"""Holds the whole test run to one promise: nothing secret gets out."""

from tests.databases import database, server
from tests.watch import WATCH

__all__ = ["database", "server"]

leaks = WATCH.leaks


def pytest_configure(config):
    config.pluginmanager.register(WATCH)
