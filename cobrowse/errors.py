"""Every error of an initiation: one class per kind, with its code, HTTP status and a hint for the caller.

CobrowseError
├── RequestError            the request itself: correct it and send it again
│   ├── MalformedRequest    400    MalformedKey        400    KeyReused         422
│   ├── NotAuthenticated    401    SignatureMissing    401    SignatureInvalid  401
│   ├── StaleTimestamp      401    UnknownPath         404    MethodNotAllowed  405
│   ├── RequestTimeout      408    BodyTooLarge        413    UnsupportedType   415
│   ├── InvalidRequest      422    LatestNotAllowed    403    SenderRateLimited 429
├── ConversationError       the conversation can't have cobrowse (now)
│   ├── ConversationNotFound  404  ConversationNotActive  409
│   ├── CobrowseNotSupported  422  NoActiveConversation   404
│   └── AgentNotConnected     409
├── GenesysError            Genesys did not do its part
│   ├── GenesysUnauthorized 502    GenesysForbidden    502    GenesysRateLimited  503
│   ├── GenesysUnavailable  503    GenesysTimeout      504    GenesysBadResponse  502
│   └── UserTokenRequired   502
├── InitiationNotFound      404    no initiation of this credential is asked for
├── InProgress              409    an earlier delivery of the same request is still running
├── LedgerUnavailable       503    what makes it exactly once can't be reached
├── Overloaded              503    too many requests at once: refused before anything was started
└── InternalError           500    our own bug
"""

from typing import ClassVar


class CobrowseError(Exception):
    """An error that a caller can act on. `retry_after` is in seconds; the message never holds a secret or a body."""

    code: ClassVar[str]
    status: ClassVar[int]
    hint: str
    retryable: ClassVar[bool] = False
    # False: nothing was started and the cause can be fixed, so a retry with the same key must run.
    consumes_idempotency_key: ClassVar[bool] = True

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.hint
        self.retry_after = retry_after

    def append(self, words: str) -> None:
        """Say more in the message."""
        self.message += words
        self.args = (self.message,)


class RequestError(CobrowseError):
    """The request can't be taken as it is."""


class MalformedRequest(RequestError):
    """The body can't be parsed."""

    code, status = "malformed_request", 400
    hint = "The body could not be read as what its Content-Type says; send one JSON object in UTF-8."


class MalformedKey(RequestError):
    """The Idempotency-Key is not one."""

    code, status = "idempotency_key_malformed", 400
    hint = "Send an Idempotency-Key of 1 to 255 visible ASCII characters, new for each new request."


class KeyReused(RequestError):
    """One key, two different requests."""

    code, status = "idempotency_key_reused", 422
    hint = "Idempotency key already used with a different body; use a new key, or send the original body."


class NotAuthenticated(RequestError):
    """No credential, or not one of ours."""

    code, status = "not_authenticated", 401
    hint = "Send the API key in X-Api-Key, or as the password of HTTP Basic; it must be one of the service's API_KEYS."


class SignatureMissing(RequestError):
    """The sender's row asks for a signature and none came."""

    code, status = "signature_missing", 401
    hint = "The sender must sign its requests as its row in the senders file says; turn signing on at the sender."


class SignatureInvalid(RequestError):
    """The signature does not fit the bytes that came."""

    code, status = "signature_invalid", 401
    hint = "Compare the secret at the sender with the one set here, and check that nothing on the way alters the body."


class StaleTimestamp(RequestError):
    """Signed too long ago, or in the future."""

    code, status = "timestamp_out_of_tolerance", 401
    hint = "The signature's timestamp is more than the tolerance away from this service's clock; check both clocks."


class UnknownPath(RequestError):
    """Nothing lives at this path."""

    code, status = "not_found", 404
    hint = "Check the URL: data actions post to /data-actions/cobrowse, other senders to /webhooks/<sender>."


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    code, status = "method_not_allowed", 405
    hint = "Use the method that the Allow header names."


class RequestTimeout(RequestError):
    """The body did not arrive in time."""

    code, status, retryable = "request_timeout", 408, True
    hint = "The request's body was cut off or came too slowly; send it again whole."


class BodyTooLarge(RequestError):
    """More bytes than are taken from this caller."""

    code, status = "body_too_large", 413
    hint = "Send a smaller body, or raise max_body_bytes in the sender's row, within the service's MAX_BODY_BYTES."


class UnsupportedType(RequestError):
    """A Content-Type that this endpoint does not read."""

    code, status = "unsupported_media_type", 415
    hint = "Set the header Content-Type: application/json."


class InvalidRequest(RequestError):
    """A field is missing, unknown or of the wrong form; the message names it."""

    code, status = "invalid_request", 422
    hint = "Correct the field that the message names; every wrong field is listed."


class LatestNotAllowed(RequestError):
    """`latest` was asked for where it is not switched on."""

    code, status = "latest_not_allowed", 403
    hint = "Send the conversationId; 'latest' can pick another customer's conversation, so it needs ALLOW_LATEST=true."


class SenderRateLimited(RequestError):
    """This sender's own limit is used up."""

    code, status, retryable, consumes_idempotency_key = "rate_limited", 429, True, False
    hint = (
        "This sender's rate_limit in the senders file is exceeded; retry after Retry-After seconds, or raise it there."
    )


