"""What could grow: a worker's memory with every initiation, and the CPU of one with every row in the ledger."""

import contextlib
import shutil
import sqlite3
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from contenders import OURS, Contender

from scenarios.loads import BY_NAME, Load
from scenarios.window import Bench, Window, window

FEW_ROWS, MANY_ROWS = 1_000, 1_000_000
FILL_CACHE_KB = 400_000


def memory(bench: Bench, _: Contender) -> dict[str, Any]:
    """The largest worker after half of the initiations and after all of them."""
    load = Load("128 at 0 ms", 128, 0)
    half = str(bench.initiations // 2)
    with bench.running(OURS) as service:
        halves = [window(bench, service, load, "--count", half, seconds=540) for _ in range(2)]
        each = [round(size, 1) for size in service.memory("VmRSS")]
    return {
        "initiations": bench.initiations,
        "half_mb": halves[0]["worker_mb"],
        "worker_mb": halves[1]["worker_mb"],
        "processes_mb": each,
        "rps": halves[1]["rps"],
        "errors": halves[1]["errors"],
        "windows": halves,
    }


def growth(bench: Bench, _: Contender) -> dict[str, Any]:
    """CPU for each initiation with a thousand rows in the ledger and with a million."""
    load = replace(BY_NAME["16 at 0 ms"], share=1.0)
    windows: dict[int, list[Window]] = {FEW_ROWS: [], MANY_ROWS: []}
    with contextlib.ExitStack() as stack:
        folder = bench.folder / "growth"
        folder.mkdir()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        files = {rows: folder / f"{rows}.sqlite3" for rows in windows}
        contenders = {rows: replace(OURS, settings={"LEDGER_URL": f"sqlite:///{files[rows]}"}) for rows in files}
        for rows in windows:
            with bench.running(contenders[rows], "ours, growth") as service:
                window(bench, service, load, "--count", str(FEW_ROWS), seconds=60)
            fill(files[rows], rows)
        for _round in range(max(2, bench.rounds)):
            for rows, taken in windows.items():
                with bench.running(contenders[rows], "ours, growth") as service:
                    window(bench, service, load, seconds=0.5)
                    taken.append(window(bench, service, load))
    cpu = {rows: statistics.median(found["cpu_ms"] for found in taken) for rows, taken in windows.items()}
    return {
        "cpu_ms": {str(rows): value for rows, value in cpu.items()},
        "grown": cpu[MANY_ROWS] / cpu[FEW_ROWS] - 1,
        "windows": {str(rows): taken for rows, taken in windows.items()},
    }


def fill(file: Path, rows: int) -> None:
    """Copies of the newest row, each with ids of its own, until there are so many."""
    fresh = "lower(hex(randomblob(16)))"
    own = {"id": fresh, "slot": f"'id:' || {fresh}", "conversation_id": fresh, "correlation_id": fresh}
    with contextlib.closing(sqlite3.connect(file)) as database:
        # With SQLite's own 2 MB the indexes of random ids are read from the disk for each row: minutes, not seconds.
        database.execute(f"PRAGMA cache_size = -{FILL_CACHE_KB}")
        database.execute("PRAGMA synchronous = OFF")
        columns = [row[1] for row in database.execute("PRAGMA table_info(initiations)") if row[1] != "seq"]
        there = database.execute("SELECT count(*) FROM initiations").fetchone()[0]
        if there >= rows:
            return
        values = ", ".join(own.get(name, f"sample.{name}") for name in columns)
        database.execute(
            f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO initiations ({", ".join(columns)})
            SELECT {values} FROM n, (SELECT * FROM initiations ORDER BY seq DESC LIMIT 1) AS sample""",
            (rows - there,),
        )
        database.commit()
