"""Headers that hold more than the signature, templates, encodings of secrets, and Svix's names."""

import base64

import pytest

from cobrowse.errors import SignatureInvalid, SignatureMissing, StaleTimestamp
from integrations.senders.auth.public_keys import parse_ed25519
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.auth.signature_templates import SignatureFormat
from integrations.senders.registry import SendersFileError
from tests.payloads import NOW
from tests.unit.test_vendor_signatures import SECONDS, b64, incoming, mac, row

SECRET = "0123456789abcdef0123456789abcdef"
BODY = b'{"conversationId":"2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"}'


# Headers that hold more than the signature.


@pytest.mark.parametrize(
    ("form", "header", "signatures", "times"),
    [
        ("t={timestamp},v1={signature}", "t=1,v1=a,v1=b,v0=c", ["a", "b"], ["1"]),
        ("t={timestamp},v1={signature}", "v1=a, t=1", ["a"], ["1"]),
        ("t={timestamp};s={signature}", "t=1;s=a=;s=b", ["a=", "b"], ["1"]),
        ("TIME={timestamp};X-SIG={signature}", "TIME=1;X-SIG=a", ["a"], ["1"]),
        ("{timestamp},v1={signature}", "v1=a,1", ["a"], ["1"]),
        ("t={timestamp},{signature}", "a,t=1", ["a"], ["1"]),
        ("v1={signature}", "v1=a,v1=b", ["a", "b"], []),
        ("{signature}", "a", ["a"], []),
        ("t={timestamp} v1={signature}", "t=1 v1=a", ["a"], ["1"]),
    ],
)
def test_a_header_is_read_by_its_format(form, header, signatures, times):
    assert SignatureFormat.of(form).read(header) == (signatures, times)
    assert SignatureFormat.of(form).read(SignatureFormat.of(form).write("x", "7")) == (["x"], ["7"] if times else [])


STRIPE = 'header = "Stripe-Signature"\nsignature_format = "t={timestamp},v1={signature}"\n'


def stripe(*items):
    return incoming({"Stripe-Signature": ",".join(items)})


def test_any_of_several_signatures_in_one_header_is_good():
    sender, good = row("hmac", more=STRIPE), "v1=" + mac(SECONDS.encode() + b"." + BODY).hex()
    for items in (
        (good,),
        ("v1=" + "0" * 64, good),
        (good, "v0=abc"),
        ("v1=zz", "v1=", good),
        ("v1=00",) * 9 + (good,),
    ):
        assert sender.authenticate(stripe(f"t={SECONDS}", *items), NOW) == "S"


def test_a_format_may_have_no_timestamp():
    sender = row("hmac", more='header = "Stripe-Signature"\nsignature_format = "v0={signature}"\n')
    assert sender.authenticate(stripe("v1=00", f"v0={mac(BODY).hex()}"), NOW) == "S"
    with pytest.raises(SignatureInvalid):
        sender.authenticate(stripe(f"v0={mac(BODY + b' ').hex()}"), NOW)


@pytest.mark.parametrize(
    "items",
    [
        ["v1=GOOD"],
        ["t=SENT"],
        ["t=SENT", "v0=GOOD"],
        ["t=SENT", "t=SENT", "v1=GOOD"],
        ["t=", "v1=GOOD"],
        ["t=1", "v1=GOOD"],
        ["t=SENT", *["v1=00"] * 10, "v1=GOOD"],
        ["t=SENT", "v1=GOOD00"],
    ],
)
def test_a_header_of_another_form_is_refused(items):
    good = mac(SECONDS.encode() + b"." + BODY).hex()
    sent = [item.replace("GOOD", good).replace("SENT", SECONDS) for item in items]
    with pytest.raises(SignatureInvalid):
        row("hmac", more=STRIPE).authenticate(stripe(*sent), NOW)


def test_a_stale_timestamp_in_the_signatures_header_is_refused_by_its_unit():
    for unit, factor in (("s", 1), ("ms", 1000)):
        sender = row("hmac", more=STRIPE + f'timestamp_unit = "{unit}"\ntolerance_seconds = 60\n')
        for late, refused in ((59, False), (61, True), (-61, True)):
            sent = str(int((NOW.timestamp() - late) * factor))
            request = stripe(f"t={sent}", "v1=" + mac(sent.encode() + b"." + BODY).hex())
            if refused:
                with pytest.raises(StaleTimestamp):
                    sender.authenticate(request, NOW)
            else:
                assert sender.authenticate(request, NOW) == "S"


