"""POST /data-actions/cobrowse: what an Architect flow calls, flat in and flat out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from flask import Blueprint, Response, g, request

from cobrowse.errors import InvalidRequest, LatestNotAllowed
from cobrowse.model import Command, Outcome, Secret
from schemas.data_action import StartRequestSchema
from web import data_action_body, request_parsing, responses
from web.callers import Callers

SENDER = "architect"
_REQUEST = StartRequestSchema()


@dataclass(frozen=True, slots=True)
class DataActions:
    """The endpoint's configuration. `deadline_seconds`: how long the caller waits."""

    initiate: Callable[[Command], Outcome]
    callers: Callers
    deadline_seconds: float
    allow_latest: bool = False
    allow_user_tokens: bool = False

    def blueprint(self) -> Blueprint:
        """The endpoint's routes."""
        blueprint = Blueprint("data_actions", __name__)
        blueprint.post("/data-actions/cobrowse")(self.start)
        return blueprint

    def start(self) -> Response:
        """Start a cobrowse session for a conversation; the response holds the outcome."""
        credential = self.callers.identify(request)
        payload = data_action_body.read(request, _REQUEST)
        key = data_action_body.key(request, payload)
        mode = responses.ResponseMode(always_200=not request_parsing.prefers_real_status(request.headers))
        if payload["latest"] and not self.allow_latest:
            error = LatestNotAllowed("latest: the service does not allow it")
            return responses.respond([responses.rejection_outcome(error, g.correlation_id)], mode)
        command = Command(
            sender=SENDER,
            correlation_id=g.correlation_id,
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
            user_token=self._user_token(),
        )
        return responses.respond([self.initiate(command)], mode)

    def _user_token(self) -> Secret:
        token = request.headers.get("Genesys-Access-Token", "").strip() if self.allow_user_tokens else ""
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise InvalidRequest("Genesys-Access-Token: not a token; send the bare access token without 'Bearer'")
        return Secret(token)


def fingerprint(content: object) -> str:
    """The request's fingerprint: a hash of its parsed content, independent of formatting."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
