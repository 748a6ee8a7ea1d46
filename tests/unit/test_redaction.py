"""What upstream says is shown without secrets, whatever it quotes."""

import base64

import httpx
import orjson
import pytest

from cobrowse.clock import SystemClock
from cobrowse.errors import CobrowseError
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret, Session
from integrations.genesys.operations import ATTACH, COBROWSE, CREATE, TOKEN, UpstreamRejected
from integrations.genesys.origin import Origin
from integrations.genesys.redaction import MASK, Redactor, redact
from integrations.genesys.retry import Call, RetryingCaller

SECRET = "s3cret"
PAIR = base64.b64encode(f"client:{SECRET}".encode()).decode()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SESSION = Session(
    join_url=Secret("https://join.example.com/j/abc"),
    viewer_url=Secret("https://view.example.com/v/def"),
    join_code=Secret("271828"),
)

SHAPED = {
    "Authorization: Bearer abc12345": ("abc12345",),
    "the header was 'basic Y2xpZW50OnNlY3JldA=='": ("Y2xpZW50",),
    f"token {JWT} has expired": (JWT, "eyJ"),
    "key 9f86d081884c7d659a2feaa0c55ad015 is unknown": ("9f86d081",),
    "hash 9F86D081-884C7D659A2FEAA0C55AD015": ("9F86D081",),
    "got dGhpcyBpcyBhIHNlY3JldCB0aGF0IGlzIGxvbmc=": ("dGhpcyBp",),
    "got AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIjKlMnOp": ("AbCdEf",),
    "GET https://user:pass@host.example/x failed": ("user", "pass@"),
    "GET https://host.example/x?code=1&b=2 failed": ("code=1",),
    "GET /x?code=1 failed": ("code=1",),
    "GET https://host.example/x#access=1": ("access=1",),
    '{"client_secret": "short"}': ("short",),
    'escaped \\"access_token\\":\\"short\\"': ("short",),
    "password=pw&grant_type=x": ("=pw&",),
    "Cookie: sid=12": ("sid=12",),
}
KEPT = [
    "No authentication bearer token specified in authorization header.",
    "missing.any.permissions: You must have one of the following permissions assigned: conversation:cobrowse:add",
    "GET /api/v2/conversations/3f2504e0-4f89-41d3-9a0c-0305e82c3301/media was not found",
    "Could not resolve host: login.mypurecloud.com",
    "Failed to connect to 127.0.0.1 port 9099 after 0 ms: Could not connect to server",
    "cobrowse_session_configuration_missing: is it enabled?",
    "Rate limit exceeded the maximum [300] requests within [60] seconds",
]


@pytest.mark.parametrize("text", SHAPED)
def test_what_is_shaped_like_a_credential_is_masked(text):
    shown = redact(text)
    assert MASK in shown
    assert [part for part in SHAPED[text] if part in shown] == []


@pytest.mark.parametrize("text", KEPT)
def test_what_helps_and_is_no_secret_stays(text):
    assert redact(text) == text


def quoting(value):
    """How gateways quote: as it was, percent-encoded, in base64, inside JSON inside JSON."""
    encoded = base64.b64encode(value.encode()).decode()
    return [value, value.replace(":", "%3A").replace("/", "%2F"), encoded, encoded.rstrip("="), f'\\"{value}\\"']


HELD = [
    SECRET,
    PAIR,
    f"client:{SECRET}",
    SESSION.join_url.reveal(),
    SESSION.viewer_url.reveal(),
    SESSION.join_code.reveal(),
]


@pytest.mark.parametrize("operation", [TOKEN, CREATE, ATTACH, COBROWSE])
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 429, 500, 504])
@pytest.mark.parametrize("field", ["message", "code", "error_description", "contextId"])
def test_no_error_of_a_call_holds_what_the_call_holds(operation, status, field):
    for value in HELD:
        for quoted in quoting(str(value)):
            body = orjson.dumps({field: f"x{quoted}x refused"})
            message = failure(operation, lambda body=body: httpx.Response(status, content=body))
            assert str(value) not in message
            assert quoted not in message


