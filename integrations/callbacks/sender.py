"""Sends callbacks while this process has the lease: what is due, a few at once, until it is stopped."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread

import structlog
from prometheus_client import CollectorRegistry

from cobrowse.callbacks import Callback, Delivery
from cobrowse.clock import Clock
from cobrowse.errors import LedgerUnavailable
from cobrowse.model import Outcome
from integrations.callbacks.posting import Poster, Receiver, TryResult
from integrations.lease_keeper import LeaseKeeper
from integrations.ledger import LedgerStore
from integrations.ledger.callbacks import CallbackTable
from integrations.observability.background_metrics import CallbackMetrics

log = structlog.stdlib.get_logger()

# The name of the lease that lets one process send.
LEASE = "callbacks"
# Callbacks that are sent at once.
MAX_CONCURRENT = 8
# Seconds between checks for what is due, and between counts of what is pending.
POLL_INTERVAL, BACKLOG_INTERVAL = 1.0, 10.0
# Seconds without sending after a try could not be recorded: it is sent again then, and must not be every second.
UNRECORDED_PAUSE = 60.0


def in_threads(tasks: Sequence[Callable[[], None]]) -> None:
    """Run the tasks concurrently; return once all are done."""
    threads = [Thread(target=task, name="callback", daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class CallbackSender:
    """Sends what is due, MAX_CONCURRENT at a time. `post` sends one callback and raises nothing."""

    def __init__(
        self,
        outbox: CallbackTable,
        lease: LeaseKeeper,
        post: Callable[[Callback], TryResult],
        metrics: CallbackMetrics,
        clock: Clock,
        do_all: Callable[[Sequence[Callable[[], None]]], None] = in_threads,
    ) -> None:
        self._outbox = outbox
        self._lease = lease
        self._post = post
        self._metrics = metrics
        self._clock = clock
        self._do_all = do_all
        self._paused_until = self._count_at = 0.0
        self._counted = False

    def send_due(self) -> bool:
        """Send what is due now; return whether there may be more. An unreachable ledger is retried at the next poll."""
        if not self._lease.is_held:
            if self._counted:  # who sends now counts it
                self._metrics.on_backlog(0, 0.0)
            self._counted = False
            return False
        try:
            self._count()
            due = self._outbox.due(MAX_CONCURRENT) if self._clock.monotonic() >= self._paused_until else ()
        except LedgerUnavailable as error:
            log.warning("callbacks: the ledger is unreachable", message=error.message)
            return False
        self._do_all([partial(self._send, one) for one in due])
        return len(due) == MAX_CONCURRENT

    def _count(self) -> None:
        if self._clock.monotonic() >= self._count_at:
            self._count_at = self._clock.monotonic() + BACKLOG_INTERVAL
            self._metrics.on_backlog(*self._outbox.backlog())
            self._counted = True

    def _send(self, callback: Callback) -> None:
        result = self._post(callback)
        facts = {"webhook_id": callback.id, "tries": callback.tries + 1, "answer": result.answer}
        if result.state is Delivery.GIVEN_UP:
            log.error("callbacks: given up; it can be sent again from the console", **facts)
        elif result.state is Delivery.PENDING:
            log.warning("callbacks: not accepted", next_try_seconds=round(result.wait), **facts)
        self._metrics.on_try("failed" if result.state is Delivery.PENDING else result.state.value)
        self._pause(result.pause)
        try:
            self._outbox.mark(callback, result.state, result.wait, result.answer)
        except LedgerUnavailable as error:
            log.warning("callbacks: the try is not on record and is made again", message=error.message, **facts)
            self._pause(UNRECORDED_PAUSE)

    def _pause(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)


class CallbackThread:
    """Runs a sender, and keeps its lease, in threads of this process."""

    def __init__(self, sender: CallbackSender, lease: LeaseKeeper) -> None:
        self._sender = sender
        self._lease = lease
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self, alive: Callable[[], bool] = lambda: True) -> None:
        """Send in the background until `stop`, or until `alive` is false."""
        self._thread = Thread(target=self._run, args=(alive,), name="callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the tries that are under way, and let another process send."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, alive: Callable[[], bool]) -> None:
        self._lease.start()
        try:
            while alive() and not self._stopping.is_set():
                if not self._send_due():
                    self._stopping.wait(POLL_INTERVAL)
        finally:
            self._lease.stop()

    def _send_due(self) -> bool:
        try:
            return self._sender.send_due()
        except Exception:
            log.exception("callbacks: internal error")
            return False


def connect_callbacks(
    receiver: Receiver,
    payload: Callable[[Callback, Outcome], str],
    ledger: LedgerStore,
    lease_owner: str,
    registry: CollectorRegistry,
    clock: Clock,
    jitter: Callable[[], float],
) -> CallbackThread:
    """The sender of the ledger's callbacks, to be started. `registry` gets its metrics."""
    lease = LeaseKeeper(ledger.leases, LEASE, lease_owner, clock)
    poster = Poster(receiver, payload, clock, jitter)
    return CallbackThread(CallbackSender(ledger.callbacks, lease, poster, CallbackMetrics(registry), clock), lease)
