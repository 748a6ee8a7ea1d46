"""Every kind of error of an initiation: one class a kind, in families of what a caller can do about it.

What a kind is answered with over HTTP, and the hint for its reader, is a row of web/error_responses.py.
"""

from typing import ClassVar


class CobrowseError(Exception):
    """An error that a caller can act on. `retry_after` is in seconds; the message never holds a secret or a body.

    `hint` is what helps in this case; "": nothing beyond what helps against every error of the kind.
    """

    code: ClassVar[str]
    retryable: ClassVar[bool] = False
    # False: nothing was started and the cause can be fixed, so a retry with the same key must run.
    consumes_idempotency_key: ClassVar[bool] = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after

    def append(self, words: str) -> None:
        """Append to the message."""
        self.message += words
        self.args = (self.message,)


class RequestError(CobrowseError):
    """The request can't be accepted as it is: correct it and send it again."""


class MalformedRequest(RequestError):
    """The body can't be parsed."""

    code = "malformed_request"


class MalformedKey(RequestError):
    """The Idempotency-Key is not valid."""

    code = "idempotency_key_malformed"


class KeyReused(RequestError):
    """One key, two different requests."""

    code = "idempotency_key_reused"


class NotAuthenticated(RequestError):
    """No credential, or not one of ours."""

    code = "not_authenticated"


class SignatureMissing(RequestError):
    """The sender's row requires a signature and the request has none."""

    code = "signature_missing"


class SignatureInvalid(RequestError):
    """The signature does not fit the bytes that came."""

    code = "signature_invalid"


class StaleTimestamp(RequestError):
    """Signed too long ago, or in the future."""

    code = "timestamp_out_of_tolerance"


class KeysUnavailable(RequestError):
    """The public key that a token names has not been fetched yet."""

    code, retryable = "keys_unavailable", True


class UnknownPath(RequestError):
    """There is nothing at this path."""

    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    code = "method_not_allowed"


class RequestTimeout(RequestError):
    """The body did not arrive in time."""

    code, retryable = "request_timeout", True


class BodyTooLarge(RequestError):
    """More bytes than this caller may send."""

    code = "body_too_large"


class UnsupportedType(RequestError):
    """A Content-Type that this endpoint does not accept."""

    code = "unsupported_media_type"


class InvalidRequest(RequestError):
    """A field is missing, unknown or of the wrong form; the message names it."""

    code = "invalid_request"


class LatestNotAllowed(RequestError):
    """`latest` was requested where it is not enabled."""

    code = "latest_not_allowed"


class SenderRateLimited(RequestError):
    """This sender's rate limit is exceeded."""

    code, retryable, consumes_idempotency_key = "rate_limited", True, False


class RateLimitStorageUnavailable(RequestError):
    """The rate limit storage can't be reached, so the request was not counted."""

    code, retryable, consumes_idempotency_key = "rate_limit_storage_unavailable", True, False


class ConversationError(CobrowseError):
    """The conversation does not allow a cobrowse session."""


class ConversationNotFound(ConversationError):
    """Absent, or hidden from our client."""

    code = "conversation_not_found"


class ConversationNotActive(ConversationError):
    """It has ended."""

    code = "conversation_not_active"


class CobrowseNotSupported(ConversationError):
    """Not a kind of conversation that can carry cobrowse, or the org has it switched off."""

    code = "cobrowse_not_supported"


class NoActiveConversation(ConversationError):
    """`latest` found none."""

    code, retryable, consumes_idempotency_key = "no_active_conversation", False, False


class AgentNotConnected(ConversationError):
    """No agent (or customer) has answered the conversation yet, and the request requires one."""

    code, retryable, consumes_idempotency_key = "agent_not_connected", True, False


class GenesysError(CobrowseError):
    """Genesys Cloud did not do its part. `ambiguous`: the call's effect may have taken place all the same.

    `refused`: this call had none, Genesys said so; what looks like its effect came from a copy sent before it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry_after: float | None = None,
        ambiguous: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.ambiguous = ambiguous
        self.refused = refused


class GenesysUnauthorized(GenesysError):
    """The client id or secret is refused."""

    code, consumes_idempotency_key = "genesys_unauthorized", False
    # Whether the same call may go through with a new token: where the token itself was refused.
    new_token = True


class GenesysForbidden(GenesysError):
    """The token lacks a scope or permission."""

    code, consumes_idempotency_key = "genesys_forbidden", False
    # Whether Genesys itself refuses what the client may do; else something in between spoke, or another rule.
    by_role = True


class UserTokenRequired(GenesysError):
    """The call requires a user's token, and the service's own has no user."""

    code, consumes_idempotency_key = "user_token_required", False


class LoginRequired(GenesysError):
    """The call goes out as the service user, who has not logged in, or whose grant Genesys no longer honours."""

    code, consumes_idempotency_key = "service_user_login_required", False


class GenesysRateLimited(GenesysError):
    """Genesys's limit for this token is used up for longer than the caller can wait."""

    code, retryable = "genesys_rate_limited", True


class GenesysUnavailable(GenesysError):
    """Unreachable, or responding with 5xx."""

    code, retryable = "genesys_unavailable", True


class GenesysTimeout(GenesysError):
    """No response within the caller's deadline."""

    code, retryable = "genesys_timeout", True


class GenesysBadResponse(GenesysError):
    """Not JSON, or not of the documented shape."""

    code, retryable = "genesys_bad_response", True


class SessionNotIdentified(GenesysError):
    """Genesys made a session and did not say which, so it can't be attached: it reaches nobody."""

    code = "session_not_identified"


class InProgress(CobrowseError):
    """An earlier delivery of the same request is still running."""

    code, retryable = "in_progress", True


class InitiationNotFound(CobrowseError):
    """No initiation of this credential has the id, key or conversation."""

    code, retryable, consumes_idempotency_key = "initiation_not_found", False, False


class LedgerUnavailable(CobrowseError):
    """The ledger can't be reached, so nothing was started."""

    code, retryable = "ledger_unavailable", True


class Overloaded(CobrowseError):
    """The server is at capacity."""

    code, retryable, consumes_idempotency_key = "overloaded", True, False


class InternalError(CobrowseError):
    """A bug of this service."""

    code, retryable, consumes_idempotency_key = "internal_error", False, False


def error_types_by_code() -> dict[str, type[CobrowseError]]:
    """Every concrete kind by its code, in the order of this file."""

    def leaves(kind: type[CobrowseError]) -> list[type[CobrowseError]]:
        below = kind.__subclasses__()
        return [leaf for child in below for leaf in leaves(child)] if below else [kind]

    return {kind.code: kind for kind in leaves(CobrowseError)}