def test_what_libcurl_says_is_masked_too():
    def broken():
        raise httpx.ReadError(f"bad header: Basic {PAIR} {SESSION.join_url.reveal()}")

    message = failure(COBROWSE, broken)
    assert PAIR not in message
    assert "join.example.com" not in message


def test_a_secret_at_the_edge_of_what_is_shown_does_not_show_in_part():
    value = "9f86d081884c7d659a2feaa0c55ad015"
    for before in range(300, 340):
        body = orjson.dumps({"message": "." * before + value})
        assert value[:6] not in failure(CREATE, lambda body=body: httpx.Response(500, content=body))


def test_a_redactor_tells_nothing_of_what_it_holds():
    assert SECRET not in repr(Redactor((Secret(SECRET),), SESSION, ()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc12345, then", f"Authorization: {MASK} {MASK}, then"),
        ("Digest=abcdef", f"Digest {MASK}"),
        ("negotiate abcdef!", f"negotiate {MASK}"),
        ("basic abcde", "basic abcde"),
        ("id_token: short, more", f"id_token: {MASK}, more"),
        ("joincode=123&a=b", "joincode=•••&a=b"),
        ("myPassword=pw", "myPassword=pw"),
        ("https://user:pass@host/x", f"https://{MASK}@host/x"),
        ("https://@host/x", "https://@host/x"),
        ("https://user:p@ss@host/x", f"https://{MASK}@host/x"),
        ("https://host/users/ada@host", "https://host/users/ada@host"),
        ("https://host/ada@host/x", "https://host/ada@host/x"),
        ("https://?code", f"https://?{MASK}"),
        ("https://host/x?a=b and more", f"https://host/x?{MASK} and more"),
        ("https://host/x#f", f"https://host/x?{MASK}"),
        ("https://host/x#f#g", f"https://host/x?{MASK}"),
        ("https://host/x#f?a", f"https://host/x?{MASK}"),
        ("https://host/x?a#f", f"https://host/x?{MASK}"),
        ("https://host?a=b", f"https://host?{MASK}"),
        ("wss://host:8443/a/b", "wss://host:8443/a/b"),
        ("why? because", "why? because"),
        ("/x?a=b", f"/x?{MASK}"),
        ("/x?ab", "/x?ab"),
        # From 20 characters on a run with letters and digits is random, and from 40 on any is.
        ("a1" * 9 + "a", "a1" * 9 + "a"),
        ("a1" * 10, MASK),
        ("a" * 39, "a" * 39),
        ("a" * 40, MASK),
        ("1" * 39, "1" * 39),
        ("eyJ" + "a" * 17, MASK),
        ("eyJ" + "a" * 16, "eyJ" + "a" * 16),
        ("x" + "eyJ" + "a" * 17, "x" + "eyJ" + "a" * 17),
        ("a" * 20 + "=", MASK),
        ("a" * 20 + "X", "a" * 20 + "X"),
        ("a+1" + "b" * 17, MASK),
        ("a+b" + "b" * 17, "a+b" + "b" * 17),
        ("a+1/" + "b" * 16, MASK),
        ("x/" + "a1" * 10, f"x/{MASK}"),
        ("a1" * 10 + "/conversations/abc", f"{MASK}/conversations/abc"),
        ("dataactions.prod1.mypurecloud.com", "dataactions.prod1.mypurecloud.com"),
        ("x." + "a1" * 10, MASK),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
        ("3F2504E0-4F89-41D3-9A0C-0305E82C3301.mypurecloud", "3F2504E0-4F89-41D3-9A0C-0305E82C3301.mypurecloud"),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c33011", MASK),
    ],
)
def test_what_is_masked_ends_where_the_secret_does(text, shown):
    assert redact(text) == shown


