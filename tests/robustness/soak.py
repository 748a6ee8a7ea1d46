"""`python -m tests.robustness.soak [--minutes 20] [--postgresql]`: load, faults and restarts; nothing is lost.

All senders and data actions, with and without keys, each request delivered up to four times at once; faults at random
in Genesys; workers ended and the configuration reloaded; with PostgreSQL two services, and the database stopped and
started in the middle. Then all that is not settled is delivered until it is, and all is reconciled.
"""

import argparse
import contextlib
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet

from integrations.ledger import connect
from integrations.ledger.postgresql import CONNECT_TIMEOUT
from sandbox.server import start
from tests.databases import new_database, start_server
from tests.in_process import KEY
from tests.integration.conftest import as_a_shell_would, running_gunicorn
from tests.leftovers import held_by
from tests.payloads import BASE_URL, EXAMPLE, environ, write_senders
from tests.robustness.callers import makers
from tests.robustness.reconciliation import History, audit, rows_of

CALLERS = 16
# Requests a second that they make together; each is delivered once to four times.
RATE = 25.0
DEADLINE = 4.0
SAMPLE_EVERY, RECYCLE_EVERY = 5.0, 12.0
# Seconds after the end in which all must settle: leases of dead workers run out, and some wait longer than others.
SETTLE = 120.0
# What a worker may hold more in the last third than in the first: bytes, threads (16 and the ledger's own), files.
GROWTH = {"memory": 8_000_000, "threads": 8, "files": 24}

OPERATIONS = ("create", "attach", "cobrowse", "conversation", "token", "any")
BOTH = ("before", "after")
FAULTS = (
    lambda: {"kind": "drop", "how": random.choice(("rst", "fin")), "when": random.choice(BOTH)},
    lambda: {"kind": "status", "status": random.choice((500, 502, 503, 504)), "when": random.choice(BOTH)},
    lambda: {"kind": "status", "status": 429, "retry_after": str(random.choice((0, 1, 2, 30)))},
    lambda: {"kind": "status", "status": 429},
    # A call that is given up and takes effect long after the look for it looks like one that never came.
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
    """One run: the sandbox, its services, every request with its replies, and what was done meanwhile."""

    def __init__(self, box, services):
        self.box, self.services = box, services
        self.histories, self.samples, self.did = [], [[] for _ in services], Counter()
        self._makers = list(makers().values())
        self._pool = ThreadPoolExecutor(CALLERS * 4)

    def run(self, seconds, middle):
        """Ask, fail, recycle and watch for so long; `middle` is done half way."""
        until = time.monotonic() + seconds
        jobs = [self._fail, self._recycle, self._watch, *[self._call] * CALLERS]
        with ThreadPoolExecutor(len(jobs)) as threads:
            running = [threads.submit(job, until) for job in jobs]
            time.sleep(seconds / 2)
            middle()
        self.box.faults.clear()
        for job in running:
            job.result()

    def settle(self):
        """Deliver what is not settled until it is: the seconds it took."""
        begun = time.monotonic()
        while (left := self.unsettled()) and time.monotonic() < begun + SETTLE:
            list(self._pool.map(self._deliver, left))
            time.sleep(0.5)
        self._pool.shutdown()
        return time.monotonic() - begun

    def unsettled(self):
        return [one for one in self.histories if not one.settled]

    def _call(self, until):
        while time.monotonic() < until:
            begun = time.monotonic()
            request = random.choice(self._makers)()
            if request.channel != "webchat":  # which is what the sandbox makes up
                self.box.add_conversation(request.channel, conversation_id=request.conversation)
            self.histories.append(one := History(request))
            list(self._pool.map(self._deliver, [one] * random.choice((1, 1, 1, 2, 2, 4))))
            if random.random() < 0.2:  # once more, later
                self._deliver(one)
            time.sleep(max(0.0, random.expovariate(RATE / CALLERS) - (time.monotonic() - begun)))

    def _deliver(self, one):
        one.replies.append(one.request.send(random.choice(self.services).url))

    def _fail(self, until):
        while time.monotonic() < until:
            fault = random.choice(FAULTS)()
            self.box.faults.add(operation=random.choice(OPERATIONS), times=random.randint(1, 4), **fault)
            self.did["faults"] += 1
            time.sleep(random.uniform(0.2, 1.0))
            if self.did["faults"] % 20 == 0:
                self.box.faults.clear()  # those that nothing met

    def _recycle(self, until):
        while time.monotonic() + RECYCLE_EVERY < until:
            time.sleep(RECYCLE_EVERY)
            service = random.choice(self.services)
            workers = service.workers()
            how = random.choice(("reload", "end a worker", "kill a worker"))
            if how == "reload" or not workers:
                service.process.send_signal(signal.SIGHUP)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(workers), signal.SIGTERM if how == "end a worker" else signal.SIGKILL)
            self.did[how] += 1

    def _watch(self, until):
        while time.monotonic() < until:
            for service, samples in zip(self.services, self.samples, strict=True):
                workers = service.workers()
                held = held_by(workers)
                samples.append({name: getattr(held, name) / max(1, len(workers)) for name in GROWTH})
            time.sleep(SAMPLE_EVERY)


