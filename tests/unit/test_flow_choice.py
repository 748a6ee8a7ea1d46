"""Which flow starts a session: the one that is set, or the first of the table that the org has."""

from functools import partial
from types import SimpleNamespace

import httpx
import pytest

from cobrowse.errors import CobrowseNotSupported, GenesysForbidden
from cobrowse.flow import Attempt, Step
from cobrowse.ledger import Checkpoint
from cobrowse.model import Command
from diagnostics.connectivity import ConnectivityProbe
from diagnostics.context import DiagnosticContext
from diagnostics.genesys_checks import GenesysChecks
from diagnostics.user_checks import tokens
from integrations.genesys.flows import FLOWS, MODES, FlowRow, unavailable_hint
from integrations.genesys.grants import AUTO
from integrations.genesys.operations import Operation
from integrations.genesys.transport import CurlTransport
from integrations.observability.metrics import Metrics
from sandbox.options import APIS
from schemas.genesys import CobrowseSessionSchema
from settings import Settings, SettingsError, load_settings
from tests.clocks import ManualClock
from tests.unit.org import CREATE, LOOK, POST, TOKEN, C, Org, connected, conversation, page, refused, start


def by_scope(answer):
    """The login host of an org where the media flow's scopes are refused."""
    return lambda request: answer if b"scope=" in request.read() else httpx.Response(200, json={"access_token": "t"})


NO_SCOPE = httpx.Response(400, json={"error": "invalid_scope", "error_description": "invalid scope requested"})


@pytest.mark.parametrize("reuse_live_session", [False, True])
def test_auto_turns_native_where_the_media_flows_scopes_are_refused(reuse_live_session):
    org = Org(TOKEN=by_scope(NO_SCOPE))
    outcome = start(org, "auto", reuse_live_session=reuse_live_session)
    assert (outcome.failure, outcome.flow, org.calls.count(POST)) == (None, "native", 1)
    assert CREATE not in org.calls


@pytest.mark.parametrize("code", ["not.authorized", "missing.permissions", "missing.any.permissions", ""])
def test_auto_turns_native_where_create_is_forbidden(code):
    org = Org(CREATE=refused(403, code, "x"))
    outcome = start(org, "auto")
    assert (outcome.failure, outcome.flow, org.calls.count(CREATE)) == (None, "native", 1)


@pytest.mark.parametrize("answer", [page(403), refused(401, "ip.not.authorized"), refused(400, "bad.request")])
def test_auto_stays_with_media_where_the_refusal_is_about_something_else(answer):
    org = Org(CREATE=answer)
    assert start(org, "auto").failure is not None
    assert POST not in org.calls


def test_media_alone_does_not_turn():
    assert start(Org(TOKEN=by_scope(NO_SCOPE)), "media").failure.code == "genesys_forbidden"


def test_a_token_for_readiness_turns_auto_as_an_initiation_does():
    flows, clock = connected(Org(TOKEN=by_scope(NO_SCOPE)), "auto")
    flows.authorize(Attempt(Command("readyz", "c", 2.0), "readyz", "h", clock))
    assert flows.flow().name == "native"


# A third flow, as somebody would add it: one row, and one call.
INVITE = Operation("invite", "POST", "/api/v2/hosted/{conversation_id}", CobrowseSessionSchema(), repeatable=False)


def invite(calls, attempt):
    conversation_id = attempt.command.conversation_id
    started = calls.client.call(attempt, INVITE, calls.scope(attempt), conversation_id=conversation_id)
    return {"cobrowse_session_id": started["id"]}


HOSTED = FlowRow(
    "hosted",
    lambda calls: (
        Step("token", calls.token),
        Step("invite", partial(invite, calls), calls.find_session, has_side_effect=True, notifies_customer=True),
        Step("verify", calls.verify),
    ),
    INVITE,
    scopes={None: "hosted:start"},
)


def test_a_third_flow_is_a_row_that_starts_sessions_and_is_counted():
    org = Org(LOOK=httpx.Response(200, json=conversation(sessions=[{"id": "m", "cobrowseSessionId": "s-3"}])))
    org.answers[f"/api/v2/hosted/{C}"] = httpx.Response(200, json={"id": "s-3"})
    metrics = Metrics(["architect"])
    outcome = start(org, "hosted", rows=(*FLOWS, HOSTED), observers=(metrics,))
    assert (outcome.failure, outcome.flow, outcome.status) == (None, "hosted", "initiated")
    assert org.calls == [TOKEN, f"/api/v2/hosted/{C}", LOOK]
    counted = metrics.exposition()[0].decode()
    assert 'cobrowse_initiations_total{flow="hosted",outcome="initiated",sender="architect"} 1.0' in counted


