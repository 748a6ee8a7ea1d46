"""The ledger's two engines as fixtures, and what to put into one."""

import re
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from itertools import count

import psycopg
import pytest
from cryptography.fernet import Fernet

from cobrowse.ledger import Acquired, Checkpoint, Claim, Lease, lock_key_for
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Span, Status
from integrations.ledger import connect, postgresql, queries, record_columns, sqlite_connection
from integrations.ledger.database import Statement
from integrations.ledger.encryption import SecretBox
from integrations.ledger.migrations import MIGRATIONS
from integrations.ledger.postgresql_statements import Statements
from tests.databases import new_database

RETENTION = 86_400.0
LEASE = 30.0
KEY = Fernet.generate_key().decode()
# Every table that holds what the service has put into it.
TABLES = [
    name
    for migration in MIGRATIONS
    for statement in migration.statements
    for name in re.findall(r"^CREATE TABLE (\w+)", statement)
]

_numbers = count(1)


@cache
def _shared_database(server):
    url = new_database(server, "shared")
    store = connect(url, keys=[KEY], retention_seconds=RETENTION)
    store.upgrade()
    store.close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of an empty ledger on either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite3"
    shared = _shared_database(request.getfixturevalue("server"))
    with psycopg.connect(shared, autocommit=True) as connection:
        # A migration has put a row into health, which stays. For a few rows TRUNCATE takes five times as long.
        connection.execute("; ".join(f"DELETE FROM {name}" for name in TABLES if name != "health"))
    return shared


@pytest.fixture
def opened():
    """A factory of stores that are closed in the end."""
    stores = []

    def build(url, *, keys=(KEY,), retention_seconds=RETENTION, **more):
        store = connect(url, keys=keys, retention_seconds=retention_seconds, **more)
        stores.append(store)
        return store

    yield build
    for store in stores:
        store.close()


@pytest.fixture
def ledger(url, opened):
    return opened(url)


def command(**fields):
    """A whole command; what is given is put in place."""
    defaults = {
        "sender": "data-action",
        "correlation_id": f"correlation-{next(_numbers)}",
        "deadline_seconds": 10.0,
        "conversation_id": "c-1",
        "channel": "webchat",
        "requested_by": "ada@example.com",
        "credential": "api-key",
    }
    return Command(**defaults | fields)


FIRST = Checkpoint("media", (), "create")


def claim_of(of=None, *, number=None, lease=LEASE, checkpoint=FIRST, **fields):
    """A claim, by a lease owner of its own, for this command or one of these fields."""
    number = number or f"id-{next(_numbers)}"
    of = of or command(**fields)
    return Claim(number, lock_key_for(of, number), f"owner-{number}", of, lease, checkpoint)


def keyed(key="k-1", fingerprint="f-1", **more):
    return claim_of(key=key, fingerprint=fingerprint, **more)


def again(claim, **fields):
    """The same request, delivered once more."""
    number = f"id-{next(_numbers)}"
    lock_key = lock_key_for(claim.command, number)
    return replace(claim, id=number, lock_key=lock_key, lease_owner=f"owner-{number}", **fields)


SESSION = Session(
    conversation_id="c-1",
    cobrowse_session_id="s-1",
    media_id="m-1",
    join_url=Secret("https://join.example.com/very-secret-join"),
    viewer_url=Secret("https://view.example.com/very-secret-view"),
    join_code=Secret("914-very-secret-code"),
    offer_ends="2026-11-25T09:05:00+00:00",
    state="alerting",
    verified=True,
)
INVITING = Checkpoint("native", pending_step="cobrowse", may_have_notified=True)
CREATED = Checkpoint("media", ("create",), "attach", True, SESSION)
ATTACHED = Checkpoint("media", ("create", "attach"), "", True, SESSION)
SPANS = (Span("step", "create", 0.0, 0.25, "done"), Span("call", "POST /api/v2/x", 0.01, 0.2, "201"))


def outcome(number="id-1", *, failure=None, session=SESSION, calls=4, status=None):
    status = status or (Status.FAILED if failure else Status.INITIATED)
    return Outcome(status, number, "correlation", session, "media", 0.25, calls, 1, failure, SPANS, "a note")


RETRYABLE = Failure("genesys_unavailable", "503", "ask again", retryable=True, is_terminal=False, retry_after=2.5)
FINAL = Failure("conversation_not_active", "ended", "start it earlier", retryable=False, is_terminal=True)


def won(ledger, claim):
    claimed = ledger.claim(claim)
    assert isinstance(claimed, Acquired), claimed
    return claimed


def lease_of(claim):
    return Lease(claim.id, claim.lease_owner)


def settle(ledger, claim, checkpoint=ATTACHED, entry_id=None, **more):
    number = entry_id or claim.id
    ledger.complete(Lease(number, claim.lease_owner), checkpoint, outcome(number, **more))


def failed(ledger, claim, failure=RETRYABLE, checkpoint=CREATED):
    settle(ledger, claim, checkpoint, failure=failure)


def execute(url, *statements):
    """Change an engine's tables behind the ledger's back."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements]
    with psycopg.connect(url, autocommit=True) as connection:
        cursors = [connection.execute(statement) for statement in statements]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


# Every time that the ledger keeps.
TIMES = {
    "initiations": ("created", "updated", "lease_until"),
    "tokens": ("expires",),
    "leases": ("lease_until",),
    "grants": ("expires",),
}


def pass_time(url, seconds):
    """Let so many seconds pass for all that the ledger keeps, without waiting for them."""
    moved = {table: ", ".join(f"{name} = {name} - {seconds}" for name in names) for table, names in TIMES.items()}
    execute(url, *(f"UPDATE {table} SET {times}" for table, times in moved.items()))


@contextmanager
def uncommitted(url, claim):
    """Another machine's claim on its way: made, and committed at the end."""
    params = record_columns.claim_params(claim, SecretBox(()))
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            now = {"now": time.time()}
            connection.execute(sqlite_connection.DIALECT.render(queries.CLAIM), params | now).fetchall()
            yield
            connection.execute("COMMIT")
    else:
        with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
            Statements(connection).run([(Statement.of(postgresql.DIALECT.render(queries.CLAIM), "$"), params)])
            yield


def together(count, work):
    """Let so many threads do the work at the same moment."""
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
