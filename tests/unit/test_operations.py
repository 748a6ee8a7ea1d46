"""What an answer of Genesys means, status by status."""

from datetime import UTC, datetime

import orjson
import pytest

from cobrowse.errors import (
    GenesysBadResponse,
    GenesysForbidden,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnauthorized,
    GenesysUnavailable,
)
from integrations.genesys.operations import (
    ATTACH,
    COBROWSE,
    CONVERSATION,
    CREATE,
    TOKEN,
    UpstreamRejected,
    parse_response,
)
from integrations.genesys.waits import retry_after

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


class FixedClock:
    def now(self):
        return NOW


def reading(operation, status, body=b"", headers=None):
    return parse_response(operation, status, headers or {}, body, FixedClock())


def test_a_good_answer_is_loaded_and_what_genesys_added_is_left_out():
    body = orjson.dumps({"id": "s-1", "joinUrl": "https://j", "viewerUrl": None, "somethingNew": {"a": 1}})
    assert reading(CREATE, 201, body) == {"id": "s-1", "joinUrl": "https://j", "viewerUrl": ""}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, GenesysUnauthorized),
        (403, GenesysForbidden),
        (429, GenesysRateLimited),
        (408, GenesysTimeout),
        (504, GenesysTimeout),
        (500, GenesysUnavailable),
        (502, GenesysUnavailable),
        (503, GenesysUnavailable),
        (302, GenesysBadResponse),
        (400, UpstreamRejected),
        (404, UpstreamRejected),
        (409, UpstreamRejected),
        (413, UpstreamRejected),
    ],
)
def test_each_bad_status_is_its_kind(status, kind):
    with pytest.raises(kind):
        reading(CONVERSATION, status)


def test_genesys_own_message_code_and_context_id_are_carried_on():
    body = orjson.dumps({"message": "Not here", "code": "not.found", "contextId": "ctx-7", "status": 404})
    with pytest.raises(UpstreamRejected) as refused:
        reading(CONVERSATION, 404, body)
    assert refused.value.message == "conversation: Genesys answered 404 not.found: Not here (contextId ctx-7)"


def test_a_long_message_is_cut_and_put_on_one_line():
    body = orjson.dumps({"message": "a\nb " * 500, "code": "x"})
    with pytest.raises(UpstreamRejected) as refused:
        reading(CONVERSATION, 400, body)
    assert len(refused.value.message) < 450
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_server_that_gave_up_may_have_attached_but_a_read_harms_nobody(status):
    with pytest.raises((GenesysTimeout, GenesysUnavailable)) as lost:
        reading(ATTACH, status)
    assert lost.value.ambiguous
    with pytest.raises((GenesysTimeout, GenesysUnavailable)) as known:
        reading(CONVERSATION, status)
    assert not known.value.ambiguous


# What a call that may not be repeated answers with 2xx is a success, whatever its body; the rest stays unknown.
UNREADABLE = [
    b"",
    b"<html>",
    b"[]",
    b"7",
    b'{"id": ""}',
    b'{"no": "id"}',
    b'{"id": "a"',
    b"\xff",
    b"null",
    b'{"id": {}}',
]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("operation", [CREATE, ATTACH, COBROWSE], ids=["create", "attach", "cobrowse"])
def test_a_success_that_cannot_be_read_is_one_all_the_same(operation, body, status):
    assert set(reading(operation, status, body).values()) == {""}


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_may_be_retried_must_be_readable(body):
    with pytest.raises(GenesysBadResponse):
        reading(TOKEN, 200, body)


@pytest.mark.parametrize(
    ("body", "name", "code"),
    [
        ({"id": "s", "joinCode": 849201}, "s", "849201"),
        ({"id": 7, "joinCode": 1.5}, "7", "1.5"),
        ({"id": "s", "joinCode": None, "dateOfferEnds": None, "new": [1]}, "s", ""),
        ({"id": "s", "joinCode": ["a"], "dateOfferEnds": {"x": 1}}, "s", ""),
        ({"id": "s", "joinCode": True}, "s", ""),
    ],
)
def test_numbers_and_nulls_and_other_types_are_read_leniently(body, name, code):
    loaded = reading(COBROWSE, 200, orjson.dumps(body))
    assert (loaded["id"], loaded["joinCode"]) == (name, code)


def test_a_refused_client_is_distinguished_from_refused_scopes():
    with pytest.raises(GenesysUnauthorized):
        reading(TOKEN, 400, b'{"error": "invalid_client"}')
    with pytest.raises(GenesysForbidden):
        reading(TOKEN, 400, b'{"error": "invalid_scope"}')


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("42", 42.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-5", None),
        ("Wed, 25 Nov 2026 09:00:30 GMT", 30.0),
        ("Wed, 25 Nov 2026 08:00:00 GMT", 0.0),
        ("999999999999", 86_400.0),
        ("inf", 86_400.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 99 Nov 2026", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_nonsense_is_no_wait(header, seconds):
    assert retry_after(header, FixedClock()) == seconds


def test_a_retry_after_is_handed_on_with_the_error():
    with pytest.raises(GenesysRateLimited) as limited:
        reading(CREATE, 429, headers={"retry-after": "42"})
    assert limited.value.retry_after == 42
