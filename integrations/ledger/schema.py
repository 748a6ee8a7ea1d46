"""The tables, as numbered steps from one version to the next, and whether a service and a database fit each other."""

from dataclasses import dataclass

from cobrowse.errors import LedgerUnavailable
from integrations.ledger.engine import Run

UPGRADE = "flask cobrowse ledger upgrade"


@dataclass(frozen=True, slots=True)
class Migration:
    """The way to `version`. `min_reader` is the oldest service, by its own version, that can work on with it."""

    version: int
    min_reader: int
    statements: tuple[str, ...]


# Append only. A column that is added needs a default, so that older services, which don't name it, can write on.
MIGRATIONS = (
    Migration(
        1,
        1,
        (
            """CREATE TABLE initiations (
                seq {row_number},
                id {text} NOT NULL UNIQUE,
                slot {text} NOT NULL UNIQUE,
                sender {text} NOT NULL,
                requested_by {text} NOT NULL,
                credential {text} NOT NULL,
                key {text} NOT NULL,
                fingerprint {text} NOT NULL,
                conversation_id {text} NOT NULL,
                channel {text},
                latest BOOLEAN NOT NULL,
                check_first BOOLEAN NOT NULL,
                deadline_seconds DOUBLE PRECISION NOT NULL,
                correlation_id {text} NOT NULL,
                settings {text} NOT NULL,
                state {text} NOT NULL,
                holder {text} NOT NULL,
                lease_until DOUBLE PRECISION NOT NULL,
                attempts INTEGER NOT NULL DEFAULT 1,
                upstream_calls INTEGER NOT NULL DEFAULT 0,
                flow {text} NOT NULL,
                done {text} NOT NULL,
                begun {text} NOT NULL,
                invited BOOLEAN NOT NULL,
                session {text} NOT NULL,
                secret {text} NOT NULL,
                outcome {text} NOT NULL DEFAULT '',
                spans {text} NOT NULL DEFAULT '[]',
                created DOUBLE PRECISION NOT NULL,
                updated DOUBLE PRECISION NOT NULL
            )""",
            "CREATE INDEX initiations_conversation ON initiations (conversation_id, seq)",
            "CREATE INDEX initiations_key ON initiations (key) WHERE key <> ''",
            "CREATE INDEX initiations_correlation ON initiations (correlation_id)",
            "CREATE INDEX initiations_created ON initiations (created, state)",
            """CREATE TABLE tokens (
                name {text} PRIMARY KEY,
                version INTEGER NOT NULL,
                value {text} NOT NULL,
                expires DOUBLE PRECISION NOT NULL,
                holder {text} NOT NULL,
                lease_until DOUBLE PRECISION NOT NULL
            )""",
        ),
    ),
)

VERSION = MIGRATIONS[-1].version


def upgrade(run: Run) -> tuple[int, int]:
    """Take every step that is missing, inside the caller's locked transaction: the versions before and after."""
    run("CREATE TABLE IF NOT EXISTS ledger_schema (version INTEGER NOT NULL, min_reader INTEGER NOT NULL)")
    found = version(run)
    if found is None:
        run("INSERT INTO ledger_schema (version, min_reader) VALUES (0, 0)")
        found = (0, 0)
    before = found[0]
    for migration in MIGRATIONS:
        if migration.version > before:
            for statement in migration.statements:
                run(statement)
            step = {"version": migration.version, "min_reader": migration.min_reader}
            run("UPDATE ledger_schema SET version = :version, min_reader = :min_reader", step)
    return before, max(before, VERSION)


def version(run: Run) -> tuple[int, int] | None:
    """The version of the tables and the oldest service that may use them; None if there are none yet."""
    rows = run("SELECT version, min_reader FROM ledger_schema")
    return (rows[0][0], rows[0][1]) if rows else None


def check(found: tuple[int, int] | None, place: str) -> None:
    """LedgerUnavailable if this service can't work on such tables. A newer schema is fine while it says so itself."""
    if found is None or found[0] < VERSION:
        has = f"has ledger tables of version {found[0]}" if found else "has no ledger tables yet"
        message = f"{place} {has} and this service needs version {VERSION}: run {UPGRADE}"
        raise LedgerUnavailable(message, hint=f"Run {UPGRADE} once, with the service's own LEDGER_URL.")
    if found[1] > VERSION:
        message = (
            f"{place} has ledger tables of version {found[0]}, for services of version {found[1]} and newer; "
            f"this one knows version {VERSION}"
        )
        raise LedgerUnavailable(message, hint="A newer release has upgraded the ledger: deploy that release here too.")
