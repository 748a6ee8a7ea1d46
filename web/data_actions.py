"""POST /data-actions/cobrowse: what an Architect flow calls, flat in and flat out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from flask import Blueprint, Request, Response, g

from cobrowse.errors import InvalidRequest, LatestNotAllowed
from cobrowse.initiation import Initiation
from cobrowse.model import Command, Secret
from integrations.senders.auth.credentials import Headers
from schemas.data_action import StartRequestSchema
from web import data_action_body, request_parsing, responses

SENDER = "architect"
_REQUEST = StartRequestSchema()

Identify = Callable[[Headers], str]
"""The name of a caller's credential, by its request's headers. Raises NotAuthenticated."""


@dataclass(frozen=True, slots=True)
class DataActions:
    """The endpoint's configuration. `deadline_seconds`: how long the caller waits.

    `participant_data`: whether a session is handed over where the request does not say.
    """

    initiate: Initiation
    identify: Identify
    deadline_seconds: float
    allow_latest: bool = False
    allow_user_tokens: bool = False
    participant_data: bool = False

    def blueprint(self) -> Blueprint:
        """The endpoint's routes."""
        blueprint = Blueprint("data_actions", __name__)
        blueprint.post("/data-actions/cobrowse")(self.start)
        return blueprint

    def start(self) -> Response:
        """Start a cobrowse session for a conversation; the response holds the outcome."""
        request = request_parsing.current_request()
        correlation_id = str(g.correlation_id)
        credential = self.identify(request.headers)
        payload = data_action_body.parse(request, _REQUEST)
        key = data_action_body.parse_key(request, payload)
        dry_run, participant_data = payload.pop("dry_run"), payload["participant_data"]
        mode = data_action_body.response_mode(request)
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
            # A flow that names its channel runs in the conversation; the newest one has just been listed as active.
            check_before_create=payload["channel"] is None and not payload["latest"],
            start_when=payload["start_when"],
            hand_over=self.participant_data if participant_data is None else participant_data,
            key=key,
            fingerprint=fingerprint(payload),
            user_token=self._user_token(request),
        )
        return responses.respond([self.initiate.preview(command) if dry_run else self.initiate(command)], mode)

    def _user_token(self, request: Request) -> Secret:
        token = request.headers.get("Genesys-Access-Token", "").strip() if self.allow_user_tokens else ""
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise InvalidRequest("Genesys-Access-Token: not a token; send the bare access token without 'Bearer'")
        return Secret(token)


def fingerprint(content: object) -> str:
    """The request's fingerprint: a hash of its parsed content, independent of formatting."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
