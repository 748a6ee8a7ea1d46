"""GET /console: the newest initiations as they come, each with its steps and its answer; retry one, end one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import structlog
from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cobrowse.clock import Clock
from cobrowse.ending import build_end_command, can_end
from cobrowse.errors import CobrowseError, UnknownPath
from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Command, Outcome, Secret
from console import auth, callbacks, view_model
from console.access import Access
from console.curl import first_request
from console.figures import HOUR, Figure, figures
from console.rendering import add_security_headers, on_error, page_or_part
from console.sign_in import NamedUsers, OnePassword, SignIn, Throttle
from console.sign_in_routes import SIGN_IN, SIGN_OUT, ProviderRoutes, SignInRoutes
from console.single_sign_on import SingleSignOn
from integrations.genesys.budget import BudgetState
from integrations.ledger import LedgerStore
from integrations.ledger.listings import MAX_SAMPLES
from integrations.senders.activity import IgnoredEvent, SenderActivity
from schemas.console import RANGES, ListQuerySchema, Range
from schemas.console_users import ConsoleUser
from schemas.texts import label_in
from schemas.validation_errors import load
from web.error_responses import hint_of

log = structlog.stdlib.get_logger()

# The sender in the ledger of requests made here.
SENDER = "console"
# Rows of a page: more than a screen, and few enough to send again every few seconds.
PAGE = 50
ROWS = 200
# Seconds for which the strip of figures is cached.
FIGURES_SECONDS = 5.0

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_QUERY = ListQuerySchema()


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What the pages say of the service: its version, the label of its environment, where Genesys's pages are.

    `apps_url` is the root of Genesys's user interface; "" on a sandbox, which has none.
    """

    version: str = ""
    label: str = ""
    apps_url: str = ""


