"""One call to Genesys inside the caller's deadline: sent, repeated where that harms nobody, its failures told apart."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx

from cobrowse.clock import Clock
from cobrowse.errors import (
    GenesysBadResponse,
    GenesysError,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnavailable,
    InternalError,
)
from cobrowse.flow import TRIES, Attempt
from integrations.genesys.circuit_breaker import Circuit
from integrations.genesys.operations import Operation, read

Header = tuple[bytes, bytes]

# Seconds: the first wait before another try when Genesys names none; each further one is twice as long, all jittered.
FIRST_BACKOFF = 0.2
# Seconds a connection may take to be made; Genesys is near, so longer means that it can't be reached.
CONNECT_SECONDS = 3.0
# Shares of the time left that a call leaves to what may have to follow it: another try; a look after a lost answer.
KEPT_FOR_ANOTHER_TRY = 0.4
KEPT_FOR_A_LOOK = 0.3


class RetryingCaller:
    """Carries operations over an httpx transport. `jitter` gives numbers from 0 to 1."""

    def __init__(
        self,
        transport: httpx.BaseTransport,
        clock: Clock,
        jitter: Callable[[], float],
        circuit: Circuit | None = None,
    ) -> None:
        self.circuit = circuit or Circuit(clock)
        self._transport = transport
        self._clock = clock
        self._jitter = jitter

    def call(
        self, attempt: Attempt, operation: Operation, url: httpx.URL, headers: Sequence[Header], content: bytes | None
    ) -> dict[str, Any]:
        """The content of the answer, after at most three tries.

        Raises:
            GenesysError: `ambiguous` if the call may have taken effect; `retry_after` if Genesys named a wait that
                does not fit into the deadline.
            UpstreamRejected: Genesys understood and refuses.
        """
        for number in range(1, TRIES + 1):
            # Outside of the try: what the circuit refuses goes to the caller at once, whatever wait would fit.
            self.circuit.enter(url.host)
            try:
                return self._once(attempt, operation, url, headers, content, last=number == TRIES)
            except GenesysError as error:
                if number == TRIES or not may_repeat(error):
                    raise
                self._wait(attempt, operation, error, number)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _wait(self, attempt: Attempt, operation: Operation, error: GenesysError, number: int) -> None:
        """Wait as Genesys says, or else a random part of a growing time; an error whose wait doesn't fit is raised."""
        seconds = error.retry_after
        if seconds is None:
            seconds = self._jitter() * FIRST_BACKOFF * 2 ** (number - 1)
        if not attempt.deadline.holds(seconds):
            raise error
        why = "as Retry-After says, before" if error.retry_after is not None else "before"
        attempt.wait(seconds, f"{why} another try of {operation.name}")

    def _once(
        self,
        attempt: Attempt,
        operation: Operation,
        url: httpx.URL,
        headers: Sequence[Header],
        content: bytes | None,
        *,
        last: bool,
    ) -> dict[str, Any]:
        kept = (0.0 if last else KEPT_FOR_ANOTHER_TRY) if operation.repeatable else KEPT_FOR_A_LOOK
        left = attempt.deadline.keep_back(kept).remaining()
        if left <= 0:
            raise GenesysTimeout(f"{operation.name}: no time was left for it inside the deadline")
        timeout = {"connect": min(left, CONNECT_SECONDS), "read": left, "write": left, "pool": left}
        request = _request(operation, url, headers, content, {"timeout": timeout, "deadline": left})
        start = self._clock.monotonic()
        result = "broken"
        try:
            response = self._transport.handle_request(request)
            result = str(response.status_code)
            return read(operation, response.status_code, response.headers, response.read(), self._clock)
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            result = "not sendable"
            raise InternalError(f"{operation.name}: the request could not be written: {_reason(error)}") from error
        except httpx.RequestError as error:
            failure = broken(operation, url.host, error)
            result = failure.code
            raise failure from error
        finally:
            # Any answer below 500, a refusal or a 429 included, shows that somebody is there.
            self.circuit.left(url.host, well=result.isdigit() and int(result) < 500)
            attempt.called(operation.name, start, result)


def _request(
    operation: Operation, url: httpx.URL, headers: Sequence[Header], content: bytes | None, extensions: dict[str, Any]
) -> httpx.Request:
    """Made of a stream, not of content: httpx's way to take the headers as they are and to look for none to add."""
    body = content or b""
    headers = [(b"Host", url.netloc), *headers]
    if content is not None or operation.method == "POST":
        headers.append((b"Content-Length", b"%d" % len(body)))
    stream = httpx.ByteStream(body)
    request = httpx.Request(operation.method, url, headers=headers, stream=stream, extensions=extensions)
    request.read()
    return request


def may_repeat(error: GenesysError) -> bool:
    """Whether the same call, sent again, can't do anything twice and may go better."""
    return isinstance(error, GenesysRateLimited | GenesysUnavailable | GenesysTimeout) and not error.ambiguous


def broken(operation: Operation, host: str, error: httpx.RequestError) -> GenesysError:
    """What a call that got no whole answer stands for. Only one that never left is surely without effect."""
    lost = not operation.repeatable
    if isinstance(error, httpx.ConnectTimeout):
        return GenesysTimeout(f"{operation.name}: no connection to {host} in time")
    if isinstance(error, httpx.ConnectError):
        return GenesysUnavailable(f"{operation.name}: can't connect to {host}: {_reason(error)}")
    if isinstance(error, httpx.TimeoutException):
        return GenesysTimeout(f"{operation.name}: {host} did not answer in time", ambiguous=lost)
    if isinstance(error, httpx.DecodingError):
        return GenesysBadResponse(f"{operation.name}: unreadable answer from {host}: {_reason(error)}", ambiguous=lost)
    return GenesysUnavailable(f"{operation.name}: the connection to {host} broke: {_reason(error)}", ambiguous=lost)


def _reason(error: httpx.RequestError) -> str:
    return (str(error) or type(error).__name__)[:200]
