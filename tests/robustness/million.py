"""`python -m tests.robustness.million [--rows N]`: a SQLite ledger with so many rows, its console and its purge.

Beside a purge of half of them it claims, completes and searches as requests and an operator do. Every claim must be
answered within its deadline. Prints what each costs.
"""

import argparse
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from cobrowse.ledger import Checkpoint, Claim, Lease, lock_key_for
from cobrowse.model import Command, Outcome, Session, Status
from integrations.ledger import connect

ROWS = 1_000_000
# Seconds: a request's deadline; half of the rows ended longer ago than the retention.
DEADLINE, RETENTION = 10.0, 86_400.0
FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
INSERT INTO initiations SELECT {columns} FROM numbers, (SELECT * FROM initiations LIMIT 1) AS one
"""
OWN = {
    "seq": "n + 1",
    "id": "'id-' || n",
    "lock_key": "'key:crm:x:key-' || n",
    "key": "'key-' || n",
    "conversation_id": "printf('%08d-0000-4000-8000-000000000000', n / 3)",
    "correlation_id": "'correlation-' || n",
    "created": ":now - (n % 2) * 2 * :retention",
    "updated": ":now - (n % 2) * 2 * :retention",
}


def fill(file, rows):
    """Make so many copies of the one row there is, each with ids of its own, every other one old."""
    with closing(sqlite3.connect(file)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(initiations)")]
        columns = ", ".join(OWN.get(name, f"one.{name}") for name in names)
        given = {"rows": rows, "now": time.time(), "retention": RETENTION}
        connection.execute(FILL.replace("{columns}", columns), given)


def timed(work):
    """Seconds that it takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def main():
    """Fill, use and purge; 1 if anything was refused or too late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.sqlite3"
        ledger = connect(f"sqlite:///{file}", keys=(), retention_seconds=RETENTION)

        def initiate(number):
            command = Command("crm", f"c-{number}", DEADLINE, f"new-{number}", key=f"new-{number}", fingerprint="f")
            inviting = Checkpoint("native", may_have_notified=True)
            claim = Claim(f"new-{number}", lock_key_for(command, ""), "me", command, 15.0, inviting)
            ledger.claim(claim, seconds=DEADLINE)
            outcome = Outcome(Status.INITIATED, claim.id, command.correlation_id, Session(command.conversation_id))
            ledger.complete(Lease(claim.id, "me"), claim.checkpoint, outcome, seconds=DEADLINE)

        initiate(0)
        print(f"{rows} rows made in {timed(lambda: fill(file, rows)):.0f} s, {file.stat().st_size / 1e6:.0f} MB")
        purge = threading.Thread(target=ledger.purge)
        purge.start()
        took = {"initiation": [], "search": [], "newest": [], "strip": []}
        number = 0
        while purge.is_alive() or number < 100:
            number += 1
            took["initiation"].append(timed(partial(initiate, number)))
            if number % 10 == 0:
                took["search"].append(timed(lambda: ledger.recent(50, search=f"key-{rows // 2}")))
                took["newest"].append(timed(lambda: ledger.recent(50)))
                took["strip"].append(timed(lambda: ledger.recent_samples(3_600.0)))
        purge.join()
        for name, seconds in took.items():
            ordered = sorted(seconds)
            middle, worst = ordered[len(ordered) // 2], ordered[-1]
            print(f"{name:<12}{len(ordered):>7} times, median {middle * 1000:7.1f} ms, worst {worst * 1000:7.1f} ms")
        ledger.close()
        with closing(sqlite3.connect(file)) as connection:
            (left,) = connection.execute("SELECT count(*) FROM initiations WHERE id LIKE 'id-%'").fetchone()
        print(f"{rows - left} rows purged beside them")
        late = max(took["initiation"]) > DEADLINE
        return 1 if late or left != rows // 2 else 0


if __name__ == "__main__":
    sys.exit(main())
