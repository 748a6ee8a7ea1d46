"""What a scheme is that says no more than how it verifies and signs, and a service that sets nothing."""

from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.scheme import Scheme, SenderContext

BARE = Scheme("bare", lambda *_: "S", lambda *_: AuthParts())


def test_a_service_that_sets_nothing_gives_this_to_a_row():
    assert SenderContext({}) == SenderContext(
        environ={}, public_base_url="", trusted_proxies=(), max_body_bytes=2_097_152, schemes={}, participant_data=False
    )


def test_a_bare_scheme_asks_for_secrets_and_for_nothing_else():
    assert (BARE.secrets, BARE.openapi, BARE.preset, BARE.keys) == ("required", {}, {}, {})
    assert (BARE.required, BARE.settings, BARE.delivery_ids) == ((), (), ())
    assert (BARE.covers_body, BARE.covers_delivery_id) == (False, False)
    assert BARE.response_policy == ""


def test_a_bare_scheme_takes_a_row_as_it_is_and_a_secret_as_its_key():
    row = {"header": "X"}
    assert (BARE.errors(row, SenderContext({})), BARE.warnings(row)) == ([], [])
    assert BARE.with_defaults(row) is row
    assert BARE.prepare(AuthConfig(secrets=(Secret("s"),)), row) is None
    assert BARE.start(None) is None
    form = BARE.secret_form(row)
    assert (form.key_of("é\udcff"), form.name, form.sample("text"), form.prefix) == (
        b"\xc3\xa9\xff",
        "",
        "text",
        "",
    )
