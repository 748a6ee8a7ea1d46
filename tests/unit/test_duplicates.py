"""A name that decides something comes once: parsers differ in which of two values counts."""

import json

import pytest

from cobrowse.errors import InvalidRequest
from schemas.duplicates import check_duplicate_names

NAMES = ("conversationId", "channel", "latest")


@pytest.mark.parametrize(
    "body",
    [
        '{"conversationId": "a", "conversationId": "b"}',
        '{"conversationId": "a", "conversationId": "a"}',
        '{"conversationId": "a", "conversation\\u0049d": "b"}',
        '{"\\u0063hannel": 1, "chann\\u0065l": 2}',
        '{"latest": false, "other": {}, "latest": true}',
        '[{"latest": 1}, {"latest": 1, "latest": 2}]',
        '{"detail": {"channel": 1, "channel": 2}}',
        '{"latest": 1, "n": ' + "9" * 5000 + ', "latest": 2}',
    ],
)
def test_a_name_that_comes_twice_is_refused(body):
    with pytest.raises(InvalidRequest, match="Comes more than once"):
        check_duplicate_names(body.encode(), NAMES)


@pytest.mark.parametrize(
    "body",
    [
        '{"conversationId": "a", "channel": "b"}',
        '{"other": 1, "other": 2}',
        '[{"latest": 1}, {"latest": 2}]',
        '{"latest": {"latest": 1}}',
        '{"requestedBy": "\\"latest\\" \\"latest\\"", "latest": 1}',
        '{"Latest": 1, "latest": 2}',
        "[]",
        '"latest"',
    ],
)
def test_one_that_does_not_is_not(body):
    twice = body[:-1] + ', "latest": 1, "latest": 1}'
    json.loads(body)
    check_duplicate_names(body.encode(), NAMES)
    if body.startswith('{"'):  # the same with such a name added is
        with pytest.raises(InvalidRequest, match="latest: Comes more than once"):
            check_duplicate_names(twice.encode(), NAMES)


def test_nesting_that_can_not_be_followed_is_refused():
    body = b'{"latest": 1, "latest": 2, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        check_duplicate_names(body, NAMES)
