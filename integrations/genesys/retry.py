"""One call to Genesys inside the caller's deadline: sent, retried where that is safe, its failures classified."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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
from cobrowse.flow import MAX_ATTEMPTS, Attempt
from cobrowse.model import Secret
from integrations.genesys.budget import Budgets
from integrations.genesys.circuit_breaker import CircuitBreaker
from integrations.genesys.curl import BodyTooLarge
from integrations.genesys.operations import Operation, check_is_sandbox, empty_content, parse_response
from integrations.genesys.origin import Header, Origin, OriginRequest
from integrations.genesys.redaction import Redactor, redact
from integrations.genesys.transport import fields_of
from integrations.genesys.waits import parse_budget

# Seconds: the first wait before a retry when Genesys names none; each further one is twice as long, all jittered.
FIRST_BACKOFF = 0.2
# Seconds a connection may take to be made; Genesys is near, so longer means that it can't be reached.
CONNECT_SECONDS = 3.0
# Shares of the time left that a call leaves to what may have to follow it: a retry; a probe after a lost response.
RETRY_RESERVE = 0.4
PROBE_RESERVE = 0.3
_NOT_REACHED = (
    "Nothing was sent: this machine can't reach Genesys; check its DNS, GENESYS_PROXY and GENESYS_CA_FILE, with "
    "`cobrowse-bridge doctor`."
)


class Call(NamedTuple):
    """A request. `path` is percent-encoded, `budget` the name of the budget that it counts towards, "" for none.

    No message shows its `secrets`.
    """

    operation: Operation
    origin: Origin
    path: str
    headers: Sequence[Header] = ()
    content: bytes | None = None
    budget: str = "api"
    secrets: Sequence[Secret] = ()


class RetryingCaller:
    """Carries operations over an httpx transport.

    `jitter` gives numbers from 0 to 1. No message holds `secrets`. `sandbox`: no token is taken but a sandbox's.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        clock: Clock,
        jitter: Callable[[], float],
        breaker: CircuitBreaker | None = None,
        budgets: Budgets | None = None,
        *,
        secrets: Sequence[Secret] = (),
        sandbox: bool = False,
    ) -> None:
        self._secrets = tuple(secrets)
        self._sandbox = sandbox
        self.breaker = breaker or CircuitBreaker(clock)
        self.budgets = budgets or Budgets(clock)
        self._transport = transport
        self._clock = clock
        self._jitter = jitter

    def await_budget(self, attempt: Attempt, budget: str) -> None:
        """Wait until the token whose budget of calls this is may be used.

        Raises:
            GenesysRateLimited: Its calls are used up for longer than the deadline allows to wait.
        """
        left = self.budgets.seconds_left(budget) if budget else 0.0
        if left <= 0:
            return
        if not attempt.deadline.allows(left):
            raise GenesysRateLimited(
                f"the calls that Genesys allows a token are used up, and none was made; there are more in {left:.0f} s",
                retry_after=left,
            )
        attempt.wait(left, "until Genesys allows more calls")

    def call(self, attempt: Attempt, call: Call) -> dict[str, Any]:
        """The content of the response, after at most three tries.

        Raises:
            GenesysError: `ambiguous` if the call may have taken effect; `retry_after` if Genesys named a wait that
                does not fit into the deadline.
            UpstreamRejected: Genesys understood and refuses.
        """
        operation = call.operation
        for number in range(1, MAX_ATTEMPTS + 1):
            # Outside of the try: what the breaker refuses goes to the caller at once, whatever wait would fit.
            self.breaker.before_call(operation.name, attempt.initiation_id)
            self.await_budget(attempt, call.budget)
            last = number == MAX_ATTEMPTS
            try:
                return self._call_once(attempt, call, last=last)
            except GenesysError as error:
                if last or not is_retryable(error):
                    raise
                seconds = error.retry_after
                if seconds is None:
                    seconds = self._jitter() * FIRST_BACKOFF * 2 ** (number - 1)
                if not attempt.deadline.allows(seconds):
                    raise
                why = "as Genesys asks, before" if error.retry_after is not None else "before"
                attempt.wait(seconds, f"{why} another try of {operation.name}")
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _call_once(self, attempt: Attempt, call: Call, *, last: bool) -> dict[str, Any]:
        operation, budget = call.operation, call.budget
        reserve = (0.0 if last else RETRY_RESERVE) if operation.repeatable else PROBE_RESERVE
        left = attempt.deadline.remaining() * (1 - reserve)
        if left <= 0:
            raise GenesysTimeout(f"{operation.name}: no time was left for it inside the deadline")
        extensions: dict[str, Any] = {"timeout": {"connect": min(left, CONNECT_SECONDS), "read": left}}
        request = OriginRequest(operation.method, call.origin, call.path, call.headers, call.content, extensions)
        start = self._clock.monotonic()
        result = "broken"
        redacted = Redactor((*self._secrets, *call.secrets), attempt.session, call.headers)
        try:
            response = self._transport.handle_request(request)
            status = response.status_code
            result = str(status)
            # Any status below 500, a rejection or a 429 included, shows that the operation is up.
            self.breaker.record_result(operation.name, ok=status < 500)
            fields = fields_of(response)
            spent = parse_budget(fields)
            if budget and spent is not None:
                self.budgets.record(budget, spent)
            if self._sandbox:
                check_is_sandbox(operation, status, fields)
            return parse_response(operation, status, fields, response.read(), self._clock, redacted)
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            result = "not sendable"
            reason = _reason(error, redacted)
            raise InternalError(f"{operation.name}: the request could not be written: {reason}") from error
        except httpx.RequestError as error:
            answered = extensions.get("answered", 0)
            if operation.has_side_effect and 200 <= answered < 300:
                # It has happened; only what the answer would have said is lost.
                result = str(answered)
                self.breaker.record_result(operation.name, ok=True)
                return empty_content(operation)
            failure = map_transport_error(operation, call.origin.host, error, redacted)
            result = failure.code
            if isinstance(error, httpx.TimeoutException):
                self.breaker.record_timeout(operation.name, self._clock.monotonic() - start)
            else:
                self.breaker.record_result(operation.name, ok=False)
            raise failure from error
        finally:
            attempt.record_call(operation.name, start, result)


