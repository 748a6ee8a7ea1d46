"""How gunicorn runs the service; HOST, PORT and WEB_CONCURRENCY are honoured."""

from gevent import monkey

monkey.patch_all()  # before anything else is imported: what holds on to an unpatched socket or lock blocks the loop

import contextlib
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.systemd import listen_fds

# gunicorn looks into the working folder first, which may have an app.py or a settings.py of its own.
HOME = str(Path(__file__).resolve().parent)
sys.path[:] = [HOME, *(place for place in sys.path if place != HOME)]

# httpx and structlog would load them, 5 MB a worker, for what only a terminal shows.
for _name in ("pygments", "rich"):
    sys.modules[_name] = None  # type: ignore[assignment]  # Python's own word for "not to be had"

from cobrowse.clock import SystemClock
from schemas.env_file import EnvFileError
from settings import Settings, SettingsError, explained_in, load_settings
from web.listen_address import format_address, wait_for_address
from web.reloading import ACTIVE_CONFIGURATION
from web.worker import STOP_SIGNALS

# The working folder's .env, or the file that `cobrowse-bridge serve --env-file` names.
try:
    ACTIVE_CONFIGURATION.read_env_file(os.environ, str(Path(os.environ.get("COBROWSE_ENV_FILE") or ".env").resolve()))
except EnvFileError as error:
    print(f"Invalid configuration: {error}. Write NAME=value lines, as .env.example shows.", file=sys.stderr)  # noqa: T201 - for who starts it
    sys.exit(2)
try:
    settings = load_settings()
except SettingsError:  # on_starting reports all of it, and no server starts
    settings = Settings()

# A core dump holds every secret of the process; the workers inherit this.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

# Where the workers keep their counts for /metrics. prometheus_client looks for it once, when it is first imported, and
# a reload reads this file again.
METRICS_PREFIX = "cobrowse-metrics-"
with contextlib.suppress(OSError):  # without a directory each worker counts for itself
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=METRICS_PREFIX)
counts = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", os.devnull))

bind = format_address(settings.listen_host.strip("[]"), settings.port)
# gunicorn's gevent worker, with time limits: each request is a greenlet.
worker_class = "web.worker.Worker"
workers = settings.web_concurrency or os.cpu_count() or 2
# Connections a worker, idle and slow ones included; how many initiations run at once is the service's own limit.
worker_connections = 4096
# Seconds that requests in flight get to finish at a stop: longer than any deadline.
graceful_timeout = 60
timeout = 60
keepalive = 65
sendfile = False  # a response is sent through web/client_socket.py
backlog = 2048
# Each worker builds its own connections after the fork.
preload_app = False
accesslog = None
# gunicorn's own remote control, which nothing here uses: no socket for it.
control_socket_disable = True
# Request lines and headers beyond these are refused before they reach the service.
limit_request_line = 4_094
limit_request_fields = 64
limit_request_field_size = 8_190


# The parser that needs no compiler to install; gunicorn_h1c comes as source only.
http_parser = "python"
# No header of a client's changes where a request goes or how it came.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}


def on_starting(server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Before any worker starts, print the settings errors and end; else warn of what is weak in the senders file.

    Then wait until the address is free: what gunicorn says itself of one that is not has no remedy.
    """
    with contextlib.suppress(OSError):
        for left_over in counts.glob("*.db"):
            left_over.unlink()
    from app import configuration_errors  # noqa: PLC0415 - after .env is read

    # A signal that came before the worker has handlers of its own would be lost, and a reload wait for it for a minute.
    hold, release = (
        partial(signal.pthread_sigmask, how, STOP_SIGNALS) for how in (signal.SIG_BLOCK, signal.SIG_UNBLOCK)
    )
    os.register_at_fork(before=hold, after_in_parent=release)
    ACTIVE_CONFIGURATION.snapshot_senders()
    if errors := configuration_errors(os.environ, ACTIVE_CONFIGURATION.senders, partial(_warn, server)):
        lines = "\n".join(f"  {line}" for line in errors)
        print(f"Invalid configuration ({explained_in(errors)}):\n{lines}", file=sys.stderr)  # noqa: T201 - for who starts it
        sys.exit(2)
    # What was handed over listens already: by systemd, or by the master that this one takes the place of (USR2).
    if not (server.cfg.reuse_port or server.master_pid or listen_fds(unset_environment=False)):
        say = partial(print, file=sys.stderr, flush=True)
        addresses = [address for address in server.address if isinstance(address, tuple)]
        if not all(wait_for_address(host, port, SystemClock(), say) for host, port in addresses):
            sys.exit(1)


def _warn(server: Any, line: str) -> None:  # noqa: ANN401 - gunicorn has no types
    server.log.warning("Senders file, %s", line)


def on_reload(server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Read .env and the senders file again; if one is invalid, log the errors and keep the current configuration."""
    from app import configuration_errors  # noqa: PLC0415 - after .env is read

    for line in ACTIVE_CONFIGURATION.reload(partial(configuration_errors, warn=partial(_warn, server))):
        server.log.error("Reload refused, the previous configuration stays active: %s", line)


def post_worker_init(worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Start what works in the background, and take what is built by now out of the garbage collector's rounds.

    It lives as long as the worker. Otherwise each full collection walks through every module and schema again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    if worker.callbacks is not None:
        worker.callbacks.start(lambda: worker.alive)


def worker_exit(_server: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Write what operators are to see, and release the callback lease, so that another worker can send at once."""
    if getattr(worker, "recorder", None) is not None:
        worker.recorder.flush()
    if getattr(worker, "callbacks", None) is not None:  # a worker that failed to start has not loaded them
        worker.callbacks.stop()


def child_exit(_server: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Drop a dead worker's gauges; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - after the directory is set

    with contextlib.suppress(OSError):
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: object) -> None:
    """Delete the metrics directory that this server has made."""
    if counts.name.startswith(METRICS_PREFIX):
        shutil.rmtree(counts, ignore_errors=True)
