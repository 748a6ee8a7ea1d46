"""GET /console: the newest initiations as they come, each with its steps and its answer; run one again, end one."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import structlog
from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_httpauth import HTTPBasicAuth  # type: ignore[import-untyped]  # ships no types
from marshmallow import Schema, ValidationError
from werkzeug.wrappers import Response as AnyResponse

from cobrowse.clock import Clock
from cobrowse.ending import can_end, command_to_end
from cobrowse.errors import CobrowseError, InternalError, InvalidRequest, UnknownPath
from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Secret
from console import auth, view_model
from console.last_hour import Figure, Sample, figures
from console.ports import End, Recent, Retry
from integrations.genesys.budget import BudgetState
from integrations.senders.activity import SenderActivity
from integrations.senders.ignored import IgnoredEvent
from schemas.console import ListQuerySchema, RetrySchema
from schemas.texts import label_in
from schemas.validation_errors import in_words
from web import responses
from web.error_responses import hint_of, status_of
from web.peer import is_this_machine

log = structlog.stdlib.get_logger("cobrowse")

# Under which the ledger has what is asked for here.
SENDER = "console"
# Rows of a page: more than a screen, and few enough to send again every few seconds.
PAGE = 50
HOUR = 3_600.0
# Seconds for which the strip is not reckoned anew, however many look at it.
STRIP_SECONDS = 5.0

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_QUERY = ListQuerySchema()
_AGAIN = RetrySchema()

# Headings of the error page by status.
_TITLES = {401: "Sign-in required", 403: "Forbidden", 404: "Not found", 409: "Conflict", 503: "Unavailable"}


# Not slots: what is made once is kept beside the fields.
@dataclass(frozen=True)
class Console:
    """The console's configuration. `deadline_seconds`: how long an operator waits for a manual retry.

    Without a `password` it answers this machine alone: hand in none only where the service is on a sandbox. `csrf_key`
    must be the same in every worker. `open_circuits`: the hosts of Genesys's that calls are refused for just now;
    `budgets`: what Genesys told this worker of the calls that it allows.
    """

    recent: Recent
    read: Callable[[str], InitiationRecord | None]
    recent_samples: Callable[[float], Iterable[Sample]]
    retry: Retry
    end: End
    clock: Clock
    deadline_seconds: float
    csrf_key: Secret
    password: Secret = Secret()
    senders: tuple[str, ...] = ()
    open_circuits: Callable[[], tuple[str, ...]] = tuple
    budgets: Callable[[], Sequence[BudgetState]] = tuple
    ignored: Callable[[], Sequence[IgnoredEvent]] = tuple
    activity: Callable[[], Sequence[SenderActivity]] = tuple

    def blueprint(self) -> Blueprint:
        """The console's routes."""
        blueprint = Blueprint(
            "console",
            __name__,
            url_prefix="/console",
            template_folder="templates",
            static_folder="static",
            static_url_path="/static",
        )
        blueprint.get("", strict_slashes=False)(self.newest)
        blueprint.get("/live")(self.live)
        blueprint.get("/initiations/<initiation_id>")(self.one)
        blueprint.get("/initiations/<initiation_id>/detail")(self.detail)
        blueprint.post("/initiations/<initiation_id>/retry")(self.again)
        blueprint.post("/initiations/<initiation_id>/end")(self.end_session)
        blueprint.before_request(self._admit)
        blueprint.after_request(_guarded)
        blueprint.errorhandler(CobrowseError)(_failed)
        return blueprint

    def newest(self) -> str:
        """The page: the last hour in figures, and the newest initiations."""
        return render_template("console/list.html", **self._listed(), states=view_model.STATES)

    def live(self) -> AnyResponse:
        """The part of the page that changes, for the script to put in place; 304 while nothing has changed."""
        response = make_response(render_template("console/_live.html", **self._listed()))
        response.add_etag()
        return response.make_conditional(request)

    def one(self, initiation_id: str) -> str:
        """An initiation on a page of its own."""
        entry = self._entry(initiation_id)
        ran = request.args.get("ran", type=int)
        return self._page(entry, view_model.flash(entry, ran))

    def detail(self, initiation_id: str) -> str:
        """The same, to be opened in its row."""
        alone = request.args.get("alone") == "1"
        return render_template("console/_detail.html", **self._shown(self._entry(initiation_id)), alone=alone)

    def again(self, initiation_id: str) -> AnyResponse:
        """Retry a failed initiation and show the outcome."""
        refused = self._check_form(initiation_id, "Run again")
        if refused is not None:
            return refused
        entry = self._entry(initiation_id)
        if not view_model.can_retry(entry):
            return redirect(url_for("console.one", initiation_id=entry.id), 303)
        log.info("run again from the console", initiation_id=entry.id)
        outcome = self.retry(entry, self.deadline_seconds, g.correlation_id)
        entry = self._entry(initiation_id)
        if outcome.failure is not None and entry.outcome != outcome:
            # The row does not show this: another attempt is running, or the ledger became unreachable.
            return make_response(self._page(entry, f"{outcome.failure.message}. {hint_of(outcome.failure)}"), 503)
        return redirect(url_for("console.one", initiation_id=entry.id, ran=entry.attempts), 303)

    def end_session(self, initiation_id: str) -> AnyResponse:
        """End an initiation's session and show the request that did."""
        refused = self._check_form(_end_of(initiation_id), "End session")
        if refused is not None:
            return refused
        entry = self._entry(initiation_id)
        if not can_end(entry):
            return redirect(url_for("console.one", initiation_id=entry.id), 303)
        who = label_in(request.authorization.username) if request.authorization else ""
        command = command_to_end(entry, SENDER, who, self.deadline_seconds, g.correlation_id)
        outcome = self.end(command)
        log.info(
            "session ended from the console",
            initiation_id=entry.id,
            requested_by=who,
            status=outcome.status.value,
            conversation_id=command.conversation_id,
            client=request.remote_addr or "",
        )
        if self.read(outcome.initiation_id) is None:
            failure = outcome.failure
            why = f"{failure.message}. {hint_of(failure)}" if failure is not None else ""
            return make_response(self._page(entry, why), 503)
        return redirect(url_for("console.one", initiation_id=outcome.initiation_id), 303)

    def _check_form(self, subject: str, button: str) -> Response | None:
        """The refusal of a form that is not one of ours about this; None if it is."""
        token = _loaded(_AGAIN, request.form).get("token", "")
        if auth.same_origin(_headers(), request.host) and self._csrf.verify(token, subject):
            return None
        return _refused(
            403,
            "This was not sent from a page of the console, or that page is too old.",
            f"Open the initiation anew and press “{button}” there.",
        )

    def _listed(self) -> dict[str, Any]:
        query = _loaded(_QUERY, request.args)
        entries = self.recent(
            PAGE + 1,
            before_seq=query["before"],
            search=query["q"] or None,
            state=State(query["state"]) if query["state"] else None,
            sender=query["sender"] or None,
        )
        today = self.clock.now()
        kept = {name: query[name] for name in ("state", "sender", "q") if query[name]}
        more = len(entries) > PAGE
        return {
            "figures": self._strip(int(self.clock.monotonic() / STRIP_SECONDS)),
            "open_circuits": self.open_circuits(),
            "budgets": self.budgets(),
            "ignored": self.ignored(),
            "activity": self.activity(),
            "rows": [view_model.row(entry, today) for entry in entries[:PAGE]],
            "query": query,
            "kept": kept,
            # An entry of the ledger's own has its place.
            "older": entries[PAGE - 1].seq if more else None,
            "senders": view_model.choices(self.senders, query["sender"]),
        }

    def _page(self, entry: InitiationRecord, flash: str) -> str:
        return render_template("console/one.html", **self._shown(entry), flash=flash, alone=True)

    def _shown(self, entry: InitiationRecord) -> dict[str, Any]:
        shown = view_model.detail(entry, self.clock.now())
        return {
            "shown": shown,
            "token": self._csrf.token(entry.id) if shown.again else "",
            "end_token": self._csrf.token(_end_of(entry.id)) if shown.endable else "",
        }

    def _entry(self, initiation_id: str) -> InitiationRecord:
        entry = self.read(initiation_id) if _ID.fullmatch(initiation_id) else None
        if entry is None:
            hint = "It may be older than LEDGER_RETENTION_SECONDS; search the list for its conversation."
            raise UnknownPath("there is no initiation with this id", hint=hint)
        return entry

    def _admit(self) -> ResponseReturnValue | None:
        """Before every request: a person with the password, or one at this machine where none is set."""
        if self.password:
            # Not its login_required, which lets OPTIONS through.
            given = self._auth.get_auth()
            known = self._auth.authenticate(given, self._auth.get_auth_password(given))
            return None if known else self._auth.auth_error_callback(401)
        if is_this_machine(request.remote_addr or "", request.host, request.headers.keys()):
            return None
        return responses.error_response(
            UnknownPath(f"{request.method} {request.path[:200]}: Not Found"), g.correlation_id
        )

    @cached_property
    def _auth(self) -> HTTPBasicAuth:
        return auth.sign_in(self.password, _unknown)

    @cached_property
    def _csrf(self) -> auth.CsrfTokens:
        return auth.CsrfTokens(self.csrf_key)

    @cached_property
    def _strip(self) -> Callable[[int], tuple[Figure, ...]]:
        @lru_cache(maxsize=1)
        def reckoned(_tick: int) -> tuple[Figure, ...]:
            return figures(self.recent_samples(HOUR), self.clock.now())

        return reckoned


