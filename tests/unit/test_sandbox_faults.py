"""Fault specifications: what is taken, how a refusal is worded, and which fault strikes which call."""

import pytest

from sandbox.documents import InvalidDocument
from sandbox.faults import ALWAYS, KINDS, OPERATIONS, Faults, Lag, parse
from sandbox.options import Options, change_options

# The least that each kind can be asked for with.
LEAST = {
    "status": {"status": 503},
    "delay": {"seconds": 0.5},
    "drip": {"seconds": 0.01},
    "redirect": {"location": "https://elsewhere.example/"},
    "huge": {"megabytes": 1},
    "lag": {"reads": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_asked_for_with_its_required_fields_alone(kind):
    operation = "conversation" if kind == "lag" else "create"
    fault = parse({"operation": operation, "kind": kind, **LEAST.get(kind, {})})
    assert (fault.kind, fault.times, fault.when) == (kind, 1, KINDS[kind].fields["when"].load_default)


@pytest.mark.parametrize("operation", [*OPERATIONS, "any"])
def test_every_operation_can_be_struck(operation):
    assert parse({"operation": operation, "kind": "drop"}).operation == operation


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "must be a JSON object"),
        ({"operation": "create"}, "kind: must be one of status, delay, "),
        ({"operation": "create", "kind": "slow"}, "kind: 'slow' is none of status, delay"),
        ({"operation": "create", "kind": ["drop"]}, "kind: "),
        ({"kind": "drop"}, "operation: must be one of token, list, "),
        ({"operation": "verify", "kind": "drop"}, "operation: 'verify' is none of token, list"),
        ({"operation": "create", "kind": "drop", "when": "during"}, "'during' is none of before, after"),
        ({"operation": "create", "kind": "truncate", "when": "before"}, "when: 'before' is none of after"),
        ({"operation": "create", "kind": "drop", "times": 0}, 'times: must be a whole number from 1, or "always"'),
        ({"operation": "create", "kind": "drop", "times": True}, "times: "),
        ({"operation": "create", "kind": "drop", "times": "often"}, "times: "),
        ({"operation": "create", "kind": "drop", "how": "kill"}, "how: 'kill' is none of fin, rst"),
        (
            {"operation": "create", "kind": "drop", "seconds": 1},
            "seconds: unknown field; the fields are operation",
        ),
        ({"operation": "create", "kind": "status"}, "status: must be a whole number from 200 to 599"),
        ({"operation": "create", "kind": "status", "status": 99}, "status: must be a whole number from 200 to 599"),
        ({"operation": "create", "kind": "status", "status": "503"}, "status: must be a whole number from 200 to 599"),
        (
            {"operation": "create", "kind": "status", "status": 429, "retry_after": "a\r\nb"},
            "retry_after: must be text",
        ),
        ({"operation": "create", "kind": "status", "status": 429, "retry_after": -1}, "retry_after: must be a number"),
        ({"operation": "create", "kind": "delay"}, "seconds: must be a number from 0 to 3600"),
        ({"operation": "create", "kind": "delay", "seconds": 3601}, "seconds: must be a number from 0 to 3600"),
        ({"operation": "create", "kind": "delay", "seconds": float("nan")}, "seconds: "),
        ({"operation": "create", "kind": "redirect"}, "location: Missing data for required field."),
        ({"operation": "create", "kind": "redirect", "location": "/", "status": 304}, "status: 304 is none of 301"),
        ({"operation": "create", "kind": "redirect", "location": "/", "status": 302.0}, "status: 302.0 is none of 301"),
        ({"operation": "create", "kind": "huge", "megabytes": 0}, "megabytes: must be a whole number from 1 to 1024"),
        ({"operation": "create", "kind": "lag", "reads": 1}, "operation: 'create' is none of conversation"),
        ({"operation": "conversation", "kind": "lag"}, "reads: lag needs either reads or seconds"),
        ({"operation": "attach", "kind": "lag", "reads": 1, "seconds": 1}, "reads: lag needs either"),
        ({"operation": "token", "kind": "expire_token"}, "when: expire_token on token needs after"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_the_field_and_the_choices(document, words):
    with pytest.raises(InvalidDocument) as refused:
        parse(document)
    assert words in str(refused.value)


@pytest.mark.parametrize("given", [42, 1.5, "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
def test_a_retry_after_is_seconds_or_a_date_or_any_text(given):
    fault = parse({"operation": "any", "kind": "status", "status": 429, "retry_after": given})
    assert fault.parameters["retry_after"] == given


def test_faults_on_one_operation_strike_in_their_order_and_wear_out():
    faults = Faults()
    first = faults.add("create", "drop", times=2)
    second = faults.add("create", "empty")
    assert [faults.take("create") for _ in range(4)] == [first, first, second, None]
    assert [one.fired for one in faults.all()] == [2, 1]


def test_a_fault_strikes_only_its_operation_and_any_strikes_all():
    faults = Faults()
    narrow = faults.add("create", "drop", times=ALWAYS)
    broad = faults.add("any", "delay", seconds=1, times=ALWAYS)
    assert faults.take("create") is narrow
    assert faults.take("token") is broad


def test_a_fault_for_always_does_not_wear_out():
    faults = Faults()
    armed = faults.add("token", "drop", times=ALWAYS)
    assert all(faults.take("token") is armed for _ in range(100))
    assert armed.document()["left"] == ALWAYS
    assert armed.fired == 100


def test_a_fault_given_back_strikes_the_next_call():
    faults = Faults()
    armed = faults.add("attach", "drop", when="after")
    faults.give_back(faults.take("attach"))
    assert armed.fired == 0
    assert faults.take("attach") is armed


def test_a_lag_waits_beside_the_queue():
    faults = Faults()
    faults.add("conversation", "lag", reads=3)
    armed = faults.add("attach", "drop", when="after")
    assert faults.take("attach") is armed
    assert faults.take("conversation") is None
    assert faults.next_visibility_delay("attach") == Lag(reads=3)
    assert faults.next_visibility_delay("attach") == Lag()


def test_a_lag_of_one_flow_leaves_the_other_alone():
    faults = Faults()
    faults.add("cobrowse", "lag", seconds=2)
    assert faults.next_visibility_delay("attach") == Lag()
    assert faults.next_visibility_delay("cobrowse") == Lag(seconds=2.0)


def test_an_expiring_token_on_any_operation_spares_the_login_which_presents_none():
    faults = Faults()
    armed = faults.add("any", "expire_token")
    assert faults.take("token") is None
    assert faults.take("create") is armed


def test_after_clear_nothing_strikes():
    faults = Faults()
    faults.add("any", "drop", times=ALWAYS)
    faults.clear()
    assert faults.take("create") is None
    assert faults.all() == []


def test_settings_are_read_strictly():
    options = change_options(Options(), {"autoCreate": True, "rateLimit": None, "expiresIn": 60, "api": "native"})
    assert (options.auto_create, options.rate_limit, options.expires_in, options.api) == (True, None, 60, "native")
    for document, words in (
        ({"autoCreate": "maybe"}, "autoCreate: Not a valid boolean."),
        ({"rateLimit": 0}, "rateLimit: must be a whole number from 1 to 1000000"),
        ({"api": "new"}, "api: 'new' is none of both, media, native"),
        ({"grants": "all"}, "grants: Not a valid list."),
        ({"auto_create": True}, "auto_create: unknown field; the fields are api, grants"),
        ({}, "give at least one of api"),
    ):
        with pytest.raises(InvalidDocument) as refused:
            change_options(Options(), document)
        assert words in str(refused.value)
