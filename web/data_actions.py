"""POST /data-actions/cobrowse: what an Architect flow calls, flat in and flat out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from flask import Blueprint, Request, Response, g
from marshmallow import ValidationError

from cobrowse.errors import InvalidRequest, LatestNotAllowed
from cobrowse.model import Command, Outcome, Secret
from integrations.senders.auth.credentials import Headers
from schemas.data_action import StartRequestSchema
from schemas.duplicates import check_names
from schemas.json_text import charset_of, parse_body
from schemas.validation_errors import in_words
from web import request_parsing, responses

SENDER = "architect"
# Bytes: the contract's longest body, its settings escaped to six bytes a character, is under half of it.
BODY_BYTES = 65_536
_REQUEST = StartRequestSchema()
_FIELDS = tuple(str(field.data_key or name) for name, field in _REQUEST.fields.items())


class Keys(Protocol):
    """Authenticates callers."""

    def identify(self, headers: Headers) -> str:
        """The caller's name. Raises NotAuthenticated."""


@dataclass(frozen=True, slots=True)
class DataActions:
    """The endpoint's configuration. `deadline_seconds`: how long the caller waits."""

    initiate: Callable[[Command], Outcome]
    keys: Keys
    deadline_seconds: float
    allow_latest: bool = False
    allow_user_tokens: bool = False
    open_to_all: bool = False

    def blueprint(self) -> Blueprint:
        """The endpoint's routes."""
        blueprint = Blueprint("data_actions", __name__)
        blueprint.post("/data-actions/cobrowse")(self.start)
        return blueprint

    def start(self) -> Response:
        """Start a cobrowse session for a conversation; the response holds the outcome."""
        request = request_parsing.current_request()
        correlation_id = str(g.correlation_id)
        credential = "anyone" if self.open_to_all else self.keys.identify(request.headers)
        request_parsing.json_type(request)
        charset = charset_of(request.content_type or "")
        raw = request_parsing.raw_body(request, BODY_BYTES)
        payload = load_request(parse_body(raw, charset))
        check_no_repeats(raw)
        key = _key(request.headers.get("Idempotency-Key", ""), payload.pop("idempotency_key"))
        mode = responses.ResponseMode(always_200=not request_parsing.prefers_real_status(request.headers))
        if payload["latest"] and not self.allow_latest:
            error = LatestNotAllowed("latest: the service does not allow it")
            return responses.respond([responses.rejection_outcome(error, correlation_id)], mode)
        command = Command(
            sender=SENDER,
            correlation_id=correlation_id,
            deadline_seconds=self.deadline_seconds,
            conversation_id=payload.get("conversation_id", ""),
            latest=payload["latest"],
            channel=payload["channel"],
            requested_by=payload["requested_by"],
            credential=credential,
            session_settings=payload["session_settings"],
            start_when=payload["start_when"],
            key=key,
            fingerprint=fingerprint(payload),
            user_token=self._user_token(request),
        )
        return responses.respond([self.initiate(command)], mode)

    def _user_token(self, request: Request) -> Secret:
        token = request.headers.get("Genesys-Access-Token", "").strip() if self.allow_user_tokens else ""
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise InvalidRequest("Genesys-Access-Token: not a token; send the bare access token without 'Bearer'")
        return Secret(token)


def check_no_repeats(raw: bytes) -> None:
    """Raise InvalidRequest if the body has one of the request's fields twice."""
    try:
        check_names(raw, _FIELDS)
    except ValidationError as error:
        raise InvalidRequest(in_words(error.messages)) from None


def load_request(body: object) -> dict[str, Any]:
    """The fields of a data action's body. InvalidRequest names every wrong one."""
    try:
        payload = _REQUEST.load(body)  # type: ignore[arg-type]  # its own pre_load refuses what is no object
    except ValidationError as error:
        raise InvalidRequest(in_words(error.messages, _FIELDS)) from None
    assert isinstance(payload, dict)  # noqa: S101 - what a schema without many=True loads
    return payload


def _key(header: str, field: str) -> str:
    """The caller's key, from its header or the body's field. Raises MalformedKey; InvalidRequest if the two differ."""
    in_header = request_parsing.idempotency_key(header)
    always_200 = request_parsing.idempotency_key(field, "idempotencyKey")
    if in_header and always_200 and in_header != always_200:
        raise InvalidRequest("idempotencyKey: differs from the header Idempotency-Key; send one, or the same in both")
    return in_header or always_200


def fingerprint(content: object) -> str:
    """The request's fingerprint: a hash of its parsed content, independent of formatting."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
