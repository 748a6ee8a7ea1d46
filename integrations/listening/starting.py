"""Starts a session for each agent's answer, a few at a time, each once, and retries temporary failures."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import structlog

from cobrowse.errors import CobrowseError
from cobrowse.model import Command, Failure, Outcome
from integrations.listening.agent_answers import AgentAnswer

log = structlog.stdlib.get_logger()

# How many are started at once.
MAX_CONCURRENT = 8
# How often one is tried, and the seconds before each further try where Genesys names none; twice as long each time.
MAX_ATTEMPTS, FIRST_BACKOFF, MAX_BACKOFF = 6, 1.0, 60.0
# Answers that are remembered, so that a conversation's next change needs no read of the ledger: days of a large org.
MAX_REMEMBERED = 50_000
# What the next change of the conversation may put right, so that trying again without one is of no use.
_UNTIL_NEXT_CHANGE = frozenset({"agent_not_connected"})


class Starter:
    """Has commands run by `initiate` in threads of its own. `jitter` gives numbers from 0 to 1."""

    def __init__(
        self, initiate: Callable[[Command], Outcome], jitter: Callable[[], float], at_once: int = MAX_CONCURRENT
    ) -> None:
        self._initiate = initiate
        self._jitter = jitter
        self._pool = ThreadPoolExecutor(at_once, "listener")
        self._known: OrderedDict[str, None] = OrderedDict()
        self._guard = Lock()
        self._stopping = Event()

    def start(self, answer: AgentAnswer) -> bool:
        """Start it in the background; False if this answer is known already."""
        with self._guard:
            if any(key in self._known for key in answer.keys):
                return False
            self._known.update(dict.fromkeys(answer.keys))
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        self.submit(lambda: self._try(answer))
        return True

    def submit(self, work: Callable[[], None]) -> None:
        """Run work of the listener in the background; nothing once it has stopped."""
        with self._guard:
            if not self._stopping.is_set():
                self._pool.submit(self._run_logged, work)

    def stop(self) -> None:
        """Finish what runs; what waits for another try is given up: the key stays free for who listens next."""
        with self._guard:
            self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _try(self, answer: AgentAnswer) -> None:
        pause = FIRST_BACKOFF
        for number in range(1, MAX_ATTEMPTS + 1):
            failure = self._start_once(answer.command)
            if failure is None:
                return
            if not failure.retryable or failure.code in _UNTIL_NEXT_CHANGE or number == MAX_ATTEMPTS:
                break
            if self._stopping.wait(failure.retry_after or pause * (0.5 + self._jitter() / 2)):
                break
            pause = min(pause * 2, MAX_BACKOFF)
        if failure is not None and failure.retryable:
            # The next change of the conversation may try again.
            with self._guard:
                for key in answer.keys:
                    self._known.pop(key, None)

    def _start_once(self, command: Command) -> Failure | CobrowseError | None:
        """Why it failed; None if it is done."""
        try:
            return self._initiate(command).failure
        except CobrowseError as error:
            return error

    def _run_logged(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("listener: internal error")
