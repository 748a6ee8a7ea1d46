"""A row's authentication parameters: which secret has matched, how secrets are written, where a proof is put."""

import pytest

from cobrowse.model import Secret
from integrations.senders.auth.config import (
    AuthConfig,
    AuthParts,
    constant_time_equals,
    decode,
    matching_secret,
    secret_bytes,
)


def test_a_row_that_says_nothing_has_these_parameters():
    assert AuthConfig() == AuthConfig(
        algorithm="sha256",
        construction="hmac",
        encoding="hex",
        secret_encoding="text",
        timestamp_unit="s",
        tolerance_seconds=300.0,
        **dict.fromkeys(("secrets", "names", "subjects", "trusted_proxies"), ()),
        **dict.fromkeys(("header", "query", "username", "subject_header", "prefix", "timestamp_header"), ""),
        **dict.fromkeys(("signature_format", "template", "public_base_url"), ""),
        prepared=None,
    )


@pytest.mark.parametrize(
    ("matches", "name"), [([False] * 3, None), ([False, True, True], "B"), ([False, False, True], "C")]
)
def test_the_first_secret_that_matched_is_named(matches, name):
    assert AuthConfig(names=("A", "B", "C")).first_match(iter(matches)) == name


def test_no_comparison_is_left_without_a_name():
    with pytest.raises(ValueError, match="longer"):
        AuthConfig(names=("A",)).first_match([False, True])


@pytest.mark.parametrize(
    ("written", "encoding", "held"),
    [
        *((b"one", "text", b"one"), (b"6F6e65", "hex", b"one"), (b"b25l", "base64", b"one")),
        *((b"6F6", "hex", None), (b"zz", "hex", None), (b"b25lb", "base64", None), (b"b2 5l", "base64", None)),
        (b"", "hex", b""),
    ],
)
def test_a_secret_is_decoded_as_it_is_written_or_not_at_all(written, encoding, held):
    assert decode(written, encoding) == held
    assert AuthConfig(secret_encoding=encoding).key(Secret(written.decode())) == (held or b"")


@pytest.mark.parametrize(
    ("written", "held"),
    [("-_-_", b"\xfb\xff\xbf"), ("+/+/", b"\xfb\xff\xbf"), ("b24", b"on"), ("bw", b"o"), ("-_8", b"\xfb\xff")],
)
def test_a_secret_in_base64_may_be_without_padding_and_in_the_alphabet_for_urls(written, held):
    assert AuthConfig(secret_encoding="base64").key(Secret(written)) == held


@pytest.mark.parametrize("written", [b"b24", b"bw", b"-_-_"])
def test_what_is_presented_is_written_as_its_vendor_writes_it(written):
    assert decode(written, "base64") is None


def test_a_secret_of_the_environment_may_hold_any_bytes():
    assert secret_bytes("é\udcff") == b"\xc3\xa9\xff"


def test_only_the_same_bytes_are_equal():
    assert constant_time_equals(b"one", b"one")
    assert not constant_time_equals(b"one", b"One")


def test_the_secret_that_matches_is_named_by_its_key():
    config = AuthConfig(secrets=(Secret("00"), Secret("01")), names=("A", "B"), secret_encoding="hex")
    assert matching_secret(config, lambda key: key == b"\x01") == "B"
    assert matching_secret(config, lambda key: key == b"\x02") is None


@pytest.mark.parametrize(
    ("query", "path", "target"),
    [
        ({}, "/a?b=c", "/a?b=c"),
        ({"key": "a b&"}, "/a", "/a?key=a+b%26"),
        ({"key": "x"}, "/a?b=c", "/a?b=c&key=x"),
    ],
)
def test_a_proof_in_the_query_follows_what_is_there(query, path, target):
    assert AuthParts(query=query).target(path) == target


def test_a_request_without_a_proof_has_no_parts():
    assert (AuthParts().headers, AuthParts().query) == ({}, {})
