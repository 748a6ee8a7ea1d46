"""A delivery before its proof: what of it is shown, and which of its headers and values count."""

import pytest

from cobrowse.errors import SignatureMissing
from integrations.senders.requests import Ignored, InvalidEvent, SessionRequested, UnverifiedRequest, header_bytes


def delivery(query="", headers=(), body=b"the body"):
    return UnverifiedRequest("POST", "/webhooks/one", query, dict(headers), body)


def test_nothing_that_may_prove_it_is_shown():
    shown = repr(delivery("code=hunter2", {"authorization": "Bearer hunter2"}, b"hunter2"))
    assert shown == "UnverifiedRequest(method='POST', path='/webhooks/one', peer='', received=None)"
    assert "hunter2" not in repr(SessionRequested("a", content="hunter2"))


def test_the_target_is_the_path_with_its_query():
    assert delivery().target == "/webhooks/one"
    assert delivery("a=b&c").target == "/webhooks/one?a=b&c"


@pytest.mark.parametrize(
    ("headers", "kind"),
    [({}, ""), ({"content-type": " Text/XML ; charset=utf-8"}, "text/xml"), ({"content-type": "a/b"}, "a/b")],
)
def test_the_media_type_is_without_its_parameters(headers, kind):
    assert delivery(headers=headers).media_type == kind


@pytest.mark.parametrize(
    ("query", "value"),
    [
        *(("", b""), ("code=", b""), ("Code=x", b""), ("code=a&code=a", b""), ("code=&code=a", b"")),
        *(("code=a", b"a"), ("x=y&code=%C3%A9&z=1", b"\xc3\xa9"), ("code=\u00e9", b"\xe9"), ("code=a+b", b"a b")),
        ("code=a" + "&x=y" * 99, b"a"),
        ("code=a" + "&x=y" * 100, b""),
    ],
)
def test_a_querys_value_counts_if_it_comes_once(query, value):
    assert delivery(query).query_value("code") == value


def test_a_header_of_a_signature_is_read_in_any_case():
    assert delivery(headers={"x-sig": "00"}).signature_header("X-Sig") == "00"
    for headers in ({}, {"x-sig": ""}):
        with pytest.raises(SignatureMissing) as refused:
            delivery(headers=headers).signature_header("X-Sig")
        assert refused.value.message == "the header X-Sig is missing or empty"


def test_an_event_says_no_more_than_it_must():
    asked = SessionRequested("a")
    assert (asked.channel, asked.requested_by, asked.session_settings, asked.delivery_id) == (None, "", {}, "")
    assert (asked.content, asked.signed_id) == (None, False)
    ignored = Ignored("why")
    assert (ignored.delivery_id, ignored.conversation_id, ignored.kind, ignored.signed_id) == ("", "", "event", False)
    assert InvalidEvent("why").error is None
    assert ignored == Ignored("why", kind="filter", signed_id=True)


@pytest.mark.parametrize(
    ("text", "sent"), [("a\u00e9", b"a\xe9"), ("\u65e5", b"\xe6\x97\xa5"), ("\udcff", b"\xed\xb3\xbf")]
)
def test_a_headers_letters_are_the_bytes_that_were_sent(text, sent):
    assert header_bytes(text) == sent
