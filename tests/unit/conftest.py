"""What the sandbox's parts are made of where a test moves their time."""

import pytest

from sandbox.options import Options


class Moving:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Moving()


@pytest.fixture
def options():
    return Options()
