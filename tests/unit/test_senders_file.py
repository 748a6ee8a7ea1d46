"""senders.toml: checked whole, each fault a line; and what a row makes of a sender: its habit, answers and rate."""

import re
from datetime import timedelta

import pytest
from defusedxml.ElementTree import fromstring

from cobrowse.errors import SenderRateLimited, error_types_by_code
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.rate_limit import RateLimiter, RateStorageError
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.response_policies import RESPONSE_POLICIES, acknowledgement, batch_status, status_for
from tests.payloads import BASE_URL, EXAMPLE, NOW, environ, senders
from web.error_responses import ERROR_RESPONSES, status_of

SECRET = "0123456789abcdef"
GOOD = 'signature = "github"\nsecrets = ["$S"]\nenvelope = "custom"\n'


def load(row, name="one", *, env=None, **settings):
    environment = {"S": SECRET, "SHORT": "0123456789abcde", "EMPTY": " ", **(env or {})}
    return load_senders(f"[senders.{name}]\n{row}", environment, **settings)


def faults(row, name="one", **settings):
    with pytest.raises(SendersFileError) as error:
        load(row, name, **settings)
    return error.value.errors


def fault(row, **settings):
    (one,) = faults(row, **settings)
    return one.removeprefix("senders.toml: [senders.one] ")


# The file.


def test_the_example_file_is_one_to_start_with():
    names = [sender.name for sender in senders()]
    assert names == list(senders().rows)
    assert {sender.envelope for sender in senders()} == set(ENVELOPES)
    assert {sender.signature for sender in senders()} == set(SCHEMES) - {"mtls"}


def test_the_example_file_explains_every_key_scheme_and_envelope():
    from integrations.senders.validation import KEYS

    text = EXAMPLE.read_text()
    for word in (*KEYS, *SCHEMES, *ENVELOPES):
        assert re.search(rf"[\s,]{word}[\s,\"]", text), word


def test_a_file_that_needs_no_sender_has_none():
    assert list(load_senders("", {})) == []
    assert load_senders("", {}).get("anyone") is None


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "who.toml"
    path.write_text(f"[senders.one]\n{GOOD}")
    assert load_senders(path, {"S": SECRET}).get("one").secrets == (SECRET,)
    assert load_senders(str(path), {"S": SECRET}).get("one").name == "one"
    path.write_text("[senders.one]\n")
    with pytest.raises(SendersFileError, match=r"^who\.toml: \[senders\.one\] signature: is missing"):
        load_senders(path, {})