def _end_of(initiation_id: str) -> str:
    """What the token of an end's form is about: no other form's token may end anything."""
    return f"end {initiation_id}"


def _loaded(schema: Schema, given: object) -> dict[str, Any]:
    try:
        loaded = schema.load(given)  # type: ignore[arg-type]  # its own pre_load takes werkzeug's mappings
    except ValidationError as error:
        raise InvalidRequest(in_words(error.messages)) from None
    return cast("dict[str, Any]", loaded)


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _guarded(response: Response) -> Response:
    """After every request: security headers, and `no-store` but for static files."""
    response.headers.update(auth.HEADERS)
    static = request.endpoint == "console.static"
    response.headers["Cache-Control"] = "no-cache" if static else "no-store"
    return response


def _failed(error: CobrowseError) -> Response:
    if isinstance(error, InternalError):
        log.error("internal error", exc_info=error.__cause__ or error)
    else:
        log.warning("console request refused", error=error.code, message=error.message, path=request.path)
    return _refused(status_of(error), error.message, hint_of(error))


def _unknown(status: int) -> Response:
    log.warning("console sign-in refused", path=request.path)
    return _refused(status, "The console requires its password.", "Sign in with CONSOLE_PASSWORD and any user name.")


def _refused(status: int, message: str, hint: str) -> Response:
    title = _TITLES.get(status, "Request failed")
    page = render_template(
        "console/refused.html", title=title, message=message, hint=hint, correlation_id=g.correlation_id
    )
    return make_response(page, status)
