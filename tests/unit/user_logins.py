"""A login host and a store of its pairs, in memory, and the service user's tokens on them."""

import threading
from dataclasses import dataclass, replace
from urllib.parse import parse_qs

import httpx
import pytest

from cobrowse.errors import LedgerUnavailable
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from integrations.genesys.retry import RetryingCaller
from integrations.genesys.user_login import UserClient, UserLogin
from integrations.genesys.user_token import UserTokens
from tests.clocks import HANGS, ManualClock

LIFE = 3600.0
CONFIDENTIAL = UserClient("https://login.example.com", "user-client", Secret("user-s3cret"), "http://localhost:1/back")
PUBLIC = replace(CONFIDENTIAL, client_secret=Secret())


class Login(httpx.BaseTransport):
    """Gives access-2 and refresh-2 for refresh-1, and so on: of refresh tokens only the newest is good."""

    def __init__(self):
        self.newest = 1
        self.forms = []
        self.authorizations = []
        self.gate = None
        self.strikes = []
        self.rotates = True

    def handle_request(self, request):
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        self.authorizations.append(request.headers.get("Authorization"))
        if self.gate:
            self.gate.wait(HANGS)
        if self.strikes:
            return self.strikes.pop(0)(request)
        if form.get("refresh_token", f"refresh-{self.newest}") != f"refresh-{self.newest}":
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "it is void"})
        self.newest += 1
        given = {"access_token": f"access-{self.newest}", "expires_in": LIFE}
        return httpx.Response(200, json=given | ({"refresh_token": f"refresh-{self.newest}"} if self.rotates else {}))


@dataclass
class Grant:
    access: str
    refresh: str
    ends: float
    lifetime: float
    version: int
    clock: ManualClock
    refused: str = ""

    @property
    def seconds_left(self):
        return self.ends - self.clock.time


class Store:
    """One login, as the ledger keeps it. While it is `away` nothing can be had of it."""

    def __init__(self, clock):
        self.clock = clock
        self.grant = Grant(Secret("access-1"), Secret("refresh-1"), clock.time + LIFE, LIFE, 1, clock)
        self.lease = ("", 0.0)
        self.away = False
        self.lock = threading.Lock()

    def _reached(self):
        if self.away:
            raise LedgerUnavailable("away")

    def read(self, name):
        self._reached()
        return self.grant and replace(self.grant)

    def begin_rotation(self, name, lease_owner, seconds, version):
        self._reached()
        with self.lock:
            owner, until = self.lease
            free = owner in ("", lease_owner) or until <= self.clock.time
            if not free or version != self.grant.version or self.grant.refused:
                return False
            self.lease = lease_owner, self.clock.time + seconds
            return True

    def rotate(self, name, version, access, refresh, expires_in):
        self._reached()
        if version != self.grant.version:
            return False
        self.grant = Grant(access, refresh, self.clock.time + expires_in, expires_in, version + 1, self.clock)
        return True

    def refuse(self, name, version, why):
        self._reached()
        if version == self.grant.version:
            self.grant.refused = why

    def release(self, name, lease_owner):
        self._reached()
        if self.lease[0] == lease_owner:
            self.lease = ("", 0.0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def login():
    return Login()


@pytest.fixture
def store(clock):
    return Store(clock)


def at_once(work):
    work()


def make(clock, login, store, owner="one", client=CONFIDENTIAL, run=at_once):
    calls = UserLogin(RetryingCaller(login, clock, lambda: 0.0), client)
    return UserTokens(calls, store, clock, "g", lease_owner=owner, run=run)


@pytest.fixture
def tokens(clock, login, store):
    return make(clock, login, store)


@pytest.fixture
def attempt(clock):
    return lambda seconds=10.0: Attempt(Command("architect", "corr-1", seconds), "i", "h", clock)