class ConversationError(CobrowseError):
    """The conversation does not allow a cobrowse session."""


class ConversationNotFound(ConversationError):
    """Absent, or hidden from our client."""

    code, status = "conversation_not_found", 404
    hint = "No such conversation for this OAuth client: check the id, the region, and the divisions its role covers."


class ConversationNotActive(ConversationError):
    """It has ended."""

    code, status = "conversation_not_active", 409
    hint = "Cobrowse is added to a live conversation and this one has ended; start it while the customer is connected."


class CobrowseNotSupported(ConversationError):
    """Not a kind of conversation that can carry cobrowse, or the org has it switched off."""

    code, status = "cobrowse_not_supported", 422
    hint = "Cobrowse needs a webchat, web messaging or voice conversation, and to be enabled in the org's deployment."


class NoActiveConversation(ConversationError):
    """`latest` found none."""

    code, status, retryable, consumes_idempotency_key = "no_active_conversation", 404, False, False
    hint = "There is no active webchat right now; send the conversationId of the conversation you mean."


class AgentNotConnected(ConversationError):
    """No agent (or customer) has answered the conversation yet, and the request asks for one."""

    code, status, retryable, consumes_idempotency_key = "agent_not_connected", 409, True, False
    hint = "Nothing was started: the conversation is still ringing; retry once an agent has answered."


class GenesysError(CobrowseError):
    """Genesys Cloud did not do its part. `ambiguous`: the call's effect may have taken place all the same.

    `refused`: this call had none, Genesys said so; what looks like its effect came from a copy sent before it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
        ambiguous: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.ambiguous = ambiguous
        self.refused = refused


class GenesysUnauthorized(GenesysError):
    """The client id or secret is refused."""

    code, status, consumes_idempotency_key = "genesys_unauthorized", 502, False
    hint = "Genesys rejected the OAuth client: check GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET and GENESYS_REGION."
    # Whether the same call may go through with a new token: where the token itself was refused.
    new_token = True


class GenesysForbidden(GenesysError):
    """The token lacks a scope or permission."""

    code, status, consumes_idempotency_key = "genesys_forbidden", 502, False
    hint = "Give the OAuth client a role with the permission and scopes named in the message."
    # Whether Genesys itself refuses what the client may do; else something in between spoke, or another rule.
    by_role = True


class UserTokenRequired(GenesysError):
    """The call asks for a person's token, and the service's own has no person behind it."""

    code, status, consumes_idempotency_key = "user_token_required", 502, False
    hint = (
        "Genesys wants a user behind this call: send a user's own token in Genesys-Access-Token, which needs "
        "ALLOW_USER_TOKENS=true, or give the service an OAuth client that acts for a service user."
    )


class GenesysRateLimited(GenesysError):
    """Genesys's limit for this token is used up for longer than the caller can wait."""

    code, status, retryable = "genesys_rate_limited", 503, True
    hint = "Genesys allows 300 requests a minute for a token; retry after retryAfterSeconds."


class GenesysUnavailable(GenesysError):
    """Unreachable, or responding with 5xx."""

    code, status, retryable = "genesys_unavailable", 503, True
    hint = "Genesys Cloud is unreachable or failing; retry, and check its status page if it persists."


class GenesysTimeout(GenesysError):
    """No response within the caller's deadline."""

    code, status, retryable = "genesys_timeout", 504, True
    hint = "Genesys did not respond within the deadline; retry with the same key; no second session is started."


class GenesysBadResponse(GenesysError):
    """Not JSON, or not of the documented shape."""

    code, status, retryable = "genesys_bad_response", 502, True
    hint = "The response is not the one Genesys documents; check GENESYS_API_URL and any proxy in between."


class InProgress(CobrowseError):
    """An earlier delivery of the same request is still running."""

    code, status, retryable = "in_progress", 409, True
    hint = "The first delivery of this request is still running; retry with the same key to get its response."


class InitiationNotFound(CobrowseError):
    """No initiation of this credential has the id, key or conversation."""

    code, status, retryable, consumes_idempotency_key = "initiation_not_found", 404, False, False
    hint = (
        "Nothing was started under it by this credential, or LEDGER_RETENTION_SECONDS has passed; start it, "
        "with the same key if there is one."
    )


class LedgerUnavailable(CobrowseError):
    """The ledger can't be reached, so nothing was started."""

    code, status, retryable = "ledger_unavailable", 503, True
    hint = "The service's ledger (LEDGER_URL) is unreachable, so nothing was started; retry shortly."


class Overloaded(CobrowseError):
    """The server is at capacity."""

    code, status, retryable, consumes_idempotency_key = "overloaded", 503, True, False
    hint = "The server is at capacity and refused this request at once; retry shortly."


class InternalError(CobrowseError):
    """A bug of this service."""

    code, status, retryable, consumes_idempotency_key = "internal_error", 500, False, False
    hint = "Internal error; give the service's operator the correlationId, which finds the log line with the cause."


def error_types_by_code() -> dict[str, type[CobrowseError]]:
    """Every concrete kind by its code, in the order of this file."""

    def leaves(kind: type[CobrowseError]) -> list[type[CobrowseError]]:
        below = kind.__subclasses__()
        return [leaf for child in below for leaf in leaves(child)] if below else [kind]

    return {kind.code: kind for kind in leaves(CobrowseError)}