def is_retryable(error: GenesysError) -> bool:
    """Whether a retry has no second effect and may succeed."""
    return isinstance(error, GenesysRateLimited | GenesysUnavailable | GenesysTimeout) and not error.ambiguous


def map_transport_error(
    operation: Operation, host: str, error: httpx.RequestError, redacted: Callable[[str], str] = redact
) -> GenesysError:
    """Map a transport error. Whether the request can have reached the server decides if it may be sent again."""
    lost = not operation.repeatable
    reason = _reason(error, redacted)
    if isinstance(error, httpx.ConnectTimeout):
        return GenesysTimeout(f"{operation.name}: no connection to {host} in time")
    if isinstance(error, httpx.ConnectError):
        return GenesysUnavailable(f"{operation.name}: can't connect to {host}: {reason}", hint=_NOT_REACHED)
    if isinstance(error, httpx.TimeoutException):
        return GenesysTimeout(f"{operation.name}: {host} did not answer in time", ambiguous=lost)
    if isinstance(error, BodyTooLarge):
        return GenesysBadResponse(
            f"{operation.name}: {reason}",
            hint="The answer is larger than MAX_UPSTREAM_BYTES, in bytes; raise it.",
            ambiguous=lost,
        )
    if isinstance(error, httpx.DecodingError):
        return GenesysBadResponse(f"{operation.name}: unreadable answer from {host}: {reason}", ambiguous=lost)
    return GenesysUnavailable(f"{operation.name}: the connection to {host} broke: {reason}", ambiguous=lost)


def _reason(error: httpx.RequestError, redacted: Callable[[str], str]) -> str:
    """What libcurl says of an error, without secrets; 200 characters at most."""
    return redacted(str(error) or type(error).__name__)[:200]