# Headers in templates, encodings of secrets, weak hashes.


def test_a_template_may_cover_a_header_which_then_must_come():
    sender = row(
        "hmac",
        more='header = "svix-signature"\ntemplate = "{header:Svix-Id}.{body}"\nprefix = "v1,"\nencoding = "base64"\n',
    )
    good = {"svix-id": "msg_1", "svix-signature": "v1," + b64(mac(b"msg_1." + BODY))}
    assert sender.authenticate(incoming(good), NOW) == "S"
    assert sender.sign("POST", "/", BODY, NOW, {"Svix-Id": "msg_1"}).headers["svix-signature"] == good["svix-signature"]
    with pytest.raises(SignatureInvalid):
        sender.authenticate(incoming({**good, "svix-id": "msg_2"}), NOW)
    with pytest.raises(SignatureMissing, match="Svix-Id"):
        sender.authenticate(incoming({**good, "svix-id": ""}), NOW)


@pytest.mark.parametrize(
    ("encoding", "secret"), [("text", SECRET), ("hex", SECRET), ("base64", SECRET), ("hex", SECRET.upper())]
)
def test_a_secret_is_decoded_as_the_row_says(encoding, secret):
    key = {"text": secret.encode(), "hex": bytes.fromhex(SECRET), "base64": base64.b64decode(secret)}[encoding]
    sender = row("hmac", secret=secret, more=f'header = "X-Sig"\nsecret_encoding = "{encoding}"\n')
    assert sender.authenticate(incoming({"X-Sig": mac(BODY, key).hex()}), NOW) == "S"


@pytest.mark.parametrize(
    ("encoding", "secret", "told"),
    [
        ("hex", "not hex at all, but long", "$S is not of the form hex"),
        ("base64", "not*base64*at*all*but*long", "$S is not of the form base64"),
        ("hex", SECRET[:30], "$S is under 16 bytes"),
        ("base64", "QUJDREVGR0g=", "$S is under 16 bytes"),
    ],
)
def test_a_secret_that_is_not_written_as_the_row_says_stops_the_start(encoding, secret, told):
    with pytest.raises(SendersFileError) as error:
        row("hmac", secret=secret, more=f'header = "X-Sig"\nsecret_encoding = "{encoding}"\n')
    assert [line.partition("secrets: ")[2] for line in error.value.errors] == [told]


@pytest.mark.parametrize(("scheme", "form"), [("zendesk", ""), ("teams", "base64")])
def test_a_scheme_whose_secrets_have_one_form_has_it_whatever_the_row_says(scheme, form):
    with pytest.raises(SendersFileError) as error:
        row(scheme, secret="not*hex*and*not*base64", more='secret_encoding = "hex"\n')
    told = [line.partition("] ")[2] for line in error.value.errors]
    assert told[0].startswith(f"secret_encoding: the scheme {scheme!r} has no use for it")
    assert told[1:] == ([f"secrets: $S is not of the form {form}"] if form else [])


def test_a_weak_hash_is_warned_of_wherever_it_comes_from():
    weak = {name for name in SCHEMES if any("is weak" in line for line in SCHEMES[name].warnings(SCHEMES[name].preset))}
    assert weak == {"front-rules", "intercom", "help-scout", "twilio", "hubspot-v2"}
    told = "signature: sha1 is weak; use sha256 if the sender offers it"
    assert row("hmac", more='header = "X-Sig"\nalgorithm = "sha1"\n').warnings == (told,)
    assert row("hmac", more='header = "X-Sig"\n').warnings == ()
    plain = "signature: a plain hash is weak; use an HMAC if the sender offers one"
    assert row("hubspot-v2").warnings == (plain,)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("signature_format = 't={timestamp}'", "signature_format: has no {signature}"),
        ("signature_format = 'v1={signature},v2={signature}'", "signature_format: must be items such as"),
        ("signature_format = 'v1={sig}'", "signature_format: must be items such as"),
        ("signature_format = '{timestamp},{signature}'", "signature_format: has the same text before"),
        ("signature_format = ''", "signature_format: must be a text that is not empty"),
        ("signature_format = 'v1={signature}'\nprefix = 'x'", "prefix: the signature_format says what stands before"),
        (
            "signature_format = 't={timestamp},v1={signature}'\ntimestamp_header = 'T'",
            "timestamp_header: the signature_format has the timestamp already",
        ),
        (
            "signature_format = 't={timestamp},v1={signature}'\ntemplate = '{body}'",
            "template: has no {timestamp}, so the timestamp could be altered",
        ),
        ("secret_encoding = 'base32'", "secret_encoding: unknown 'base32'"),
    ],
)
def test_a_format_that_can_not_be_one_stops_the_start(more, told):
    with pytest.raises(SendersFileError) as error:
        row("hmac", more=f'header = "X-Sig"\n{more}\n')
    (line,) = error.value.errors
    assert line.partition("] ")[2].startswith(told)


