"""Schema migrations, numbered, and the check whether service and database are compatible."""

import secrets
from dataclasses import dataclass

from cobrowse.errors import LedgerUnavailable
from integrations.ledger.database import Run

UPGRADE = "cobrowse-bridge ledger upgrade"
REPLACED_HINT = (
    "Stop the service on every machine first, then move or restore its ledger, then start it: "
    "processes with different copies would invite customers twice."
)
_OTHER_RELEASE = (
    "Another release of this service has made or upgraded the ledger: deploy that release here. To go on without what "
    "the ledger knows, stop the service on every machine first, then point LEDGER_URL at a new one."
)


@dataclass(frozen=True, slots=True)
class Migration:
    """The way to `version`. `min_reader` is the oldest service, by its own version, that can work on with it."""

    version: int
    min_reader: int
    statements: tuple[str, ...]


_INITIATIONS = """CREATE TABLE initiations (
    seq {row_number},
    id {text} NOT NULL UNIQUE,
    lock_key {text} NOT NULL UNIQUE,
    sender {text} NOT NULL,
    requested_by {text} NOT NULL,
    credential {text} NOT NULL,
    key {text} NOT NULL,
    fingerprint {text} NOT NULL,
    conversation_id {text} NOT NULL,
    channel {text},
    latest BOOLEAN NOT NULL,
    reuse_live_session BOOLEAN NOT NULL,
    start_when {text} NOT NULL,
    deadline_seconds DOUBLE PRECISION NOT NULL,
    correlation_id {text} NOT NULL,
    settings {text} NOT NULL,
    action {text} NOT NULL,
    ends {text} NOT NULL,
    hand_over BOOLEAN NOT NULL,
    state {text} NOT NULL,
    lease_owner {text} NOT NULL,
    lease_until DOUBLE PRECISION NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    upstream_calls INTEGER NOT NULL DEFAULT 0,
    flow {text} NOT NULL,
    completed_steps {text} NOT NULL,
    pending_step {text} NOT NULL,
    may_have_notified BOOLEAN NOT NULL,
    session {text} NOT NULL,
    secret {text} NOT NULL,
    outcome {text} NOT NULL DEFAULT '',
    spans {text} NOT NULL DEFAULT '[]',
    earlier {text} NOT NULL DEFAULT '',
    error_code {text} NOT NULL DEFAULT '',
    created DOUBLE PRECISION NOT NULL,
    updated DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION NOT NULL DEFAULT 0
){storage}"""
# Indexes on random ids are what a claim costs most: the console finds a key by its lock_key. None has what a later step
# changes, so that PostgreSQL need not touch them again. The last are partial, so that a start that names nobody and
# succeeds writes to neither.
_INDEXES = (
    "CREATE INDEX initiations_conversation ON initiations (conversation_id, seq)",
    "CREATE INDEX initiations_key ON initiations (key) WHERE key <> ''",
    "CREATE INDEX initiations_correlation ON initiations (correlation_id)",
    "CREATE INDEX initiations_created ON initiations (created)",
    "CREATE INDEX initiations_requested_by ON initiations (requested_by) WHERE requested_by <> ''",
    "CREATE INDEX initiations_error_code ON initiations (error_code) WHERE error_code <> ''",
)
_REFUSALS = """CREATE TABLE refusals (
    minute INTEGER NOT NULL,
    sender {text} NOT NULL,
    code {text} NOT NULL,
    address {text} NOT NULL,
    status INTEGER NOT NULL,
    message {text} NOT NULL,
    hint {text} NOT NULL,
    correlation_id {text} NOT NULL,
    count INTEGER NOT NULL,
    first DOUBLE PRECISION NOT NULL,
    last DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (minute, sender, code, address)
)"""
_TOKENS = """CREATE TABLE tokens (
    name {text} PRIMARY KEY,
    version INTEGER NOT NULL,
    value {text} NOT NULL,
    expires DOUBLE PRECISION NOT NULL
)"""
_LEASES = """CREATE TABLE leases (
    name {text} PRIMARY KEY,
    lease_owner {text} NOT NULL,
    lease_until DOUBLE PRECISION NOT NULL
)"""
# What became of an initiation, to be sent to OUTCOME_WEBHOOK_URL. `at` is when it is due, or when that ended.
_CALLBACKS = """CREATE TABLE callbacks (
    seq {row_number},
    initiation_id {text} NOT NULL,
    attempt INTEGER NOT NULL,
    type {text} NOT NULL,
    sender {text} NOT NULL,
    action {text} NOT NULL,
    key {text} NOT NULL,
    outcome {text} NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    state {text} NOT NULL DEFAULT 'pending',
    at DOUBLE PRECISION NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    answer {text} NOT NULL DEFAULT '',
    UNIQUE (initiation_id, attempt, type)
)"""
_GRANTS = """CREATE TABLE grants (
    name {text} PRIMARY KEY,
    version INTEGER NOT NULL,
    secret {text} NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    lifetime DOUBLE PRECISION NOT NULL,
    refused {text} NOT NULL,
    account {text} NOT NULL,
    org {text} NOT NULL,
    logged_in DOUBLE PRECISION NOT NULL
)"""
# What each sender has delivered in an hour, however it ended.
_DELIVERIES = """CREATE TABLE deliveries (
    hour INTEGER NOT NULL,
    sender {text} NOT NULL,
    last DOUBLE PRECISION NOT NULL,
    outcome {text} NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, sender)
)"""

