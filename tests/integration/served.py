"""One sandbox on a socket for all tests of a module, as new for each of them, and a client of its API."""

import httpx
import pytest

from sandbox.server import start
from tests.clocks import HANGS

USER = {"Authorization": "Bearer user-token-test"}


@pytest.fixture(scope="module")
def served():
    with start() as box:
        yield box


@pytest.fixture
def box(served):
    served.reset()
    return served


@pytest.fixture
def api(box):
    with httpx.Client(base_url=f"{box.url}/api/v2", headers=USER, timeout=HANGS, verify=False) as client:
        yield client
