"""The service that the OpenAPI document describes, with a sender of each kind that it tells apart, as fixtures."""

import contextlib
from pathlib import Path

import pytest

from cobrowse.model import Secret
from sandbox.server import start
from tests.in_process import service
from tools.api_reference.openapi import document

ROOT = Path(__file__).parents[2]
KEY = "test-key-0123456789abcdef"
SENDERS = """
[senders.own]
signature = "api-key"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "custom"

[senders.bus]
signature = "api-key"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "eventbridge"

[senders.rated]
signature = "api-key"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "custom"
rate_limit = "1/minute"

[senders.zendesk]
signature = "zendesk"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "custom"
"""
DOCUMENT = document()
OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}


@pytest.fixture(scope="module")
def box():
    with start(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def build(box, tmp_path_factory):
    """A factory: the service on the sandbox, with these settings besides."""
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "senders.toml").write_text(SENDERS)
    chosen = {
        "api_keys": Secret(f"flow:{KEY}"),
        "senders_file": str(folder / "senders.toml"),
        "deadline_seconds": 3.0,
    }
    environ = {"OPENAPI_TEST_KEY": KEY}
    with contextlib.ExitStack() as stack:

        def make(**settings):
            own = tmp_path_factory.mktemp("app")
            app, _ = stack.enter_context(service(box.url, own, environ, **chosen | settings))
            return app

        yield make


@pytest.fixture(scope="module")
def app(build):
    return build()
