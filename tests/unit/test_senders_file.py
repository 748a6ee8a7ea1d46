"""senders.toml: checked whole, each fault a line; and what a row makes of a sender."""

import re

import pytest

from cobrowse.model import Secret
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.registry import SendersFileError, load_senders
from tests.payloads import BASE_URL, EXAMPLE, environ, senders
from tests.unit.rows import GOOD, SECRET, load


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
    assert load_senders(path, {"S": SECRET}).get("one").secrets == (Secret(SECRET),)
    path.write_text(f"[senders.one]\n{GOOD}", "utf-8-sig")  # with a byte order mark
    assert load_senders(path, {"S": SECRET}).names == ("one",)
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
        (GOOD.replace("github", "guthib"), "signature: unknown scheme 'guthib'; did you mean 'github'?"),
        (
            GOOD.replace("custom", "costum"),
            "envelope: unknown envelope 'costum'; did you mean 'custom'? choose one of ",
        ),
        (GOOD + "headr = 'x'", "headr: not a key of a sender: 'headr'; did you mean 'header'?"),
        (
            GOOD + "response_policy = 'zendisk'",
            "response_policy: unknown response_policy 'zendisk'; did you mean 'zendesk'?",
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
        (GOOD + "delivery_id = 'header:'", "delivery_id: is not a JMESPath: "),
        (GOOD + "delivery_id = 'header:a b'", "delivery_id: is not a JMESPath: "),
        (GOOD + "rate_limit = '0/minute'", "rate_limit: '0/minute' is not a rate; write it as 60/minute"),
        (
            GOOD + "rate_limit = '1/second;5/minute'",
            "rate_limit: '1/second;5/minute' is not a rate; write it as 60/minute",
        ),
        (GOOD + "topics = ['user.start']", "topics: the envelope 'custom' has no use for it"),
        (GOOD + "header = 'X'", "header: the scheme 'github' has no use for it; it uses secrets"),
        (GOOD + "tolerance_seconds = 5", "tolerance_seconds: the scheme 'github' has no use for it; it uses secrets"),
        (
            GOOD.replace("custom", "hubspot"),
            "conversation_id: is missing; the envelope 'hubspot' needs it",
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
        ("algorithm = 'md5'", "algorithm: unknown 'md5'; choose one of sha256, sha384, sha512"),
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
    form = SCHEMES[scheme].secret_form(SCHEMES[scheme].preset).name
    for secrets, told in WRONG_SECRETS:
        # What is too short for its form is no key at all, but in base64.
        own = f"$SHORT is not of the form {form}" if form and scheme not in ("standard-webhooks", "teams") else told
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
    assert sender.secrets == (Secret("new-" + SECRET), Secret("old-" + SECRET))


def test_what_is_shown_of_the_senders_holds_no_secret():
    loaded = senders()
    shown = repr(loaded) + str(loaded.masked())
    for secret in environ(EXAMPLE.read_text()).values():
        assert secret not in shown
    crm = next(row for row in loaded.masked() if row["name"] == "crm")
    assert crm["secrets"] == ["$CRM_SECRET •••", "$CRM_SECRET_BEFORE •••"]
    assert crm["path"] == "/webhooks/crm"
