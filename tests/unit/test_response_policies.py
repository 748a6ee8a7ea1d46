"""The response each sender gets: its own response policy, and on which statuses it redelivers."""

import pytest
from defusedxml.ElementTree import fromstring

from cobrowse.errors import error_types_by_code
from integrations.senders.response_policies import RESPONSE_POLICIES, acknowledgement, batch_status, status_for
from tests.unit.rows import GOOD, load
from web.error_responses import ERROR_RESPONSES


def test_a_rows_habit_is_named_or_its_envelopes_or_its_schemes():
    assert load(GOOD).get("one").response_policy.name == "github"
    assert load(GOOD.replace("custom", "eventbridge")).get("one").response_policy.name == "eventbridge"
    assert load(GOOD + "response_policy = 'shopify'").get("one").response_policy.name == "shopify"
    assert load(GOOD.replace("github", "bearer")).get("one").response_policy.name == "default"


@pytest.mark.parametrize("response_policy", RESPONSE_POLICIES.values(), ids=RESPONSE_POLICIES)
def test_a_default_deadline_stays_under_the_senders_own_timeout(response_policy):
    assert response_policy.default_deadline < response_policy.timeout_seconds


@pytest.mark.parametrize(
    ("name", "timeout"),
    [("eventbridge", 5), ("hubspot", 5), ("shopify", 5), ("zendesk", 10), ("salesforce-flow", 10), ("github", 10)],
)
def test_the_timeouts_are_the_vendors(name, timeout):
    assert RESPONSE_POLICIES[name].timeout_seconds == timeout


# On which statuses each sends again, told of apart from the table: what a final failure must never be told.
RESENDS = {
    "default": {408, 429, *range(500, 600)},
    "eventbridge": {401, 407, 409, 429, *range(500, 600)},
    "genesys-notification": {429, *range(500, 600)},
    "open-messaging": {429, *range(500, 600)},
    "hubspot": {*range(400, 600)},
    "hubspot-workflow": {429, *range(500, 600)},
    "zendesk": {409, 429, 503},
    "salesforce-flow": set(),
    "salesforce-outbound-message": {*range(201, 600)},
    "dataverse": {502, 503, 504},
    "servicenow": {429, *range(500, 600)},
    "shopify": {*range(300, 600)},
    "github": set(),
    "standard-webhooks": {*range(300, 600)},
    "front": set(),
    "intercom": {*range(300, 600)},
    "zoom": {*range(500, 600)},
    "slack": set(),
    "teams": set(),
    "twilio": set(),
    "event-grid": {*range(300, 600)} - {400, 401, 413},
    "sns": {429, *range(500, 600)},
    "zoho-desk": {429, *range(500, 600)},
}


def test_every_habit_is_held_to_what_is_known_of_it():
    assert set(RESENDS) == set(RESPONSE_POLICIES) - {"as-is"}


@pytest.mark.parametrize("name", RESENDS)
def test_a_failure_is_redelivered_exactly_if_that_can_help(name):
    for code, kind in error_types_by_code().items():
        told = status_for(RESPONSE_POLICIES[name], ERROR_RESPONSES[code].status, kind.retryable)
        if not kind.retryable:
            assert told not in RESENDS[name], code
            assert told == 200 or 400 <= told < 500, code
        elif RESPONSE_POLICIES[name].format_message is not None:
            assert told == 200, code
        elif not RESPONSE_POLICIES[name].expects_soap_ack:
            assert told in (409, 429, 503, 504), code
            assert told in RESENDS[name] or not RESENDS[name], code


@pytest.mark.parametrize(
    ("name", "status", "retryable", "told"),
    [
        ("eventbridge", 400, False, 400),
        ("eventbridge", 409, False, 422),
        ("eventbridge", 502, False, 422),
        ("eventbridge", 415, False, 422),
        ("eventbridge", 504, True, 503),
        ("hubspot", 422, False, 200),
        ("hubspot", 503, True, 503),
        ("hubspot", 409, True, 503),
        ("dataverse", 409, True, 503),
        ("dataverse", 502, True, 503),
        ("dataverse", 404, False, 404),
        ("zendesk", 409, False, 422),
        ("zendesk", 409, True, 409),
        ("zendesk", 502, True, 503),
        ("zendesk", 503, True, 503),
        ("zendesk", 504, True, 503),
        ("zendesk", 429, True, 503),
        ("genesys-notification", 504, True, 503),
        ("shopify", 413, False, 200),
        ("shopify", 429, True, 503),
        ("default", 409, False, 409),
        ("default", 502, False, 422),
        ("default", 429, True, 429),
        ("as-is", 409, True, 409),
        ("as-is", 502, False, 502),
        ("salesforce-outbound-message", 503, True, 200),
    ],
)
def test_the_status_for_a_failure(name, status, retryable, told):
    assert status_for(RESPONSE_POLICIES[name], status, retryable) == told


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([None, None], 200),
        ([None, (503, True)], 503),
        ([None, (422, False), (409, True)], 503),
        ([None, None, (422, False)], 200),
        ([None, (422, False)], 200),
        ([(422, False), (422, False)], 200),
        ([(422, False), (503, True)], 503),
        ([(504, True)], 504),
        ([], 200),
    ],
)
def test_a_batch_is_redelivered_exactly_if_that_can_fix_any_of_it(failures, told):
    assert batch_status(RESPONSE_POLICIES["hubspot"], failures) == told


@pytest.mark.parametrize(("taken", "text"), [(True, "true"), (False, "false")])
def test_salesforce_gets_the_ack_it_asks_for(taken, text):
    root = fromstring(acknowledgement(accepted=taken))
    assert root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"
    assert root.find(".//{http://soap.sforce.com/2005/09/outbound}notificationsResponse/*").text == text
