"""What each sender is told of a failure, and how often it may send."""

from datetime import timedelta

import pytest
from defusedxml.ElementTree import fromstring

from cobrowse.errors import SenderRateLimited, error_types_by_code
from integrations.senders.rate_limit import RateLimiter, RateStorageError
from integrations.senders.response_policies import RESPONSE_POLICIES, acknowledgement, batch_status, status_for
from tests.payloads import NOW
from tests.unit.test_senders_file import load
from web.error_responses import ERROR_RESPONSES, status_of

SECRET = "0123456789abcdef"
GOOD = 'signature = "github"\nsecrets = ["$S"]\nenvelope = "custom"\n'


# What each sender is told.


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
def test_a_failure_comes_again_exactly_if_that_can_help(name):
    for code, kind in error_types_by_code().items():
        told = status_for(RESPONSE_POLICIES[name], ERROR_RESPONSES[code].status, kind.retryable)
        if not kind.retryable:
            assert told not in RESENDS[name], code
            assert told == 200 or 400 <= told < 500, code
        elif RESPONSE_POLICIES[name].says is not None:
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
def test_a_batch_comes_again_exactly_if_that_can_mend_any_of_it(failures, told):
    assert batch_status(RESPONSE_POLICIES["hubspot"], failures) == told


@pytest.mark.parametrize(("taken", "text"), [(True, "true"), (False, "false")])
def test_salesforce_gets_the_ack_it_asks_for(taken, text):
    root = fromstring(acknowledgement(taken=taken))
    assert root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"
    assert root.find(".//{http://soap.sforce.com/2005/09/outbound}notificationsResponse/*").text == text


# Rates.


class Wall:
    def __init__(self, ahead=0):
        self.ahead = ahead

    def now(self):
        return NOW + timedelta(seconds=self.ahead)


def test_a_sender_over_its_rate_is_told_when_to_come_again():
    rates = RateLimiter()
    sender, other = (
        load(GOOD + "rate_limit = '3/hour'").get("one"),
        load(GOOD + "rate_limit = '3/hour'", "two").get("two"),
    )
    for _ in range(3):
        rates.check(sender)
    with pytest.raises(SenderRateLimited) as error:
        rates.check(sender)
    assert 3_590 <= error.value.retry_after <= 3_600
    assert status_of(error.value) == 429
    rates.check(other)


def test_a_rate_counts_events_and_not_batches():
    rates = RateLimiter()
    sender = load(GOOD + "rate_limit = '10/hour'").get("one")
    rates.check(sender, 6)
    with pytest.raises(SenderRateLimited):
        rates.check(sender, 5)
    rates.check(sender, 4)


def test_a_batch_larger_than_the_whole_rate_passes_when_nothing_else_has_come():
    rates = RateLimiter()
    sender = load(GOOD + "rate_limit = '10/hour'").get("one")
    rates.check(sender)
    rates.check(sender, 99)
    with pytest.raises(SenderRateLimited):
        rates.check(sender)


def test_the_wait_is_never_longer_than_the_rates_own_time():
    """The counters run on the machine's clock; one that is off must not send a caller away for years."""
    rates = RateLimiter("memory://", Wall())
    sender = load(GOOD + "rate_limit = '1/minute'").get("one")
    rates.check(sender)
    with pytest.raises(SenderRateLimited) as error:
        rates.check(sender)
    assert 1 <= error.value.retry_after <= 60


def test_a_sender_without_a_rate_is_never_held_back():
    rates, sender = RateLimiter(), load(GOOD).get("one")
    assert {rates.check(sender) for _ in range(1_000)} == {None}


@pytest.mark.parametrize("url", ["redis://user:hunter2@cache:6379", "nonsense", "", "ftp://user:hunter2@host"])
def test_a_storage_that_cannot_be_used_is_told_without_its_password(url):
    try:
        RateLimiter(url)
    except RateStorageError as error:
        (told,) = error.errors
        assert told.startswith("RATE_LIMIT_STORAGE: ")
        assert "hunter2" not in told