def growth(samples):
    """What a worker holds in the first third of the samples and in the last, as text; and what grew."""
    third = max(1, len(samples) // 3)
    found, wrong = [], []
    for name, more in GROWTH.items():
        early, late = ([one[name] for one in part] for part in (samples[:third], samples[-third:]))
        first, last = statistics.median(early), statistics.median(late)
        unit, symbol = (1e6, " MB") if name == "memory" else (1, "")
        found.append(f"{name} {first / unit:.1f} → {last / unit:.1f}{symbol}")
        if last > max(early) + more:
            wrong.append(f"{name} of a worker grew from {first:.0f} to {last:.0f}")
    return ", ".join(found), wrong


@contextlib.contextmanager
def services_on(box, folder, *, postgresql):
    """The services on one ledger, which comes with them: one on SQLite, or two on PostgreSQL."""
    url = new_database(start_server(), "soak") if postgresql else f"sqlite:///{folder}/ledger.sqlite3"
    variables = {
        "API_KEYS": f"hostile:{KEY}",
        "DEADLINE_SECONDS": str(DEADLINE),
        "LEDGER_URL": url,
        "LEDGER_KEYS": Fernet.generate_key().decode(),
        "LOG_LEVEL": "WARNING",
        "PUBLIC_BASE_URL": BASE_URL,
        "SENDERS_FILE": str(write_senders(folder)),
        **environ(EXAMPLE.read_text()),
    }
    ledger = connect(url, keys=[variables["LEDGER_KEYS"]], retention_seconds=86_400)
    with contextlib.closing(ledger), running_gunicorn(as_a_shell_would, box, folder) as run:
        ledger.upgrade()
        yield [run(**variables) for _ in range(2 if postgresql else 1)], ledger


def main():
    """Run it and print the figures; 1 if anything was lost, doubled, or grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--postgresql", action="store_true", help="two services on one PostgreSQL, which is restarted")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        start(rate_limit=None, auto_create=True) as box,
        services_on(box, Path(place), postgresql=given.postgresql) as (services, ledger),
    ):
        soak = Soak(box, services)

        away = []

        def middle():
            if given.postgresql:
                away.append(datetime.now(UTC))
                start_server().stop()  # a killed one loses what it commits asynchronously, as it may
                time.sleep(2)
                start_server().ensure_postgres_running()
                # Once each pool has given up what it began while the server was away, and connected again.
                away.append(datetime.now(UTC) + timedelta(seconds=2 * CONNECT_TIMEOUT))
                soak.did["database restarts"] += 1

        soak.run(given.minutes * 60, middle)
        took = soak.settle()
        rows = rows_of(ledger)
        wrong = list(audit(soak.histories, rows, box.state.invitations(), away))
        report(soak, rows, took)
        for number, (service, samples) in enumerate(zip(services, soak.samples, strict=True), 1):
            text, grew = growth(samples)
            print(f"service {number}: {text} (a worker, first third → last third of {len(samples)} samples)")
            crashed = [line for line in service.log.splitlines() if '"internal error"' in line]
            wrong += grew + [f"a fault inside the service: {line}" for line in crashed]
    for fault in wrong[:50]:
        print(f"✗ {fault}")
    print(f"{len(wrong)} violations")
    return 1 if wrong else 0


def report(soak, rows, took):
    """The figures of a run."""
    replies = [reply for one in soak.histories for reply in one.replies]
    names = {one.request.name for one in soak.histories}
    keyless = sum(not one.request.key for one in soak.histories)
    invited = soak.box.state.invitations()
    print(f"{len(soak.histories)} requests of {len(names)} senders, {keyless} without a key, sent {len(replies)} times")
    print(f"answers: {listed(reply.status for reply in replies)} (0: none came)")
    print(f"kinds of failure: {listed(code for reply in replies if (code := reply.fields.get('errorCode')))}")
    print(f"done meanwhile: {listed(soak.did.elements())}")
    print(f"redelivered until settled: {took:.0f} s; not settled: {len(soak.unsettled())}")
    print(f"rows in the ledger: {listed(str(row.state) for row in rows)}")
    print(f"customers invited: {len(invited)}, more than once: {sum(count > 1 for count in invited.values())}")


def listed(found):
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(found).items(), key=lambda one: str(one[0])))


if __name__ == "__main__":
    sys.exit(main())
