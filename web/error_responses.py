"""The HTTP status and the hint of each error kind: one row a kind, by its code, as callers and operators see it."""

from collections.abc import Mapping
from typing import NamedTuple

from cobrowse.errors import CobrowseError
from cobrowse.model import Failure


class ErrorResponse(NamedTuple):
    """How a kind is answered. `hint` is what helps, unless the error brings a more exact one."""

    status: int
    hint: str


# In the order of cobrowse/errors.py, which has a class for each.
ERROR_RESPONSES: Mapping[str, ErrorResponse] = {
    "malformed_request": ErrorResponse(
        400, "The body could not be read as what its Content-Type says; send one JSON object in UTF-8."
    ),
    "idempotency_key_malformed": ErrorResponse(
        400, "Send an Idempotency-Key of 1 to 255 visible ASCII characters, new for each new request."
    ),
    "idempotency_key_reused": ErrorResponse(
        422, "Idempotency key already used with a different body; use a new key, or send the original body."
    ),
    "not_authenticated": ErrorResponse(
        401,
        "Send the API key in X-Api-Key, or as the password of HTTP Basic; it must be one of the service's API_KEYS.",
    ),
    "signature_missing": ErrorResponse(
        401, "The sender must sign its requests as its row in the senders file says; turn signing on at the sender."
    ),
    "signature_invalid": ErrorResponse(
        401,
        "Compare the secret at the sender with the one set here, and check that nothing on the way alters the body.",
    ),
    "timestamp_out_of_tolerance": ErrorResponse(
        401, "The signature's timestamp is more than the tolerance away from this service's clock; check both clocks."
    ),
    "keys_unavailable": ErrorResponse(
        503, "The identity provider's keys are fetched in the background; if this persists, check the row's jwks_url."
    ),
    "not_found": ErrorResponse(
        404, "Check the URL: data actions post to /data-actions/cobrowse, other senders to /webhooks/<sender>."
    ),
    "method_not_allowed": ErrorResponse(405, "Use the method that the Allow header names."),
    "request_timeout": ErrorResponse(408, "The request's body was cut off or came too slowly; send it again whole."),
    "body_too_large": ErrorResponse(
        413, "Send a smaller body, or raise max_body_bytes in the sender's row, within the service's MAX_BODY_BYTES."
    ),
    "unsupported_media_type": ErrorResponse(415, "Set the header Content-Type: application/json."),
    "invalid_request": ErrorResponse(422, "Correct the field that the message names; every wrong field is listed."),
    "latest_not_allowed": ErrorResponse(
        403,
        "Send the conversationId; 'latest' can pick another customer's conversation, so it needs ALLOW_LATEST=true.",
    ),
    "rate_limited": ErrorResponse(
        429,
        "This sender's rate_limit in the senders file is exceeded; retry after Retry-After seconds, or raise it there.",
    ),
    "rate_limit_storage_unavailable": ErrorResponse(
        503, "RATE_LIMIT_STORAGE is unreachable, and a sender with a rate_limit waits for it; retry shortly."
    ),
    "conversation_not_found": ErrorResponse(
        404, "No such conversation for this OAuth client: check the id, the region, and the divisions its role covers."
    ),
    "conversation_not_active": ErrorResponse(
        409,
        "Cobrowse is added to a live conversation and this one has ended; start it while the customer is connected.",
    ),
    "cobrowse_not_supported": ErrorResponse(
        422, "Cobrowse needs a webchat, web messaging or voice conversation, and to be enabled in the org's deployment."
    ),
    "no_active_conversation": ErrorResponse(
        404, "There is no active webchat right now; send the conversationId of the conversation you mean."
    ),
    "agent_not_connected": ErrorResponse(
        409, "Nothing was started; retry once an agent and the customer are connected."
    ),
    "genesys_unauthorized": ErrorResponse(
        502, "Genesys rejected the OAuth client: check GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET and GENESYS_REGION."
    ),
    "genesys_forbidden": ErrorResponse(
        502, "Give the OAuth client a role with the permission and scopes named in the message."
    ),
    "user_token_required": ErrorResponse(
        502,
        "Genesys requires a user for this call: set GENESYS_USER_CLIENT_ID and run `cobrowse-bridge login`, so that "
        "a service user makes it, or send a user's own token in Genesys-Access-Token, which needs "
        "ALLOW_USER_TOKENS=true.",
    ),
    "service_user_login_required": ErrorResponse(
        502, "Run `cobrowse-bridge login` with the service's settings and sign in to Genesys as the service user."
    ),
    "genesys_rate_limited": ErrorResponse(
        503, "Genesys allows 300 requests a minute for a token; retry after retryAfterSeconds."
    ),
    "genesys_unavailable": ErrorResponse(
        503, "Genesys Cloud is unreachable or failing; retry, and check its status page if it persists."
    ),
    "genesys_timeout": ErrorResponse(
        504, "Genesys did not respond within the deadline; retry with the same key; no second session is started."
    ),
    "genesys_bad_response": ErrorResponse(
        502, "The response is not the one Genesys documents; check GENESYS_API_URL and any proxy in between."
    ),
    "session_not_identified": ErrorResponse(
        502,
        "Nobody was invited. The creation's success came without an id: check any proxy in between, then retry it "
        "in the console or send it with a new key, which makes another session.",
    ),
    "in_progress": ErrorResponse(
        409, "The first delivery of this request is still running; retry with the same key to get its response."
    ),
    "initiation_not_found": ErrorResponse(
        404,
        "Nothing was started under it by this credential, or LEDGER_RETENTION_SECONDS has passed; start it, with the "
        "same key if there is one.",
    ),
    "ledger_unavailable": ErrorResponse(
        503, "The service's ledger (LEDGER_URL) is unreachable, so nothing was started; retry shortly."
    ),
    "overloaded": ErrorResponse(503, "The server is at capacity and refused this request at once; retry shortly."),
    "internal_error": ErrorResponse(
        500, "Internal error; give the service's operator the correlationId, which finds the log line with the cause."
    ),
}


def status_of(error: CobrowseError | type[CobrowseError] | Failure) -> int:
    """The HTTP status of an error or a kind of it, or of a failure as the ledger keeps it.

    A newer release may have recorded a kind that is not known here.
    """
    known = ERROR_RESPONSES.get(error.code)
    return known.status if known is not None else 503 if error.retryable else 422


def hint_of(error: CobrowseError | Failure) -> str:
    """What helps: the error's own hint, else its kind's."""
    known = ERROR_RESPONSES.get(error.code)
    return error.hint or (known.hint if known is not None else "")