# Append only. A column that is added needs a default, so that older services, which don't name it, can write on.
MIGRATIONS = (
    Migration(
        1,
        1,
        (
            _INITIATIONS,
            *_INDEXES,
            "CREATE TABLE health (checked DOUBLE PRECISION NOT NULL, filler {text} NOT NULL)",
            "INSERT INTO health (checked, filler) VALUES ({now}, '')",
            "CREATE TABLE budgets (name {text} PRIMARY KEY, closed_until DOUBLE PRECISION NOT NULL)",
            _TOKENS,
            _LEASES,
            _GRANTS,
            _REFUSALS,
            "CREATE INDEX refusals_last ON refusals (last)",
            _CALLBACKS,
            "CREATE INDEX callbacks_due ON callbacks (state, at)",
        ),
    ),
    Migration(2, 1, (_DELIVERIES,)),
)

VERSION = MIGRATIONS[-1].version


@dataclass(frozen=True, slots=True)
class Schema:
    """A database's schema: its version, the oldest compatible service, and the ledger's id."""

    version: int
    min_reader: int
    ledger_id: str


def upgrade(run: Run) -> tuple[int, int]:
    """Take every step that is missing, inside the caller's locked transaction: the versions before and after."""
    run(
        "CREATE TABLE IF NOT EXISTS ledger_schema "
        "(version INTEGER NOT NULL, min_reader INTEGER NOT NULL, ledger_id {text} NOT NULL)"
    )
    found = read_schema(run)
    if found is None:
        new = {"ledger_id": secrets.token_hex(16)}
        run("INSERT INTO ledger_schema (version, min_reader, ledger_id) VALUES (0, 0, :ledger_id)", new)
    before = found.version if found else 0
    for migration in MIGRATIONS:
        if migration.version > before:
            for statement in migration.statements:
                run(statement)
            step = {"version": migration.version, "min_reader": migration.min_reader}
            run("UPDATE ledger_schema SET version = :version, min_reader = :min_reader", step)
    return before, max(before, VERSION)


def read_schema(run: Run) -> Schema | None:
    """The schema of the tables; None if there are none yet. LedgerUnavailable if they are not a ledger's."""
    rows = run("SELECT version, min_reader, ledger_id FROM ledger_schema")
    if not rows:
        return None
    if [type(value) for value in rows[0]] != [int, int, str]:
        hint = "Point LEDGER_URL at the ledger's own database."
        raise LedgerUnavailable("the table ledger_schema is not one that this service has made", hint=hint)
    return Schema(*rows[0])


def check_schema(found: Schema | None, location: str, ledger_id: str = "") -> Schema:
    """The schema, if this service can work on such tables, and they are those of `ledger_id` where that is given.

    LedgerUnavailable otherwise. A newer schema is fine while it says so itself.
    """
    if found is None or found.version < VERSION:
        has = f"has ledger tables of version {found.version}" if found else "has no ledger tables yet"
        message = f"{location} {has} and this service needs version {VERSION}: run {UPGRADE}"
        raise LedgerUnavailable(message, hint=f"Run {UPGRADE} once, with the service's own LEDGER_URL.")
    if found.min_reader > VERSION:
        message = (
            f"{location} has ledger tables of version {found.version}, for services of version {found.min_reader} and "
            f"newer; this one knows version {VERSION}"
        )
        raise LedgerUnavailable(message, hint=_OTHER_RELEASE)
    if ledger_id and found.ledger_id != ledger_id:
        raise LedgerUnavailable(f"{location} holds another ledger than before", hint=REPLACED_HINT)
    return found