def test_a_file_that_is_not_there_or_no_text_is_reported(tmp_path):
    with pytest.raises(SendersFileError, match=r"nothing\.toml: can't be read: No such file"):
        load_senders(tmp_path / "nothing.toml", {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SendersFileError, match="it is not UTF-8"):
        load_senders(tmp_path / "bytes.toml", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[senders.one", "senders.toml: is not TOML: "),
        ("senders = 1\n", "senders.toml: senders: each sender is a [senders.NAME]"),
        ("[senders]\none = 1\n", "senders.toml: [senders.one] is not a table of keys"),
        ("[sender.one]\n", "senders.toml: 'sender' is not known here; each sender is a [senders.NAME]"),
    ],
)
def test_a_file_of_another_shape_is_reported(text, told):
    with pytest.raises(SendersFileError) as error:
        load_senders(text, {})
    assert error.value.errors[0].startswith(told)


def test_all_faults_of_all_rows_come_at_once():
    text = f"[senders.a]\n{GOOD}heder = 'x'\n[senders.b]\n{GOOD}rate_limit = 'often'\nfilter = 'a['\n"
    text += f"[senders.architect]\n{GOOD}"
    with pytest.raises(SendersFileError) as error:
        load_senders(text, {"S": SECRET})
    assert [line.split("; ")[0] for line in error.value.errors] == [
        "senders.toml: [senders.a] heder: not a key of a sender: 'heder'",
        "senders.toml: [senders.b] rate_limit: 'often' is not a rate",
        (
            "senders.toml: [senders.b] filter: is not a JMESPath: "
            'Invalid jmespath expression: Incomplete expression: "a[" ^'
        ),
        "senders.toml: [senders.architect] the name is taken by the data action, whose keys are API_KEYS",
    ]
    assert not any("\n" in line for line in error.value.errors)


@pytest.mark.parametrize("name", ["Zendesk", "a_b", "'a b'", "'ü'", "a" * 41, "''", "'../x'"])
def test_a_name_that_is_no_part_of_a_url_is_refused(name):
    assert faults(GOOD, name)[0].endswith("a name has 1 to 40 small letters, digits and hyphens")


# A row.


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (GOOD.replace("github", "guthib"), "signature: unknown scheme 'guthib'; did you mean 'github'? choose one of "),
        (
            GOOD.replace("custom", "costum"),
            "envelope: unknown envelope 'costum'; did you mean 'custom'? choose one of ",
        ),
        (GOOD + "headr = 'x'", "headr: not a key of a sender: 'headr'; did you mean 'header'? choose one of "),
        (
            GOOD + "response_policy = 'zendisk'",
            "response_policy: unknown response_policy 'zendisk'; did you mean 'zendesk'? choose one of ",
        ),
        (GOOD + "always_200 = 'both'", "always_200: must be true or false"),
        (GOOD + "reuse_live_session = 'no'", "reuse_live_session: must be true or false"),
        (GOOD + "deadline_seconds = 'soon'", "deadline_seconds: must be a number of seconds from 0.5 to 55"),
        (GOOD + "deadline_seconds = true", "deadline_seconds: must be a number of seconds from 0.5 to 55"),
        (GOOD + "deadline_seconds = nan", "deadline_seconds: must be a number of seconds from 0.5 to 55"),
        (GOOD + "deadline_seconds = 0", "deadline_seconds: must be a number of seconds from 0.5 to 55"),
        (GOOD + "deadline_seconds = 10", "deadline_seconds: 10 is too long; github waits 10 s in all"),
        (GOOD + "conversation_id = 'a b'", "conversation_id: is not a JMESPath: "),
        (GOOD + "conversation_id = ''", "conversation_id: must be a text that is not empty"),
        (GOOD + "filter = 'lenght(@) > `1`'", "filter: is not a JMESPath: there is no function lenght()"),
        (GOOD + "filter = 'a && not_there(b)'", "filter: is not a JMESPath: there is no function not_there()"),
        (GOOD + "delivery_id = 'header:'", "delivery_id: must be the name of a header"),
        (GOOD + "delivery_id = 'header:a b'", "delivery_id: must be the name of a header"),
        (GOOD + "rate_limit = '0/minute'", "rate_limit: '0/minute' is not a rate; write it as 60/minute"),
        (
            GOOD + "rate_limit = '1/second;5/minute'",
            "rate_limit: '1/second;5/minute' is not a rate; write it as 60/minute",
        ),
        (GOOD + "topics = ['user.start']", "topics: the envelope 'custom' has none"),
        (GOOD + "header = 'X'", "header: the scheme 'github' has no use for it; it uses secrets"),
        (GOOD + "tolerance_seconds = 5", "tolerance_seconds: the scheme 'github' has no use for it; it uses secrets"),
        (
            GOOD.replace("custom", "hubspot"),
            "conversation_id: is missing; the envelope 'hubspot' has no place of its own",
        ),
        ('secrets = ["$S"]\nenvelope = "custom"', "signature: is missing; choose one of standard-webhooks, "),
        ('secrets = ["$S"]\nsignature = "github"', "envelope: is missing; choose one of eventbridge, "),
        (GOOD.replace("github", "hmac"), "header: is missing; the scheme 'hmac' needs it"),
        (
            GOOD.replace("github", "hubspot-v3"),
            "signature: the scheme 'hubspot-v3' needs PUBLIC_BASE_URL, which is not set",
        ),
    ],
)
def test_a_row_with_a_fault_is_told_which(row, told):
    assert fault(row).startswith(told)


def test_a_topics_list_without_topics_starts_nothing_and_is_refused():
    assert fault(GOOD.replace("custom", "eventbridge") + "topics = []").startswith("topics: must be a list")


HMAC = GOOD.replace("github", "hmac") + 'header = "X-Sig"\n'


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("template = '{timestamp}.{body}'", "timestamp_header: is missing; the template has a {timestamp}"),
        ("template = '{timestamp}'\ntimestamp_header = 'T'", "template: has no {body}, so the body could be altered"),
        (
            "template = '{body}'\ntimestamp_header = 'T'",
            "template: has no {timestamp}, so the timestamp could be altered",
        ),
        ("template = '{body}{id}'", "template: has an unknown {id}; the parts are body, timestamp, method, path, uri"),
        ("template = '{body}{}'", "template: has an unknown {}; the parts are body, "),
        ("template = '{uri}{body}'", "template: has the URI, which needs PUBLIC_BASE_URL, which is not set"),
        ("timestamp_unit = 'ms'", "timestamp_unit: nothing to use it on without a timestamp_header"),
        ("timestamp_unit = 'h'\ntimestamp_header = 'T'", "timestamp_unit: unknown 'h'; choose one of s, ms, iso"),
        ("algorithm = 'md5'", "algorithm: unknown 'md5'; choose one of sha256, sha512"),
        ("encoding = 'base32'", "encoding: unknown 'base32'; did you mean 'base64'? choose one of hex, base64"),
    ],
)
def test_a_generic_hmac_that_proves_too_little_is_refused(more, told):
    assert fault(HMAC + more).startswith(told)


def test_a_generic_hmac_signs_the_body_and_the_timestamp_if_there_is_one():
    assert load(HMAC).get("one").auth_config.template == "{body}"
    assert load(HMAC + "timestamp_header = 'T'").get("one").auth_config.template == "{timestamp}.{body}"