# Svix's names, and Ed25519.


def signed_by(naming, message_id="msg_1", body=BODY, secret="whsec_" + "A" * 32):
    signature = mac(f"{message_id}.{SECONDS}.".encode() + body, base64.b64decode(secret[6:]))
    parts = {"id": message_id, "timestamp": SECONDS, "signature": "v1," + b64(signature)}
    return {f"{naming}-{part}": value for part, value in parts.items()}


STANDARD = "whsec_" + "A" * 32


@pytest.mark.parametrize("naming", ["webhook", "svix"])
def test_both_namings_of_standard_webhooks_are_taken_with_their_id(naming):
    sender = row("standard-webhooks", secret=STANDARD)
    request = incoming({**signed_by(naming), "Content-Type": "application/json"})
    assert sender.authenticate(request, NOW) == "S"
    assert sender.parse_events(request)[0].delivery_id == "msg_1"


def test_the_id_is_never_taken_from_beside_the_signature():
    """An unsigned id beside a signed one would let anybody who holds a delivery have it started again."""
    sender = row("standard-webhooks", secret=STANDARD)
    both = {**signed_by("webhook"), "svix-id": "msg_2", "Content-Type": "application/json"}
    assert sender.authenticate(incoming(both), NOW) == "S"
    assert sender.parse_events(incoming(both))[0].delivery_id == "msg_1"
    for forged in ({**signed_by("svix"), "webhook-id": "msg_2"}, {**signed_by("svix"), "svix-id": "msg_2"}):
        with pytest.raises((SignatureInvalid, SignatureMissing)):
            sender.authenticate(incoming(forged), NOW)


def test_ed25519_takes_any_good_signature_of_a_list_and_only_version_1a():
    private = SCHEMES["standard-webhooks-v1a"].secret_form({}).sample("one")
    sender = row("standard-webhooks-v1a", secret=private)
    good = dict(sender.sign("POST", "/webhooks/one", BODY, NOW).headers)
    for listed in ("{}", "v1a,AAAA {}", "v1,AAAA {} v1a,AAAA"):
        headers = {**good, "webhook-signature": listed.format(good["webhook-signature"])}
        assert sender.authenticate(incoming(headers), NOW) == "S"
    for other in ("v1," + good["webhook-signature"][4:], good["webhook-signature"].replace("v1a", "v1b")):
        with pytest.raises(SignatureInvalid):
            sender.authenticate(incoming({**good, "webhook-signature": other}), NOW)


def test_with_the_public_key_alone_it_is_verified_and_can_not_be_signed():
    private = SCHEMES["standard-webhooks-v1a"].secret_form({}).sample("one")
    raw = parse_ed25519(private).public.public_bytes_raw()
    sender = row("standard-webhooks-v1a", secret="whpk_" + b64(raw))
    headers = row("standard-webhooks-v1a", secret=private).sign("POST", "/webhooks/one", BODY, NOW).headers
    assert sender.authenticate(incoming(headers), NOW) == "S"
    with pytest.raises(CanNotSignError):
        sender.sign("POST", "/webhooks/one", BODY, NOW)
    freshchat = row("freshchat", secret=SCHEMES["freshchat"].secret_form({}).sample("one"))
    with pytest.raises(CanNotSignError):
        freshchat.sign("POST", "/webhooks/one", BODY, NOW)


@pytest.mark.parametrize("secret", ["whpk_" + "A" * 40, "whpk_!", "whsk_QUJD", STANDARD, "A" * 44, "whpk_ü" + "A" * 43])
def test_what_is_no_ed25519_key_stops_the_start(secret):
    with pytest.raises(SendersFileError, match=r"\$S is not of the form whpk_ and base64"):
        row("standard-webhooks-v1a", secret=secret)
