"""How gunicorn runs the service; HOST, PORT, WEB_CONCURRENCY, THREADS and PIN_WORKERS are honoured."""

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

from dotenv import load_dotenv
from environs import Env
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from web.heap import one_heap

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
threads = int(os.environ.get("THREADS") or 128)
# Whether each worker stays on a core of its own where there is one for each.
pin_workers = Env().bool("PIN_WORKERS") if os.environ.get("PIN_WORKERS") else True
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


def on_starting(_server: object) -> None:
    """Say what is wrong with the settings once, in plain lines, before any worker starts."""
    one_heap(os.environ)
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


def when_ready(server: Arbiter) -> None:
    """Count the first workers in before they are there: else the first of all takes every connection there is."""
    server.worker_class.expect(range(server.worker_age + 1, server.worker_age + 1 + server.num_workers))


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Choose the worker's core among those that the others have."""
    if pin_workers:
        worker.choose_core([other.core for other in server.WORKERS.values()], server.num_workers)


def post_worker_init(_worker: object) -> None:
    """What a worker has built by now lives as long as it does: take it out of the garbage collector's rounds.

    Otherwise each full collection walks through every module and schema again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def child_exit(_server: object, worker: Worker) -> None:
    """A worker that has gone has nothing in flight and no connections any more; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - after the directory is set

    worker.count_out()
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: object) -> None:
    """Leave nothing behind."""
    if counts.name.startswith(OURS):
        shutil.rmtree(counts, ignore_errors=True)