def test_a_key_is_in_one_place():
    assert fault(GOOD.replace("github", "api-key") + "header = 'X'\nquery = 'code'").startswith(
        "query: the key can't be"
    )


def test_mtls_needs_to_know_whom_to_trust():
    row = 'signature = "mtls"\nenvelope = "custom"\nsubjects = ["CN=x"]\nsubject_header = "X-Subject"\n'
    assert fault(row) == "signature: the scheme 'mtls' needs TRUSTED_PROXIES, which is not set"
    assert fault(row + 'secrets = ["$S"]', trusted_proxies=("10.0.0.1",)).startswith(
        "secrets: the scheme 'mtls' has no use"
    )
    assert load(row, trusted_proxies=("10.0.0.1",)).get("one").secrets == ()


# Secrets.


MORE = {"hmac": "header = 'X-Sig'\n", "jwt": "issuer = 'i'\naudience = 'a'\n"}
WRONG_SECRETS = [
    ('["$NOT_SET"]', "secrets: $NOT_SET is not set in the environment"),
    ('["$EMPTY"]', "secrets: $EMPTY is not set in the environment"),
    ('["$SHORT"]', "secrets: $SHORT is under 16 bytes"),
    ('["hunter2-hunter2-hunter2"]', "secrets: a secret does not belong in this file; put it into the environment"),
    ('["$S-and-more"]', "secrets: a secret does not belong in this file; put it into the environment"),
    ("[]", "secrets: must be a list of texts with at least one"),
    ('"$S"', "secrets: must be a list of texts with at least one"),
    ("[1]", "secrets: must be a list of texts with at least one"),
]


@pytest.mark.parametrize("scheme", [name for name, scheme in SCHEMES.items() if scheme.secrets != "none"])
def test_no_scheme_starts_with_a_secret_that_is_missing_short_or_in_the_file(scheme):
    more = MORE.get(scheme, "")
    env = {"SHORT": "whsec_AAAA"} if scheme == "standard-webhooks" else {}
    form = SCHEMES[scheme].key_form(SCHEMES[scheme].preset)
    for secrets, told in WRONG_SECRETS:
        # What is too short for its form is no key at all.
        own = f"$SHORT is not of the form {form}" if form and scheme != "standard-webhooks" else told
        row = GOOD.replace("github", scheme).replace('["$S"]', secrets) + more
        found = faults(row, env=env, public_base_url=BASE_URL)
        assert any((own if "under 16" in told else told) in line for line in found), secrets
        assert "hunter2" not in "\n".join(found)


@pytest.mark.parametrize("scheme", [name for name, scheme in SCHEMES.items() if scheme.secrets != "none"])
def test_no_scheme_starts_without_secrets(scheme):
    row = GOOD.replace("github", scheme).replace('secrets = ["$S"]\n', "") + MORE.get(scheme, "")
    assert fault(row, public_base_url=BASE_URL).startswith(
        (
            "secrets: is missing; name the variables that hold them",
            "jwks_url: name it, or public keys in PEM in secrets",
        )
    )


def test_a_standard_webhooks_secret_that_is_no_base64_is_refused_at_the_start():
    """The library would skip what isn't base64 and go on with what is left of the key."""
    row = GOOD.replace("github", "standard-webhooks")
    for secret in ("whsec_not-base64-not-base64!", "a passphrase of my own, with spaces", "whsec_ümläütümläütümläüt"):
        assert fault(row, env={"S": secret}).startswith("secrets: $S is not of the form whsec_ and base64")


def test_several_secrets_may_be_good_at_once_and_whitespace_around_them_is_the_shells():
    row = GOOD.replace('["$S"]', '["$NEW", "$OLD"]')
    sender = load(row, env={"NEW": "new-" + SECRET + "\n", "OLD": "old-" + SECRET}).get("one")
    assert sender.secrets == ("new-" + SECRET, "old-" + SECRET)


def test_what_is_shown_of_the_senders_holds_no_secret():
    loaded = senders()
    shown = repr(loaded) + str(loaded.masked())
    for secret in environ(EXAMPLE.read_text()).values():
        assert secret not in shown
    crm = next(row for row in loaded.masked() if row["name"] == "crm")
    assert crm["secrets"] == ["$CRM_SECRET •••", "$CRM_SECRET_BEFORE •••"]
    assert crm["path"] == "/webhooks/crm"


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
def test_a_failure_is_redelivered_exactly_if_that_can_help(name):
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
def test_a_batch_is_redelivered_exactly_if_that_can_fix_any_of_it(failures, told):
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


def test_a_sender_over_its_rate_is_told_when_to_retry():
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
def test_a_storage_that_cannot_be_used_is_reported_without_its_password(url):
    try:
        RateLimiter(url)
    except RateStorageError as error:
        (told,) = error.errors
        assert told.startswith("RATE_LIMIT_STORAGE: ")
        assert "hunter2" not in told