def test_a_held_value_is_masked_from_four_characters_on_in_each_of_its_spellings():
    assert redact("abc abcd", ["abc"]) == "abc abcd"
    assert redact("abc abcd.", ["abcd"]) == f"abc {MASK}."
    # The longest first: a link is masked as a whole, though a part of it is held too.
    assert redact("to https://h/p?ab now", ["h/p?ab", "https://h/p?ab", "h/p?"]) == f"to {MASK} now"
    assert redact("to h/p?ab now", ["https://h/p?ab"]) == f"to {MASK} now"
    assert redact("to h/p#https://i/q now", ["https://h/p#https://i/q"]) == f"to {MASK} now"
    assert redact("a%2Fb%3F", ["a/b?"]) == MASK
    # In base64 by both alphabets.
    for held, spellings in {"<<???>>": ("PDw/Pz8+Pg", "PDw_Pz8-Pg"), "???abW": ("Pz8/YWJX", "Pz8_YWJX")}.items():
        for encoded in spellings:
            assert redact(f"({encoded})", [held]) == f"({MASK})"


def test_a_held_value_of_bytes_that_are_no_utf_8_is_masked_too():
    """As a variable of the environment can have them: Python keeps each as half a surrogate pair."""
    assert redact("%61%FFbc, a%FFbc, Yf9iYw and a\udcffbc", ["a\udcffbc"]) == f"%61%FFbc, {MASK}, {MASK} and {MASK}"


@pytest.mark.parametrize("name", [b"authorization", b"Authorization"])
def test_a_calls_own_credential_is_masked_and_so_are_the_pair_and_the_password_in_it(name):
    redactor = Redactor((), SESSION, ((b"X-Other", b"Basic shown-value"), (name, f"Basic {PAIR}".encode())))
    assert (
        redactor(f"<{PAIR}> <client:{SECRET}> <{SECRET}> <shown-value>") == f"<{MASK}> <{MASK}> <{MASK}> <shown-value>"
    )


def test_what_follows_the_scheme_of_a_credential_is_masked_as_a_whole():
    redactor = Redactor((), Session(), ((b"authorization", b"Digest user-name, nonce"),))
    assert redactor("<user-name, nonce>") == f"<{MASK}>"


def test_a_password_begins_at_the_first_colon_of_its_pair():
    pair = base64.b64encode(b"client:pass:word").decode()
    redactor = Redactor((), Session(), ((b"authorization", f"Basic {pair}".encode()),))
    assert redactor("<pass:word>") == f"<{MASK}>"


@pytest.mark.parametrize(
    "credential",
    [
        "no-base64!",
        # Base64 of user:pass, but for one character.
        "dXNl!cjpwYXNz",
        base64.b64encode(b"\xff:pass").decode(),
        base64.b64encode(b"nocolon").decode(),
    ],
)
def test_a_credential_that_is_no_pair_is_masked_as_it_stands(credential):
    redactor = Redactor((), Session(), ((b"authorization", f"Bearer {credential}".encode()),))
    assert redactor(f"<{credential}> <pass> <nocolon>") == f"<{MASK}> <pass> <nocolon>"


def test_a_credential_that_is_no_utf_8_is_no_reason_to_show_the_rest():
    redactor = Redactor((Secret(SECRET),), Session(), ((b"authorization", b"Bearer \xff-token"),))
    assert redactor(f"<{SECRET}> <\ufffd-token>") == f"<{MASK}> <{MASK}>"


def test_a_calls_secrets_and_its_sessions_links_and_code_are_masked():
    redactor = Redactor((Secret(SECRET),), SESSION, ())
    shown = redactor(f"{SECRET} https://join.example.com/j/abc https://view.example.com/v/def 271828")
    assert shown == " ".join([MASK] * 4)


def failure(operation, answer):
    class Upstream(httpx.BaseTransport):
        def handle_request(self, _request):
            return answer()

    class Impatient(SystemClock):
        def sleep(self, seconds):
            pass

    attempt = Attempt(Command("architect", "c", 10.0), "i", "h", Impatient())
    attempt.update_session(
        {"join_url": SESSION.join_url, "viewer_url": SESSION.viewer_url, "join_code": SESSION.join_code}
    )
    caller = RetryingCaller(Upstream(), Impatient(), lambda: 0.0, secrets=(Secret(SECRET),))
    headers = ((b"Authorization", f"Basic {PAIR}".encode()),)
    with pytest.raises((CobrowseError, UpstreamRejected)) as raised:
        caller.call(attempt, Call(operation, Origin("https://api.example.com"), "/x", headers))
    return raised.value.message