def test_a_third_flows_session_that_can_not_be_ended_is_named_after_its_flow():
    seen = conversation(sessions=[{"id": "m", "cobrowseSessionId": "s-3", "state": "connected"}])
    flows, clock = connected(Org(LOOK=httpx.Response(200, json=seen)), "hosted", rows=(*FLOWS, HOSTED))
    attempt = Attempt(Command("architect", "corr", 10.0, conversation_id=C), "i", "h", clock)
    with pytest.raises(CobrowseNotSupported, match="a session of the hosted flow is live"):
        flows.find_live(attempt)


def test_auto_tries_the_rows_in_their_order_until_the_org_has_one():
    org = Org(TOKEN=by_scope(NO_SCOPE))
    outcome = start(org, "auto", rows=(HOSTED, *FLOWS))
    assert (outcome.failure, outcome.flow) == (None, "native")
    assert org.calls.count(TOKEN) == 3


@pytest.mark.parametrize(
    ("row", "name"),
    [(FLOWS[0], "attach"), (FLOWS[1], "cobrowse"), (HOSTED, "invite")],
    ids=["media", "native", "third"],
)
def test_the_doctor_tries_the_invitation_of_the_flow_also_of_a_third(row, name):
    tried = []
    grants = SimpleNamespace(mode=AUTO, user=object(), demanded=tuple)
    client = SimpleNamespace(call=lambda _attempt, operation, *_, **__: tried.append(operation.name))
    org = SimpleNamespace(grants=grants, row=row, client=client, attempt=lambda: None)
    (check,) = tokens(SimpleNamespace(new_id=lambda: "id"), org)
    assert (tried, check.ok) == ([name], True)


def test_the_doctor_says_what_it_can_of_a_third_flow():
    context = DiagnosticContext(
        Settings(cobrowse_flow="hosted"), {}, ManualClock(), lambda: "id", ConnectivityProbe(), CurlTransport()
    )
    org = GenesysChecks(context, rows=(FlowRow("hosted", HOSTED.steps, INVITE), *FLOWS))
    said = [check.found for check in (*org.scopes(), *org.flow())]
    org.close()
    assert said[0] == "the hosted flow requests none: the client's roles decide"
    assert said[1].startswith("hosted: as COBROWSE_FLOW says")


def test_a_flow_that_is_set_and_lacking_names_all_the_others():
    assert unavailable_hint(FLOWS[0], (*FLOWS, HOSTED)) == (
        "This org has no /api/v2/cobrowse/sessions; set COBROWSE_FLOW=native or hosted or auto."
    )
    assert unavailable_hint(HOSTED, (*FLOWS, HOSTED)) == ""


def test_the_sandbox_has_each_flow():
    assert set(APIS) == {"both", *(row.name for row in FLOWS)}


def test_the_setting_takes_the_rows_names_and_no_other():
    assert MODES == ("auto", "media", "native")
    for mode in MODES:
        assert settings_of(COBROWSE_FLOW=mode).cobrowse_flow == mode
    with pytest.raises(SettingsError, match="COBROWSE_FLOW: Must be one of auto, media, native"):
        settings_of(COBROWSE_FLOW="hosted")


def settings_of(**environ):
    known = {"GENESYS_CLIENT_ID": "id", "GENESYS_CLIENT_SECRET": "secret", "API_KEYS": "flow:0123456789abcdef"}
    return load_settings(known | environ)


@pytest.mark.parametrize("begun", [{"completed_steps": ("create",)}, {"pending_step": "create"}])
def test_an_attempt_that_has_begun_a_flow_stays_with_it_though_its_scopes_are_refused(begun):
    flows, clock = connected(Org(TOKEN=by_scope(NO_SCOPE)), "auto")
    attempt = Attempt(Command("architect", "corr", 10.0, conversation_id=C), "i", "h", clock)
    attempt.checkpoint = Checkpoint("media", **begun)
    with pytest.raises(GenesysForbidden):
        flows.flow("media").steps[0].run(attempt)
    assert flows.flow().name == "media"
