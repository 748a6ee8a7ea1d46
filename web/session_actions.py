"""Requests about sessions that were started: POST /data-actions/cobrowse/status and /end, GET /initiations."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Blueprint, Response, g

from cobrowse.errors import CobrowseError, InvalidRequest
from cobrowse.ledger import InitiationRecord
from cobrowse.lookup import InitiationQuery, Lookup, outcome_on_record, view_on_record
from cobrowse.model import Command, Outcome, SessionView
from schemas.answers import LINKS
from schemas.session_actions import EndRequestSchema, InitiationsQuerySchema, StatusRequestSchema
from schemas.validation_errors import load
from web import data_action_body, request_parsing, responses
from web.data_actions import SENDER, Identify, fingerprint

_STATUS, _END, _QUERY = StatusRequestSchema(), EndRequestSchema(), InitiationsQuerySchema()
# A list is for an overview; who needs a link asks for the one initiation that has it.
_NO_LINKS = dict.fromkeys(LINKS, "")


@dataclass(frozen=True, slots=True)
class SessionActions:
    """The endpoints' configuration. `deadline_seconds`: how long a caller waits. Another's initiation is not found."""

    initiate: Callable[[Command], Outcome]
    lookup: Lookup
    identify: Identify
    deadline_seconds: float

    def blueprint(self) -> Blueprint:
        """The endpoints' routes."""
        blueprint = Blueprint("session_actions", __name__)
        blueprint.post("/data-actions/cobrowse/status")(self.status)
        blueprint.post("/data-actions/cobrowse/end")(self.end)
        blueprint.get("/initiations")(self.list_initiations)
        blueprint.get("/initiations/<initiation_id>")(self.get_initiation)
        return blueprint

    def status(self) -> Response:
        """The status of an initiation; with `live`, its conversation is checked too, by one call."""
        request = request_parsing.current_request()
        credential = self.identify(request.headers)
        payload = data_action_body.parse(request, _STATUS)
        # The header of this name would be this request's own, and a question needs none.
        key = request_parsing.idempotency_key(payload["idempotency_key"], "idempotencyKey")
        command = self._command(credential, payload["conversation_id"], key)
        try:
            record = self.lookup.find(command, payload["initiation_id"])
            view, calls = view_on_record(record, self.lookup.clock.now()), 0
            if payload["live"]:
                command = self._command(credential, record.conversation_id, key)
                view, calls = self.lookup.check(command, record)
        except CobrowseError as error:
            refused = responses.rejection_outcome(error, g.correlation_id, payload["conversation_id"])
            return responses.respond(
                [refused], data_action_body.response_mode(request), responses.view_keys(SessionView())
            )
        outcome = outcome_on_record(record, g.correlation_id)
        more = responses.view_keys(view) | {"upstreamCalls": calls, "correlationId": g.correlation_id}
        return responses.respond([outcome], data_action_body.response_mode(request), more)

    def end(self) -> Response:
        """End an initiation's session, or every live one of a conversation; one that is over already is a success."""
        request = request_parsing.current_request()
        credential = self.identify(request.headers)
        payload = data_action_body.parse(request, _END)
        key = data_action_body.parse_key(request, payload)
        conversation_id, ends = payload["conversation_id"], payload["initiation_id"]
        if ends:
            try:
                known = self.lookup.find(self._command(credential, "", ""), ends).conversation_id
            except CobrowseError as error:
                refused = responses.rejection_outcome(error, g.correlation_id, conversation_id)
                return responses.respond([refused], data_action_body.response_mode(request))
            if conversation_id not in ("", known):
                raise InvalidRequest("conversationId: is not the initiation's; send one of the two")
            conversation_id = known
        command = replace(
            self._command(credential, conversation_id, key),
            requested_by=payload["requested_by"],
            fingerprint=fingerprint({"action": "end", **payload}),
            action="end",
            ends=ends,
        )
        return responses.respond([self.initiate(command)], data_action_body.response_mode(request))

    def get_initiation(self, initiation_id: str) -> Response:
        """One of the caller's own initiations."""
        request = request_parsing.current_request()
        credential = self.identify(request.headers)
        record = self.lookup.find(self._command(credential, "", ""), initiation_id)
        return responses.json(self._item(record))

    def list_initiations(self) -> Response:
        """The caller's own initiations that fit, the newest first, a page at a time; links and codes left out."""
        request = request_parsing.current_request()
        credential = self.identify(request.headers)
        query = load(_QUERY, request.args.to_dict())
        wanted = InitiationQuery(
            SENDER,
            credential,
            query["conversation_id"],
            query["idempotency_key"],
            query["correlation_id"],
            query["since"],
            before_seq=query["cursor"],
        )
        records = self.lookup.records.find_own(wanted, query["limit"] + 1)
        page = records[: query["limit"]]
        cursor = str(page[-1].seq) if len(records) > len(page) else ""
        return responses.json({"items": [self._item(record) | _NO_LINKS for record in page], "nextCursor": cursor})

    def _item(self, record: InitiationRecord) -> dict[str, object]:
        command, outcome = record.command, outcome_on_record(record, record.command.correlation_id)
        return {
            **responses.to_answer(outcome),
            **responses.view_keys(view_on_record(record, self.lookup.clock.now())),
            "action": command.action,
            "idempotencyKey": command.key,
            "requestedBy": command.requested_by,
            "attempts": record.attempts,
            "created": record.created.isoformat() if record.created else "",
            "updated": record.updated.isoformat() if record.updated else "",
        }

    def _command(self, credential: str, conversation_id: str, key: str) -> Command:
        return Command(
            SENDER,
            g.correlation_id,
            self.deadline_seconds,
            conversation_id=conversation_id,
            credential=credential,
            key=key,
            fingerprint="of a caller's own key",
        )
