"""A slice of `make faults`, and that the matrix itself has every call, every fault and every kind in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from cobrowse.errors import GenesysError, error_types_by_code
from integrations.genesys import operations
from sandbox import faults
from sandbox.faults import KINDS as FAULTS
from tests.clocks import HANGS
from tests.conftest import leaks
from tests.robustness.failure_modes import WAYS
from tests.robustness.matrix import ALWAYS, ROLES, TIMES, Cell, cells, some
from tests.robustness.rules import GOOD, KINDS
from tests.robustness.stage import Stage
from web.error_responses import status_of

ROOT = Path(__file__).parents[2]
ROLE = {role.name: role for role in ROLES}
WAY = {way.name: way for way in WAYS}
EVERY = list(cells())
# Calls that no start stands on: integration/test_faults_beside_a_start.py and test_login.py have their failures.
BESIDE_A_START = {"disconnect", "attributes", "user_token", "me"}


def test_every_upstream_call_is_a_role():
    ours = {one.name for one in vars(operations).values() if isinstance(one, operations.Operation)}
    assert {role.operation for role in ROLES} == ours - BESIDE_A_START
    assert ours <= set(faults.OPERATIONS)


def test_every_fault_of_the_sandbox_is_a_way():
    assert {way.fault["kind"] for way in WAYS if way.fault} == set(FAULTS) - {"lag"}


BOTH = ("before", "after")
# What an upstream can do to a call, whatever the table of ways is made of.
LISTED = [
    *({"kind": "drop", "how": how, "when": when} for how in ("rst", "fin") for when in BOTH),
    *({"kind": "delay", "when": when} for when in BOTH),
    {"kind": "drip", "part": "all"},
    *({"kind": "echo", "when": when} for when in BOTH),
    *({"kind": kind} for kind in ("drip", "truncate", "wrong_type", "expire_token")),
    *({"kind": kind} for kind in ("wrong_json", "not_json", "empty", "huge")),
    *({"kind": "redirect", "status": status, "when": when} for status in (301, 302, 303, 307, 308) for when in BOTH),
    *({"kind": "status", "status": status} for status in (400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504)),
    *({"kind": "status", "status": status, "when": "after"} for status in (408, 409, 500, 502, 503, 504)),
    *({"kind": "status", "status": status, "retry_after": "42"} for status in (429, 500, 502, 503, 504)),
    *(
        {"kind": "status", "status": 429, "retry_after": says}
        for says in ("0", "1", "-5", "99999999999", "nan", "soon")
    ),
    *({"kind": "status", "status": 503, "retry_after": says} for says in ("1", "-5", "99999999999", "soon")),
]


@pytest.mark.parametrize("fault", LISTED, ids=lambda fault: " ".join(map(str, fault.values())))
def test_every_fault_that_an_upstream_can_do_is_a_way(fault):
    assert any(fault.items() <= way.fault.items() for way in WAYS)


def test_so_are_a_closed_port_bad_tls_a_body_without_end_and_dates_to_wait_for():
    assert {way.detour for way in WAYS} == {"", "closed", "untrusted", "plain", "hangs up", "silent", "endless"}
    dates = {(way.fault["status"], way.date > 0) for way in WAYS if way.date is not None}
    assert dates >= {(429, True), (429, False), (503, True)}


def test_every_role_meets_every_way_once_twice_and_always_in_each_of_its_flows():
    # The token's own calls present no token that could have expired, and a call that invites meets no untrue success.
    left_out = {role: (role.operation == "token") + (role.rule == "invite") for role in ROLES}
    pairs = sum(len(role.flows) * (len(WAYS) - left_out[role]) for role in ROLES)
    assert len(EVERY) == len({str(cell) for cell in EVERY}) == pairs * len(TIMES)


def test_nothing_in_it_is_unknown():
    known = GOOD | set(KINDS)
    assert [str(cell) for cell in EVERY if not cell.allowed or not cell.allowed <= known] == []


def test_every_kind_of_genesyss_failures_is_met_and_promised_as_the_service_says():
    of_genesys = {code for code, kind in error_types_by_code().items() if issubclass(kind, GenesysError)}
    # A user's token is demanded by what the answer says, whatever its status: no way of failing is that.
    assert of_genesys - {"user_token_required", "service_user_login_required"} <= {
        code for cell in EVERY for code in cell.allowed
    }
    assert {
        code: (status_of(kind), kind.retryable) for code, kind in error_types_by_code().items() if code in KINDS
    } == {code: promise[:2] for code, promise in KINDS.items()}


def test_the_slice_meets_every_way():
    assert {cell.way.name for cell in some()} == set(WAY)
    assert {cell.role for cell in some()} == set(ROLES)


def test_the_slice_comes_out_as_the_rules_say():
    # In processes of its own: it counts the threads and files that are left over.
    ended = subprocess.run(
        [sys.executable, "-m", "tests.robustness.faults", "--quick", "--slack", str(HANGS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=4 * HANGS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "unknown" not in ended.stdout
    assert leaks(ended.stdout + ended.stderr) == []


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    made = Stage(tmp_path_factory.mktemp("stage"), slack=HANGS)
    yield made
    made.close()


# What the matrix has found.
FOUND = [
    # A 303 says that it is done and shown elsewhere: the repeat invited the customer again.
    ("media", "attach", "303 to another host after the effect", ALWAYS),
    ("native", "cobrowse", "303 to another host after the effect", 1),
    # A gateway's 413 for the look made a lost answer a final "conversation_not_found"; the customer was invited.
    ("media", "look (was done)", "413", 1),
    # A conflict may stand for our own session: with no look to be had, the repeat invited the customer again.
    ("media", "look (conflict)", "503", ALWAYS),
    ("native", "look (conflict)", "503", ALWAYS),
    ("native", "check", "409", 1),
    # The operator was sent to look for a missing permission, or read that nobody is chatting.
    ("media", "token", "404", ALWAYS),
    ("media", "list", "400", ALWAYS),
]


@pytest.mark.parametrize(("flow", "role", "way", "times"), FOUND)
def test_what_it_has_found_stays_fixed(stage, flow, role, way, times):
    assert stage.play(Cell(flow, ROLE[role], WAY[way], times)).wrong == ()
