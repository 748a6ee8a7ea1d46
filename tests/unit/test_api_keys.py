"""The service's own API keys: whose a key is, and what the start says of those that are no good."""

import base64

import pytest

from cobrowse.errors import NotAuthenticated
from integrations.senders.auth.credentials import ApiKeys

KEYS = ApiKeys.parse("flow:0123456789abcdef, flow:fedcba9876543210 postman:schlüssel-0123456")


@pytest.mark.parametrize(
    ("key", "name"), [("0123456789abcdef", "flow"), ("fedcba9876543210", "flow"), ("schlüssel-0123456", "postman")]
)
def test_a_caller_is_known_by_its_key_in_either_place(key, name):
    as_sent = key.encode().decode("latin-1")
    basic = base64.b64encode(f"any-name:{key}".encode()).decode()
    assert KEYS.identify({"x-api-key": as_sent}) == name
    assert KEYS.identify({"authorization": f"basic {basic}"}) == name
    assert KEYS.identify({"authorization": f"Basic  {basic} "}) == name
    assert KEYS.identify({"x-api-key": "", "authorization": f"Basic {basic}"}) == name


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "0123456789abcdeX"},
        {"x-api-key": "0123456789abcde"},
        {"x-api-key": "0123456789abcdef "},
        {"x-api-key": "flow:0123456789abcdef"},
        {"x-api-key": "é\ud800日"},
        {"x-api-key": "wrong", "authorization": "Basic eDowMTIzNDU2Nzg5YWJjZGVm"},
        {"authorization": "Basic eDp3cm9uZw=="},
    ],
)
def test_a_key_that_is_not_one_of_ours_is_refused(headers):
    with pytest.raises(NotAuthenticated, match=r"^the API key is not one of the service's$") as error:
        KEYS.identify(headers)
    assert not any(value in error.value.message for value in headers.values())


@pytest.mark.parametrize("sent", ["${credentials.apiKey}", "NOT_SET", "a-secret-${input.key}"])
def test_a_credential_that_was_not_filled_in_is_named_and_nothing_of_it_shown(sent):
    with pytest.raises(NotAuthenticated) as error:
        KEYS.identify({"x-api-key": sent})
    assert error.value.message == "X-Api-Key: the sender did not fill in its variable"
    assert error.value.hint == "Set the credential's field of that name in the integration that sends the request."


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic é",
        "Basic =",
        "Basic ////",
        "Basic eA==",
        "Bearer 0123456789abcdef",
        "\ud800",
    ],
)
def test_a_request_without_a_key_is_reported(header):
    with pytest.raises(NotAuthenticated, match=r"^no API key came with the request$"):
        KEYS.identify({} if header is None else {"authorization": header})


def test_a_key_may_have_colons():
    assert ApiKeys.parse("flow:01234567:89abcdef").identify({"x-api-key": "01234567:89abcdef"}) == "flow"


def test_no_keys_let_nobody_in():
    for keys in (ApiKeys(), ApiKeys.parse("")):
        for headers in ({}, {"x-api-key": ""}, {"x-api-key": "0123456789abcdef"}, {"authorization": "Basic Og=="}):
            with pytest.raises(NotAuthenticated):
                keys.identify(headers)


def test_every_fault_of_the_keys_is_named_and_no_key_shown():
    with pytest.raises(ValueError, match=r"^API_KEYS: ") as error:
        ApiKeys.parse("justakey1234567890,:nameless-1234567890,short:abc,a:0123456789abcdef,b:0123456789abcdef")
    assert str(error.value).splitlines() == [
        "API_KEYS: pair 1: has no colon; write it as name:key",
        "API_KEYS: pair 2: has no name before the colon",
        "API_KEYS: pair 3 (short): the key is under 16 bytes",
        "API_KEYS: pair 5 (b): the key is the same as an earlier pair's",
    ]
    assert "0123456789" not in str(error.value) + repr(KEYS)