# Not slots: cached properties are stored beside the fields.
@dataclass(frozen=True)
class Console:
    """The console's configuration. `deadline_seconds`: how long an operator waits for a manual retry.

    `retry` makes a new attempt on a failed initiation's own row; its arguments are the record, seconds, correlation id.

    Without a `password`, `users` and `sso` it answers this machine alone: only on a sandbox. `key` signs cookies and
    forms and must be the same in every worker. `open_circuits`: the operations of Genesys's whose calls are refused
    just now; `budgets`: the call budgets that Genesys last reported to this worker.
    """

    records: LedgerStore
    retry: Callable[[InitiationRecord, float, str], Outcome]
    end: Callable[[Command], Outcome]
    clock: Clock
    deadline_seconds: float
    key: Secret
    password: Secret = Secret()
    users: Sequence[ConsoleUser] = ()
    sso: SingleSignOn | None = None
    public_url: str = ""
    about: ServiceInfo = ServiceInfo()
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
        blueprint.get("", strict_slashes=False)(self.list_initiations)
        blueprint.get("/refused")(self.list_refusals)
        blueprint.get("/senders")(self.list_senders)
        blueprint.get("/callbacks")(self.list_callbacks)
        blueprint.get("/initiations/<initiation_id>")(self.show_initiation)
        blueprint.post("/initiations/<initiation_id>/retry")(self.retry_initiation)
        blueprint.post("/initiations/<initiation_id>/end")(self.end_session)
        blueprint.post("/initiations/<initiation_id>/callbacks/<webhook_id>")(self.resend_callback)
        SignInRoutes(self._access).add_routes(blueprint)
        if self.sso is not None:
            ProviderRoutes(self._access, self.sso, Throttle(self.clock)).add_routes(blueprint)
        blueprint.before_request(self._access.admit)
        blueprint.context_processor(self._page_context)
        blueprint.after_request(add_security_headers)
        blueprint.errorhandler(CobrowseError)(on_error)
        return blueprint

    def list_initiations(self) -> AnyResponse:
        """The figures and the newest initiations."""
        return page_or_part("list", self._list_context())

    def list_refusals(self) -> AnyResponse:
        """The requests that were refused before they became initiations, each with cause and remedy."""
        query = load(_QUERY, request.args)
        rows = self.records.refusals.newest(ROWS, sender=query["sender"] or None, search=query["q"] or None)
        senders = view_model.choices(self.senders, query["sender"])
        return page_or_part("refusals", {"refusals": rows, "query": query, "senders": senders})

    def list_senders(self) -> AnyResponse:
        """Each sender's recent deliveries, and which of them were refused."""
        last = self.records.refusals.last_of_senders()
        context = {"activity": self.activity(), "ignored": self.ignored(), "refusals": last, "nothing": (0, None)}
        return page_or_part("senders", context)

    def list_callbacks(self) -> str:
        """The callbacks that are not delivered."""
        found = self.records.callbacks.undelivered(ROWS)
        return render_template("console/callbacks.html", callbacks=callbacks.with_badges(found))

    def show_initiation(self, initiation_id: str) -> AnyResponse:
        """An initiation; its part is for its page, or with `part=row` for its row."""
        entry = self._entry(initiation_id)
        flash = view_model.flash(entry, request.args.get("ran", type=int))
        return page_or_part("initiation", self._detail_context(entry, flash))

    def retry_initiation(self, initiation_id: str) -> AnyResponse:
        """Retry a failed initiation and show the outcome."""
        refusal = self._access.check_form(initiation_id, "Retry")
        if refusal is not None:
            return refusal
        entry = self._entry(initiation_id)
        if not view_model.can_retry(entry):
            return redirect(url_for("console.show_initiation", initiation_id=entry.id), 303)
        log.info(
            "retried from the console",
            initiation_id=entry.id,
            requested_by=g.person.name,
            conversation_id=entry.command.conversation_id,
            client=request.remote_addr or "",
        )
        outcome = self.retry(entry, self.deadline_seconds, g.correlation_id)
        entry = self._entry(initiation_id)
        if outcome.failure is not None and entry.outcome != outcome:
            # The row does not show this: another attempt is running, or the ledger became unreachable.
            return make_response(self._page(entry, f"{outcome.failure.message}. {hint_of(outcome.failure)}"), 503)
        return redirect(url_for("console.show_initiation", initiation_id=entry.id, ran=entry.attempts), 303)

    def end_session(self, initiation_id: str) -> AnyResponse:
        """End an initiation's session and show the request that did."""
        refusal = self._access.check_form(_end_of(initiation_id), "End session")
        if refusal is not None:
            return refusal
        entry = self._entry(initiation_id)
        if not can_end(entry):
            return redirect(url_for("console.show_initiation", initiation_id=entry.id), 303)
        requested_by = label_in(g.person.name) if self._access.requires_sign_in else ""
        command = build_end_command(entry, SENDER, requested_by, self.deadline_seconds, g.correlation_id)
        outcome = self.end(command)
        log.info(
            "session ended from the console",
            initiation_id=entry.id,
            requested_by=requested_by,
            status=outcome.status.value,
            conversation_id=command.conversation_id,
            client=request.remote_addr or "",
        )
        if self.records.read(outcome.initiation_id) is None:
            failure = outcome.failure
            message = f"{failure.message}. {hint_of(failure)}" if failure is not None else ""
            return make_response(self._page(entry, message), 503)
        return redirect(url_for("console.show_initiation", initiation_id=outcome.initiation_id), 303)

    def resend_callback(self, initiation_id: str, webhook_id: str) -> AnyResponse:
        """Let a callback be sent again."""
        refusal = self._access.check_form(callbacks.subject(webhook_id), "Send again")
        return refusal or callbacks.resend_callback(self.records.callbacks, initiation_id, webhook_id)

    def _list_context(self) -> dict[str, Any]:
        query = load(_QUERY, request.args)
        selection: dict[str, Any] = {
            "search": query["q"] or None,
            "state": State(query["state"]) if query["state"] else None,
            "sender": query["sender"] or None,
        }
        within = RANGES.get(query["within"])
        entries = self.records.recent(
            PAGE + 1, before_seq=query["before"], seconds=within.seconds if within else None, **selection
        )
        today = self.clock.now()
        filters = {name: query[name] for name in ("state", "sender", "within", "q") if query[name]}
        more = len(entries) > PAGE
        return {
            "figures": self._cached_figures(int(self.clock.monotonic() / FIGURES_SECONDS), within or HOUR, **selection),
            "figures_of": f"The last {(within or HOUR).words.removeprefix('1 ')}",
            "open_circuits": self.open_circuits(),
            "budgets": self.budgets(),
            "first_request": first_request(request.host_url),
            "rows": [view_model.row(entry, today) for entry in entries[:PAGE]],
            "query": query,
            "filters": filters,
            # An entry of the ledger's own has its place.
            "older": entries[PAGE - 1].seq if more else None,
            "senders": view_model.choices(self.senders, query["sender"]),
            "states": view_model.STATES,
            "ranges": RANGES,
        }

    def _page(self, entry: InitiationRecord, flash: str) -> str:
        return render_template("console/initiation.html", **self._detail_context(entry, flash))

    def _detail_context(self, entry: InitiationRecord, flash: str) -> dict[str, Any]:
        detail = view_model.detail(entry, self.clock.now(), request.host_url, self.about.apps_url)
        can_act, signer = g.person.may_act, self._access.signer
        number = request.args.get("attempt", type=int)
        return {
            "flash": flash,
            "alone": request.args.get("part") != "row",
            "callbacks": callbacks.with_badges(
                self.records.callbacks.for_initiation(entry.id), signer.token if can_act else None
            ),
            "chosen": next((each for each in detail.attempts if each.number == number), detail.latest),
            "detail": detail,
            "token": signer.token(entry.id) if can_act and detail.can_retry else "",
            "end_token": signer.token(_end_of(entry.id)) if can_act and detail.can_end else "",
        }

    def _entry(self, initiation_id: str) -> InitiationRecord:
        entry = self.records.read(initiation_id) if _ID.fullmatch(initiation_id) else None
        if entry is None:
            hint = "It may be older than LEDGER_RETENTION_SECONDS; search the list for its conversation."
            raise UnknownPath("there is no initiation with this id", hint=hint)
        return entry

    @cached_property
    def _access(self) -> Access:
        passwords = NamedUsers(self.users) if self.users else OnePassword(self.password) if self.password else None
        sign_in = SignIn(passwords, self.clock) if passwords is not None else None
        return Access(auth.Signer(self.key), sign_in, self.sso.name if self.sso else "", self.public_url)

    def _page_context(self) -> dict[str, object]:
        """What every page shows: who is signed in where, and what the service is."""
        context: dict[str, object] = {"about": self.about, "person": None}
        if self._access.requires_sign_in:
            person = g.get("person")
            context["person"] = person
            context["form_token"] = self._access.signer.token(SIGN_OUT if person else SIGN_IN)
        return context

    @cached_property
    def _cached_figures(self) -> Callable[..., tuple[Figure, ...]]:
        @lru_cache(maxsize=16)
        def compute_figures(
            _tick: int, within: Range, search: str | None, state: State | None, sender: str | None
        ) -> tuple[Figure, ...]:
            samples = self.records.recent_samples(within.seconds, search=search, state=state, sender=sender)
            return figures(samples, self.clock.now(), within, MAX_SAMPLES)

        return compute_figures


def _end_of(initiation_id: str) -> str:
    """What the token of an end's form is about: no other form's token may end anything."""
    return f"end {initiation_id}"
