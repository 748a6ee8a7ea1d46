"""How gunicorn runs the service; HOST, PORT, WEB_CONCURRENCY, THREADS and PIN_WORKERS are honoured."""

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

load_dotenv()

# Where the workers keep their counts for /metrics. prometheus_client looks for it once, when it is first imported, and
# a reload reads this file again.
OURS = "cobrowse-metrics-"
if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=OURS)
counts = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"  # noqa: S104 - a server is there to be reached
# gthread, with slow clients kept out of its threads.
worker_class = "web.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or os.cpu_count() or 2)
# A thread waits for Genesys nearly all of its time; this many initiations can be under way in each worker.
worker_connections = 4096
threads = int(os.environ.get("THREADS") or 64)
# Seconds that requests in flight get to finish at a stop: longer than any deadline.
graceful_timeout = 60
timeout = 60
keepalive = 65
backlog = 2048
# Each worker builds its own connections after the fork.
preload_app = False
accesslog = None
# gunicorn's own remote control, which nothing here uses: no socket that could be spoken to.
control_socket_disable = True
# Request lines and headers beyond these are refused before they reach the service.
limit_request_line = 4_094
limit_request_fields = 64
limit_request_field_size = 8_190


def on_starting(server: object) -> None:  # noqa: ARG001 - gunicorn's hook
    """Say what is wrong with the settings once, in plain lines, before any worker starts."""
    counts.mkdir(parents=True, exist_ok=True)
    for left_over in counts.glob("*.db"):
        left_over.unlink()
    from app import check  # noqa: PLC0415 - after .env is read
    from settings import SettingsError  # noqa: PLC0415 - the same

    try:
        check()
    except SettingsError as error:
        lines = "\n".join(f"  {fault}" for fault in error.faults)
        print(f"These settings don't let the service start (.env.example explains each):\n{lines}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def when_ready(server: Any) -> None:  # noqa: ANN401 - gunicorn's hook
    """The first workers count before they are there: the first of all would take every connection that is waiting."""
    from web.worker import SHARES  # noqa: PLC0415 - the server has loaded it by now

    for number in range(server.num_workers):
        SHARES.put(server.worker_age + 1 + number, 0)


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn's hook
    """Count the worker in, and choose its core if each has its own."""
    from web.cores import CORES  # noqa: PLC0415 - the server has loaded them by now
    from web.worker import SHARES  # noqa: PLC0415

    SHARES.put(worker.age, 0)
    wanted = os.environ.get("PIN_WORKERS", "").lower() not in {"0", "false", "no", "off"}
    worker.core = CORES.give(worker.age, server.num_workers) if wanted else None


def post_fork(server: object, worker: Any) -> None:  # noqa: ANN401, ARG001 - gunicorn's hook
    """Before it starts its threads."""
    from web.cores import stay_on  # noqa: PLC0415 - the server has loaded it by now
    from web.heap import one_heap  # noqa: PLC0415

    one_heap()
    if worker.core is not None:
        stay_on(worker.core)


def post_worker_init(worker: object) -> None:  # noqa: ARG001 - gunicorn's hook
    """What a worker has built by now lives as long as it does: take it out of the garbage collector's rounds.

    Otherwise each full collection walks through every module and schema again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def child_exit(server: object, worker: Any) -> None:  # noqa: ANN401, ARG001 - gunicorn's hook
    """A worker that has gone has nothing in flight and no connections any more; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - after the directory is set

    from web.cores import CORES  # noqa: PLC0415 - the server has loaded them by now
    from web.worker import SHARES  # noqa: PLC0415

    CORES.leave(worker.age)
    SHARES.leave(worker.age)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: object) -> None:  # noqa: ARG001 - gunicorn's hook
    """Leave nothing behind."""
    if counts.name.startswith(OURS):
        shutil.rmtree(counts, ignore_errors=True)
