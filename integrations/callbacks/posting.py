"""One delivery attempt: a signed POST of a callback, and the meaning of its response."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import structlog

from cobrowse.callbacks import Callback, Delivery
from cobrowse.clock import Clock
from cobrowse.model import Outcome, Secret
from integrations.genesys.waits import retry_after
from integrations.senders.auth.standard_webhooks import Message, sign_message
from integrations.senders.fetching import Answer, FetchError, exchange

log = structlog.stdlib.get_logger()

# Seconds for a try as a whole, of which the receiver has fetching.STEP_SECONDS until its answer begins.
POST_SECONDS = 15.0
# Seconds before each further try, jittered to up to a fifth more; after the last the callback is given up, a day on.
# The spacing is Standard Webhooks' own.
BACKOFFS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 28_800.0, 28_800.0)
# Seconds that nothing at all is sent: at most after an answer with Retry-After, and after a 410, by which a receiver
# says that it is gone for good.
MAX_PAUSE = 3_600.0
# And after a try that was not answered: a long backlog would be tried, and logged, hundreds of times a second.
UNREACHABLE_PAUSE = 5.0
# Statuses with which a receiver asks for fewer requests.
_BUSY = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class TryResult:
    """The result of a delivery attempt. `wait`: seconds until the next; `pause`: until anything else may be sent."""

    state: Delivery
    answer: str
    wait: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """The URL that callbacks are posted to, and the secrets: each signs."""

    url: str
    secrets: Sequence[Secret]


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts to `receiver`. `payload` makes an event's body; `jitter` gives numbers from 0 to 1.

    `send` is a POST to a URL, within so many seconds, of a body with these headers. It follows no redirect, and raises
    FetchError.
    """

    receiver: Receiver
    payload: Callable[[Callback, Outcome], str]
    clock: Clock
    jitter: Callable[[], float]
    seconds: float = POST_SECONDS
    send: Callable[[str, float, bytes, Mapping[str, str]], Answer] = exchange

    def __call__(self, callback: Callback) -> TryResult:
        """Send it once. Raises nothing: an exception would make the callback due again at once, for ever."""
        try:
            return self._try(callback)
        except Exception as error:
            log.exception("callbacks: internal error", webhook_id=callback.id)
            return self._retry_later(callback, f"not sent: internal error ({type(error).__name__})")

    def _try(self, callback: Callback) -> TryResult:
        if callback.outcome is None:  # a newer release may have written it, which sends it once this one has gone
            return self._retry_later(callback, "not sent: its content can't be read as this service wrote it")
        now = self.clock.now().replace(microsecond=0).astimezone(UTC)
        message = Message(callback.id, now, [], self.payload(callback, callback.outcome), "")
        headers = {"content-type": "application/json", **sign_message(self.receiver.secrets, message).headers}
        try:
            answer = self.send(self.receiver.url, self.seconds, message.body.encode(), headers)
        except FetchError as error:
            return self._retry_later(callback, str(error), UNREACHABLE_PAUSE)
        status = f"HTTP {answer.status}"
        if 200 <= answer.status < 300:
            return TryResult(Delivery.DELIVERED, status)
        if answer.status == 410:
            return TryResult(Delivery.GIVEN_UP, status, pause=MAX_PAUSE)
        requested_pause = retry_after(answer.retry_after, self.clock) if answer.status in _BUSY else None
        return self._retry_later(callback, status, min(requested_pause or 0.0, MAX_PAUSE))

    def _retry_later(self, callback: Callback, answer: str, pause: float = 0.0) -> TryResult:
        if callback.tries >= len(BACKOFFS):
            return TryResult(Delivery.GIVEN_UP, answer, pause=pause)
        wait = BACKOFFS[callback.tries] * (1 + self.jitter() / 5)
        return TryResult(Delivery.PENDING, answer, max(wait, pause), pause)
