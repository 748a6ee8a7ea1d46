"""Genesys's refusals: one row for each code, and the two forms of body they have."""

from collections.abc import Mapping
from typing import NamedTuple

from flask import Response

from sandbox.answers import json_answer


class _Row(NamedTuple):
    status: int
    message: str


# Codes, statuses and messages: x-inin-error-codes of the conversation operations in Genesys's published OpenAPI, and
# its error table. Which code goes with the user context is not confirmed. The first of a status is its usual one.
CODES: Mapping[str, _Row] = {
    "bad.request": _Row(400, "The request could not be understood by the server due to malformed syntax."),
    "invalid.value": _Row(
        400, "Value [{value}] is not valid for field type [{type}]. Allowable values are: {allowableValues}"
    ),
    "communication.state.required": _Row(
        400, "Can only update a communication's state to disconnected. This endpoint does not update wrapup."
    ),
    "bad.credentials": _Row(401, "Invalid login credentials."),
    "authentication.required": _Row(401, "No authentication bearer token specified in authorization header."),
    "ip.not.authorized": _Row(401, "IP address is not authorized"),
    "credentials.expired": _Row(401, "The credentials have expired."),
    "user.context.required": _Row(
        400, "This request requires a user context. Client credentials cannot be used for requests to this resource."
    ),
    "missing.permissions": _Row(
        403, "Unable to perform the requested action. You are missing the following permission(s): {permissions}"
    ),
    "not.authorized": _Row(403, "You are not authorized to perform the requested action."),
    "missing.any.permissions": _Row(
        403,
        "Unable to perform the requested action. "
        "You must have at least one of the following permissions assigned: {permissions}",
    ),
    "not.found": _Row(404, "The requested resource was not found."),
    "method.not.allowed": _Row(405, "HTTP 405 Method Not Allowed"),
    "client.timeout": _Row(408, "The client did not produce a request within the server timeout limit."),
    "request.conflict": _Row(409, "The request conflicts with the current state of the target resource."),
    "request.entity.too.large": _Row(413, "The request is over the size limit. Maximum bytes: {maximumBytes}"),
    "unsupported.media.type": _Row(
        415,
        "Unsupported Media Type - Unsupported or incorrect media type, "
        "such as an incorrect Content-Type value in the header.",
    ),
    "too.many.requests.retry.after": _Row(
        429, "Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds"
    ),
    "too.many.requests": _Row(429, "Rate limit exceeded the maximum [{limit}] requests within [{window}] seconds"),
    "internal.server.error": _Row(
        500, "The server encountered an unexpected condition which prevented it from fulfilling the request."
    ),
    "service.unavailable": _Row(
        503,
        "Service Unavailable - The server is currently unavailable (because it is overloaded or down for maintenance).",
    ),
    "request.timeout": _Row(504, "The request timed out."),
}

# The code that a fault takes for a status when the test names none.
DEFAULT_CODES: Mapping[int, str] = {CODES[code].status: code for code in reversed(list(CODES))}


class Rejection(Exception):
    """A call that is rejected, with its response."""

    def answer(self, context_id: str) -> Response:
        """The answer in the words of the host that refuses."""
        raise NotImplementedError


class GenesysError(Rejection):
    """A rejection by the platform API, as an ErrorBody."""

    def __init__(
        self,
        code: str,
        *,
        details: tuple[Mapping[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
        **params: str,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
        self.headers = headers or {}
        self.params = params

    def answer(self, context_id: str) -> Response:
        """The ErrorBody, with the message's parameters if it has any."""
        row = CODES[self.code]
        body = error_body(row.status, self.code, row.message.format(**self.params), context_id, details=self.details)
        if self.params:
            body |= {"messageWithParams": row.message, "messageParams": self.params}
        return json_answer(body, row.status, self.headers)


class OAuthError(Rejection):
    """A refusal of the login host, which speaks OAuth and not ErrorBody."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.description = description

    def answer(self, _context_id: str) -> Response:
        """The OAuth error, its description under both names that the login host uses; it names no context."""
        body = {"error": self.error, "description": self.description, "error_description": self.description}
        return json_answer(body, self.status)


def error_body(
    status: int, code: str, message: str, context_id: str, *, details: tuple[Mapping[str, str], ...] = ()
) -> dict[str, object]:
    """An ErrorBody with the fields that Genesys always fills."""
    return {
        "message": message,
        "code": code,
        "status": status,
        "contextId": context_id,
        "details": list(details),
        "errors": [],
    }
