"""The issuer's keys: which are taken, and when they are fetched, beside the requests and within bounds."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey
from structlog.testing import capture_logs

from cobrowse.errors import KeysUnavailable, NotAuthenticated
from integrations.senders import fetching
from integrations.senders.auth.jwks import MIN_REFRESH_INTERVAL, REFRESH_INTERVAL, Jwks, keys_in
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.fetching import FetchError, fetch
from integrations.senders.registry import load_senders
from tests.clocks import HANGS, ManualClock, wait_until
from tests.payloads import NOW
from tests.unit.jwts import AUDIENCE, ISSUER, KEYS, b64, presenting, token
from web.error_responses import status_of


def jwk(name, key_id, **more):
    kinds = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
    return {**kinds[name].import_key(KEYS[name].public_key()).as_dict(), "kid": key_id, **more}


def document(*keys):
    return json.dumps({"keys": list(keys)}).encode()


class Issuer:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, _url):
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_key_of_another_use_kind_or_form_is_passed_over():
    good = jwk("RS256", "a")
    found = keys_in(
        document(good, jwk("ES256", "b", use="enc"), {"kty": "oct", "k": "AAAA", "kid": "c"}, 7, {"kty": "RSA"})
    )
    assert list(found) == ["a"]
    private = OKPKey.import_key(KEYS["EdDSA"]).as_dict(private=True)
    assert list(keys_in(document({**private, "kid": "published"}, {"kty": ["RSA"]}, good))) == ["a"]
    assert keys_in(document(jwk("RS256", "a", alg="RS512"), jwk("EdDSA", "d"))).keys() == {"d"}


def test_a_key_that_can_be_broken_is_passed_over():
    n = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n
    weak = {"kty": "RSA", "kid": "weak", "e": "AQAB", "n": b64(n.to_bytes(128, "big"))}
    other = {**ECKey.import_key(ec.generate_private_key(ec.SECP384R1()).public_key()).as_dict(), "kid": "P-384"}
    assert keys_in(document(weak, other, jwk("ES256", "b"))).keys() == {"b"}


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b"\xff"]
)
def test_a_document_without_a_key_is_refused(text):
    with pytest.raises(ValueError, match="it "):
        keys_in(text)


def test_before_the_keys_are_there_a_token_is_answered_with_a_retryable_failure_and_nothing_is_fetched():
    issuer = Issuer(document(jwk("RS256", "a")))
    keys = Jwks("https://x", issuer, ManualClock())
    with pytest.raises(KeysUnavailable) as error:
        keys.candidates("a")
    assert (status_of(error.value), error.value.retryable, issuer.asked) == (503, True, 0)
    assert keys.renew()
    assert len(keys.candidates("a")) == 1


def test_an_unknown_key_is_looked_for_at_most_once_a_minute():
    clock = ManualClock()
    issuer = Issuer(document(jwk("RS256", "a")), document(jwk("RS256", "a"), jwk("EdDSA", "b")))
    keys = Jwks("https://x", issuer, clock)
    keys.renew()
    assert keys.candidates("b") == []
    clock.sleep(MIN_REFRESH_INTERVAL + 1)
    with pytest.raises(KeysUnavailable):
        keys.candidates("b")
    keys.renew()
    assert [key.algorithm for key in keys.candidates("b")] == ["EdDSA"]
    assert {key.algorithm for key in keys.candidates("")} == {"RS256", "EdDSA"}


def test_keys_that_were_known_stay_when_the_issuer_is_away_or_sends_nonsense():
    keys = Jwks("https://x", Issuer(document(jwk("RS256", "a")), FetchError("away"), b"<html>"), ManualClock())
    assert [keys.renew() for _ in range(3)] == [True, False, False]
    assert len(keys.candidates("a")) == 1


def test_a_key_without_an_id_is_known_by_its_place_and_no_more_than_fifty_are_taken():
    plain = {name: part for name, part in jwk("ES256", "x").items() if name != "kid"}
    assert list(keys_in(document(7, {**plain, "alg": "ES256", "use": "sig"}, plain))) == ["#1", "#2"]
    assert list(keys_in(document(*[plain] * 60))) == [f"#{number}" for number in range(50)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((text, "it is no JWK set") for text in (b"{", b"[]", b"{}")),
        *((text, "it has no key of RS256, ES256 or EdDSA") for text in (b'{"keys": 1}', b'{"keys": [{"kty": "oct"}]}')),
    ],
)
def test_a_document_without_a_key_is_told_what_it_lacks(text, told):
    with pytest.raises(ValueError, match=f"^{told}$"):
        keys_in(text)


def test_a_token_that_names_no_key_is_tried_with_all_once_there_are_any_however_old():
    clock, issuer = ManualClock(), Issuer(document(jwk("RS256", "a"), jwk("EdDSA", "b")))
    keys = Jwks("https://x", issuer, clock)
    for key_id in ("", "a"):
        with pytest.raises(KeysUnavailable) as error:
            keys.candidates(key_id)
        told = "the issuer's key that the token names is not known yet; it is being fetched"
        assert error.value.message == told
    keys.renew()
    for pause in (0, MIN_REFRESH_INTERVAL - 1, 1, REFRESH_INTERVAL):
        clock.sleep(pause)
        assert [key.algorithm for key in keys.candidates("")] == ["RS256", "EdDSA"]
        assert [key.algorithm for key in keys.candidates("a")] == ["RS256"]


def test_keys_are_looked_for_once_a_minute_at_most_and_once_an_hour_at_least():
    assert (MIN_REFRESH_INTERVAL, REFRESH_INTERVAL) == (60.0, 3600.0)
    clock = ManualClock()
    keys = Jwks("https://x", Issuer(document(jwk("RS256", "a"))), clock)
    keys.renew()
    clock.sleep(MIN_REFRESH_INTERVAL - 0.5)
    assert keys.candidates("b") == []
    clock.sleep(0.5)
    with pytest.raises(KeysUnavailable):
        keys.candidates("b")


class OverError(Exception):
    """The last pause has come."""


class EndingClock(ManualClock):
    """Its last pause ends what pauses; `meanwhile` is what comes in each of the others."""

    def __init__(self, pauses, meanwhile):
        super().__init__()
        self.pauses, self.meanwhile = pauses, meanwhile

    def sleep(self, seconds):
        super().sleep(seconds)
        if len(self.slept) == self.pauses:
            raise OverError
        self.meanwhile()


def slept_between_fetches(issuer, pauses, meanwhile=lambda _keys: None, **intervals):
    clock = EndingClock(pauses, lambda: meanwhile(keys))
    keys = Jwks("https://x", issuer, clock, **intervals)
    with pytest.raises(OverError):
        keys._run()
    assert issuer.asked == pauses
    return clock.slept


def test_keys_are_fetched_again_a_minute_after_a_failure_and_else_when_their_time_is_over():
    issuer = Issuer(FetchError("away"), document(jwk("RS256", "a")))
    assert slept_between_fetches(issuer, 4, refresh_interval=MIN_REFRESH_INTERVAL + 0.01) == [60.0] * 4


def test_a_key_that_is_wanted_is_fetched_without_waiting_for_the_hour():
    def want(keys):
        with pytest.raises(KeysUnavailable):
            keys.candidates("b")

    assert slept_between_fetches(Issuer(document(jwk("RS256", "a"))), 3, want) == [60.0] * 3


def test_a_failed_fetch_is_logged_with_its_url_and_its_error_cut():
    keys = Jwks("https://x", Issuer(FetchError("away " * 50)), ManualClock())
    with capture_logs() as logged:
        assert keys.renew() is False
    told = {"event": "the issuer's keys could not be fetched", "log_level": "warning", "url": "https://x"}
    assert logged == [{**told, "error": "away " * 40}]


def test_the_keys_are_fetched_from_their_url_in_a_thread_that_keeps_no_process_alive():
    asked, done = [], threading.Event()

    def read(url):
        asked.append((url, threading.current_thread().name, threading.current_thread().daemon))
        done.set()
        return document(jwk("RS256", "a"))

    keys = Jwks("https://x", read)
    keys.start()
    keys.start()
    assert done.wait(HANGS)
    wait_until(lambda: keys._keys)
    assert asked == [("https://x", "jwks", True)]


@pytest.fixture
def issuer():
    """An issuer on loopback, whose answer a test sets."""
    said = {
        "status": 200,
        "body": document(jwk("EdDSA", "now")),
        "asked": threading.Event(),
        "headers": {},
        "over": threading.Event(),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(said["status"])
            for name, value in {"Content-Length": str(len(said["body"])), **said["headers"]}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said["body"])
            said["asked"].set()
            while "drips" in said and not said["over"].wait(0.02):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    break

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}/keys?v=2"
    yield said
    said["over"].set()
    server.shutdown()
    server.server_close()


def test_a_row_fetches_its_issuers_keys_once_it_is_started_and_never_in_a_request(issuer):
    text = (
        f'[senders.one]\nsignature = "jwt"\nenvelope = "custom"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        f'jwks_url = "{issuer["url"]}"\n'
    )
    sender = load_senders(text, {}).get("one")
    good = presenting(token(header={"kid": "now"}))
    with pytest.raises(KeysUnavailable):
        sender.authenticate(good, NOW)
    for hopeless in ({"alg": "none"}, {"alg": "RS512"}, {"crit": ["x"], "x": 1}):
        with pytest.raises(NotAuthenticated, match="no JWT of RS256"):
            sender.authenticate(presenting(token(header={"kid": "now", **hopeless})), NOW)
    assert not issuer["asked"].is_set()
    sender.start()
    sender.start()
    assert issuer["asked"].wait(30)
    for _ in range(3_000):
        try:
            assert sender.authenticate(good, NOW) == ISSUER
            break
        except KeysUnavailable:
            threading.Event().wait(0.01)
    else:
        pytest.fail("the keys never came")
    with pytest.raises(NotAuthenticated):
        sender.authenticate(presenting(token(header={"kid": "other"})), NOW)
    with pytest.raises(CanNotSignError):
        sender.sign("POST", "/webhooks/one", b"{}", NOW)


def test_what_the_issuer_may_send_is_bounded_and_a_redirect_is_not_followed(issuer):
    assert fetch(issuer["url"]) == issuer["body"]
    issuer["body"] = b"x" * (fetching.MAX_BYTES + 1)
    with pytest.raises(FetchError, match="more than"):
        fetch(issuer["url"])
    issuer.update(status=302, body=b"", headers={"Location": issuer["url"]})
    with pytest.raises(FetchError, match="answered 302"):
        fetch(issuer["url"])
    with pytest.raises(FetchError, match="can't be reached"):
        fetch("http://127.0.0.1:1/keys")


@pytest.mark.parametrize("headers", [{"Content-Length": "200000"}, {"Connection": "close"}, {"Transfer-Encoding": "x"}])
def test_an_issuer_that_sends_a_byte_now_and_then_holds_nobody_up(issuer, headers):
    """Each wait is short, and there would be no end of them."""
    issuer.update(drips=True, headers={"Content-Length": "200000", **headers})
    with pytest.raises(FetchError, match="did not answer within"):
        fetch(issuer["url"], total_seconds=0.3)


def test_a_tls_handshake_that_never_ends_holds_nobody_up():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(FetchError, match=r"within 0\.3 s"):
        fetch(f"https://127.0.0.1:{silent.getsockname()[1]}/keys", total_seconds=0.3)


@pytest.mark.parametrize("host", ["[::1]", "[::ffff:127.0.0.1]"])
def test_an_ipv6_address_needs_no_port(host):
    """Its last part is none: the rest of it would be looked for as a name."""
    with pytest.raises(FetchError) as refused:
        fetch(f"http://{host}/keys")
    assert "gaierror" not in str(refused.value)
