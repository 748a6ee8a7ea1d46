"""Keys and messages of Standard Webhooks, and public keys: checked with the libraries of their authors alone."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from standardwebhooks.webhooks import Webhook

from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.auth.standard_webhooks import (
    draft_message,
    key_bytes,
    parse_message,
    sign_message,
    signature_of_version,
)
from integrations.senders.registry import SendersFileError
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW
from tests.rsa_keys import rsa_key
from tests.unit.test_vendor_signatures import BODY, incoming, row

PRIVATE = rsa_key()
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC_PEM = PRIVATE.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
PRIVATE_PEM = PRIVATE.private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode()


def draft(body=BODY):
    return UnverifiedRequest("POST", "/", "", {}, body)


# Standard Webhooks.


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_QUJD", b"ABC"),
        ("QUJD", b"ABC"),
        ("whsec_QUI=", b"AB"),
        ("whsec_QUI", b"AB"),
        ("whsec_QQ==", b"A"),
        ("whsec_QQ", b"A"),
        ("whsec_-_-_", b"\xfb\xff\xbf"),
        ("whsec_QUJDX", None),
        ("whsec_*", None),
        ("whsec_QU JD", None),
    ],
)
def test_a_secret_is_base64_with_or_without_its_prefix_and_its_padding(secret, key):
    assert key_bytes(secret) == key


def test_a_secret_in_the_alphabet_for_urls_signs_as_the_usual_one():
    usual, message = "whsec_" + "+/" * 16, draft_message(draft(), NOW)
    assert sign_message([Secret(usual.translate(str.maketrans("+/", "-_")))], message) == sign_message(
        [Secret(usual)], message
    )


def test_a_sample_secret_has_the_prefix_and_its_text_as_the_key():
    form = SCHEMES["standard-webhooks"].secret_form({})
    assert form.name == "whsec_ and base64, as Standard Webhooks has it"
    assert (form.sample("ABC"), key_bytes(form.sample("a text"))) == ("whsec_QUJD", b"a text")


@pytest.mark.parametrize(
    ("signature", "found"), [(b"v1,QUJD", b"ABC"), (b"v1,*", b""), (b"v1,", b""), (b"v1a,QUJD", b""), (b"QUJD", b"")]
)
def test_a_signature_of_another_version_or_form_is_empty_and_fits_nothing(signature, found):
    assert signature_of_version(signature, b"v1,") == found


def test_a_repeat_within_the_second_has_the_same_id_and_timestamp_and_any_other_message_has_not():
    message = draft_message(draft(), NOW)
    repeat = draft_message(draft(), NOW + timedelta(microseconds=999_999))
    assert (message.id[:4], len(message.id), message.sent, message.body) == ("msg_", 28, NOW, BODY.decode())
    assert set(message.id[4:]) <= set("0123456789abcdef")
    assert repeat == message
    others = [draft_message(draft(), NOW + timedelta(seconds=1)), draft_message(draft(b"{}"), NOW)]
    assert len({message.id, *(other.id for other in others)}) == 3


def test_its_timestamp_is_in_utc_wherever_the_clock_is():
    east = NOW.astimezone(timezone(timedelta(hours=5)))
    assert draft_message(draft(), east) == draft_message(draft(), NOW)
    assert draft_message(draft(), east).sent.tzinfo is UTC
    assert sign_message([], draft_message(draft(), east)).headers["webhook-timestamp"] == str(int(NOW.timestamp()))


def test_its_timestamp_is_read_in_utc_wherever_the_machine_is():
    headers = sign_message([Secret("whsec_" + "A" * 32)], draft_message(draft(), NOW)).headers
    assert parse_message(incoming(headers)).sent == NOW


def test_a_message_is_signed_by_each_of_the_secrets_while_one_is_replaced():
    secrets = ["whsec_" + letter * 32 for letter in "AB"]
    now = datetime.now(UTC)
    headers = dict(sign_message([Secret(secret) for secret in secrets], draft_message(draft(), now)).headers)
    assert list(headers) == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    for secret in secrets:
        assert Webhook(secret).verify(BODY, headers) == {"conversationId": "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"}
    assert [one[:3] for one in headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]


# Freshchat.


def test_freshchats_signature_by_the_library_alone():
    signature = base64.b64encode(PRIVATE.sign(BODY, padding.PKCS1v15(), SHA256())).decode()
    sender = row("freshchat", secret=PUBLIC_PEM)
    assert sender.authenticate(incoming({"X-Freshchat-Signature": signature}), NOW) == "S"
    for wrong, body in ((signature, BODY + b" "), ("*", BODY), (signature[:-8], BODY)):
        with pytest.raises(SignatureInvalid):
            sender.authenticate(incoming({"X-Freshchat-Signature": wrong}, body), NOW)


def test_with_the_private_key_it_is_signed_as_freshchat_does():
    (header,) = row("freshchat", secret=PRIVATE_PEM).sign("POST", "/", BODY, NOW).headers.items()
    assert header[0] == "X-Freshchat-Signature"
    PRIVATE.public_key().verify(base64.b64decode(header[1], validate=True), BODY, padding.PKCS1v15(), SHA256())


@pytest.mark.parametrize(
    ("scheme", "secret", "form"),
    [
        ("standard-webhooks-v1a", "A" * 44, "whpk_ and base64, as Standard Webhooks has its public keys"),
        ("freshchat", "A" * 44, "PEM, an RSA public key of 2048 bits or more"),
        # A public key, and of another kind.
        ("freshchat", SCHEMES["jwt"].secret_form({}).sample("one"), "PEM, an RSA public key of 2048 bits or more"),
    ],
)
def test_a_key_of_another_form_is_refused_with_the_form_that_it_must_have(scheme, secret, form):
    with pytest.raises(SendersFileError) as refused:
        row(scheme, secret=secret)
    assert refused.value.errors == [f"senders.toml: [senders.one] secrets: $S is not of the form {form}"]


def test_an_ed25519_sample_is_its_private_half_made_of_the_text():
    made = SCHEMES["standard-webhooks-v1a"].secret_form({}).sample("one")
    assert made.startswith("whsk_")
    assert len(base64.b64decode(made[5:], validate=True)) == 32
    assert (
        made
        == SCHEMES["standard-webhooks-v1a"].secret_form({}).sample("one")
        != SCHEMES["standard-webhooks-v1a"].secret_form({}).sample("2")
    )


@pytest.mark.parametrize(("encoding", "written"), [("text", "one"), ("hex", "6f6e65"), ("base64", "b25l")])
def test_a_sample_secret_of_an_hmac_is_in_the_rows_encoding(encoding, written):
    assert SCHEMES["hmac"].secret_form({"secret_encoding": encoding}).sample("one") == written
    assert SCHEMES["hmac"].secret_form({}).sample("one") == "one"
    assert SCHEMES["hmac"].secret_form({"secret_encoding": encoding}).name == encoding.removeprefix("text")
    assert SCHEMES["hmac"].secret_form({}).name == ""
