"""Settings: every fault at once, secrets never shown, and a service that does not start half-configured."""

import pytest

from console.sign_in import user_row
from integrations.regions import REGIONS
from integrations.senders.auth.standard_webhooks import SECRET_FORM
from settings import SettingsError, explained_in, load_settings

GOOD = {"GENESYS_CLIENT_ID": "id", "GENESYS_CLIENT_SECRET": "s3cr3t-value", "API_KEYS": "flow:0123456789abcdef"}


def faults(**environ):
    with pytest.raises(SettingsError) as error:
        load_settings(environ)
    return error.value.errors


def test_an_oauth_client_and_a_key_are_all_that_production_needs():
    settings = load_settings(GOOD)
    assert settings.api_url == "https://api.mypurecloud.com"
    assert settings.login_url == "https://login.mypurecloud.com"
    assert settings.deadline_seconds == 10


def test_nothing_set_names_everything_that_is_missing():
    assert [fault.split(":")[0] for fault in faults()] == ["GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "API_KEYS"]


LOOPBACK = {"GENESYS_API_URL": "http://127.0.0.1:9099", "GENESYS_LOGIN_URL": "http://localhost:9099/"}


def test_a_sandbox_needs_nothing_else():
    settings = load_settings(LOOPBACK | {"SANDBOX": "true"})
    assert settings.sandbox
    assert settings.login_url == "http://localhost:9099"


def test_what_is_on_loopback_is_no_sandbox_unless_it_is_said_to_be_one():
    assert [fault.split(":")[0] for fault in faults(**LOOPBACK)] == [
        "GENESYS_CLIENT_ID",
        "GENESYS_CLIENT_SECRET",
        "API_KEYS",
    ]
    assert not load_settings(GOOD | LOOPBACK).sandbox


def test_genesyss_own_hosts_are_no_sandbox():
    assert [fault.split(":")[0] for fault in faults(**GOOD, SANDBOX="true")] == ["GENESYS_API_URL", "GENESYS_LOGIN_URL"]


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        (GOOD, "0.0.0.0"),
        (LOOPBACK | {"SANDBOX": "true"}, "127.0.0.1"),
        (LOOPBACK | {"SANDBOX": "1", "API_KEYS": " "}, "127.0.0.1"),
        (LOOPBACK | {"SANDBOX": "true", "API_KEYS": "flow:0123456789abcdef"}, "0.0.0.0"),
        (LOOPBACK | {"SANDBOX": "true", "HOST": "10.0.0.7"}, "10.0.0.7"),
        (GOOD | {"SANDBOX": "false", "HOST": " "}, "0.0.0.0"),
    ],
)
def test_a_service_that_is_open_to_all_listens_on_loopback_by_default(environ, host):
    assert load_settings(environ).listen_host == host


def test_every_variable_of_a_wrong_form_is_named_at_once():
    found = faults(
        **GOOD,
        DEADLINE_SECONDS="soon",
        MAX_BODY_BYTES="1",
        COBROWSE_FLOW="fast",
        ALLOW_LATEST="maybe",
    )
    assert {fault.split(":")[0] for fault in found} == {
        "DEADLINE_SECONDS",
        "MAX_BODY_BYTES",
        "COBROWSE_FLOW",
        "ALLOW_LATEST",
    }


def test_what_is_wrong_of_itself_and_what_is_missing_are_told_together_and_show_what_came():
    found = faults(DEADLINE_SECONDS="soon", LOG_FORMAT="x" * 200, GENESYS_REGION="mars", PORT="70000")
    assert [fault.split(":")[0] for fault in found] == [
        *("DEADLINE_SECONDS", "LOG_FORMAT", "PORT", "GENESYS_REGION", "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET"),
        "API_KEYS",
    ]
    assert found[0] == "DEADLINE_SECONDS: Not a valid number. It is 'soon'."
    assert found[1] == f"LOG_FORMAT: Must be one of auto, json, console. It is '{'x' * 60}'."


def test_a_switch_that_is_neither_on_nor_off_says_nothing_about_what_else_is_needed():
    assert faults(SANDBOX="perhaps") == ["SANDBOX: Not a valid boolean. It is 'perhaps'."]


def test_a_password_is_set_once(tmp_path):
    (tmp_path / "password").write_text("a-password-of-all\n")
    file = {"CONSOLE_PASSWORD_FILE": str(tmp_path / "password")}
    assert load_settings(GOOD | file).console_password.reveal() == "a-password-of-all"
    (tmp_path / "password").write_text("a-password-of-all\r\n", "utf-8-sig")  # as editors on Windows write it
    assert load_settings(GOOD | file).console_password.reveal() == "a-password-of-all"
    assert faults(**GOOD, **file, CONSOLE_PASSWORD="another-password") == [
        "CONSOLE_PASSWORD_FILE: set together with CONSOLE_PASSWORD; set one of the two"
    ]
    entry = user_row("ann", "operator", "a-password-of-ann")
    (both,) = faults(**GOOD, CONSOLE_PASSWORD="a-password-of-all", CONSOLE_USERS=entry)
    assert both.startswith("CONSOLE_USERS: set together with CONSOLE_PASSWORD, which admits anyone who knows it")
    assert "a-password" not in both


def test_an_empty_number_switch_or_choice_is_at_its_default():
    empty = dict.fromkeys(("DEADLINE_SECONDS", "SANDBOX", "LEDGER_REQUIRED", "LOG_FORMAT", "PORT"), " ")
    assert load_settings(GOOD | empty) == load_settings(GOOD)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("CONSOLE_PASSWORD", "short-one", "12 bytes or longer"),
        ("METRICS_TOKEN", "short-token", "16 bytes or longer"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.example:4318", "http://collector:4318"),
        ("PUBLIC_BASE_URL", "https://user:hidden-word@x", "plain http(s) URL"),
    ],
)
def test_a_value_that_does_not_do_gets_a_remedy_and_is_not_shown(name, value, remedy):
    (found,) = faults(**GOOD, **{name: value})
    assert found.startswith(f"{name}: must be ")
    assert remedy in found
    assert value not in found


def test_an_unknown_region_lists_the_known_ones():
    (found,) = faults(**GOOD, GENESYS_REGION="mypurecloud.org")
    assert all(region in found for region in REGIONS)
    assert "GENESYS_API_URL and GENESYS_LOGIN_URL" in found


@pytest.mark.parametrize(
    ("pasted", "region"),
    [
        *((region, region) for region in REGIONS),
        ("  MyPureCloud.IE \n", "mypurecloud.ie"),
        ('"mypurecloud.de"', "mypurecloud.de"),
        ("https://api.mypurecloud.ie", "mypurecloud.ie"),
        ("https://api.usw2.pure.cloud/", "usw2.pure.cloud"),
        ("HTTPS://LOGIN.EUW2.PURE.CLOUD/oauth/token?x=1", "euw2.pure.cloud"),
        ("https://apps.mypurecloud.com.au/directory/#/admin", "mypurecloud.com.au"),
        ("apps.cac1.pure.cloud:443", "cac1.pure.cloud"),
        ("login.mypurecloud.jp.", "mypurecloud.jp"),
        ("us-east-1", "mypurecloud.com"),
        ("US_EAST_1", "mypurecloud.com"),
        ("eu central 1", "mypurecloud.de"),
        ("ap-southeast-1", "apse1.pure.cloud"),
        ("mx-central-1", "mxc1.pure.cloud"),
        ("prod-euw2", "euw2.pure.cloud"),
        ("prod-use1", "mypurecloud.com"),
        ("usw2", "usw2.pure.cloud"),
        ("wss://streaming.usw2.pure.cloud", "usw2.pure.cloud"),
        ("apne3", "apne3.pure.cloud"),
        ("", "mypurecloud.com"),
    ],
)
def test_a_region_is_known_by_whatever_people_paste(pasted, region):
    assert load_settings({**GOOD, "GENESYS_REGION": pasted}).genesys_region == region


@pytest.mark.parametrize("pasted", ["mars", "api.", "https://", "purecloud.com", "us-east-9", "xusw2.pure.cloud"])
def test_what_means_no_region_is_refused_unless_both_urls_are_set(pasted):
    (found,) = faults(**GOOD, GENESYS_REGION=pasted)
    assert found.startswith("GENESYS_REGION: ")
    urls = {"GENESYS_API_URL": "https://gateway.example.com", "GENESYS_LOGIN_URL": "https://gateway.example.com"}
    assert load_settings({**GOOD, **urls, "GENESYS_REGION": pasted}).api_url == "https://gateway.example.com"


@pytest.mark.parametrize(
    "proxy", ["proxy:3128", "socks5://proxy", "http://", "http://proxy:x", "http://u:hidden-word@h/p"]
)
def test_a_proxy_is_a_plain_url_and_its_password_is_not_shown(proxy):
    (found,) = faults(**GOOD, GENESYS_PROXY=proxy)
    assert found.startswith("GENESYS_PROXY: ")
    assert "hidden-word" not in found
    settings = load_settings({**GOOD, "GENESYS_PROXY": "https://u:hidden-word@proxy.example.com:3128"})
    assert "hidden-word" not in repr(settings)


def test_a_client_certificate_is_a_file_that_can_be_read_and_a_key_goes_with_one(tmp_path):
    (found,) = faults(**GOOD, GENESYS_CLIENT_CERT=str(tmp_path / "none.pem"))
    assert "can't be read" in found
    key = tmp_path / "key.pem"
    key.write_text("")
    (found,) = faults(**GOOD, GENESYS_CLIENT_KEY=str(key))
    assert found == "GENESYS_CLIENT_KEY: set without GENESYS_CLIENT_CERT, whose key it is"


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example.com",
        "ftp://x",
        "https://user:pw@x",
        "https://:pw@x",
        "https://@x",
        "https://user@x",
        "https://x?y=1",
        "nonsense",
    ],
)
def test_a_url_that_could_leak_the_secret_is_refused(url):
    assert faults(**GOOD, GENESYS_API_URL=url)[0].startswith("GENESYS_API_URL")


RECEIVER = {"OUTCOME_WEBHOOK_URL": "https://crm.example.com/outcomes?code=hidden-word"}
SIGNING = SECRET_FORM.sample("of twenty-four bytes or more")


def test_outcomes_are_sent_to_a_url_that_may_hold_a_token_with_secrets_that_sign(tmp_path):
    settings = load_settings({**GOOD, **RECEIVER, "OUTCOME_WEBHOOK_SECRET": f"{SIGNING},{SIGNING}"})
    assert settings.outcome_webhook_url.reveal() == RECEIVER["OUTCOME_WEBHOOK_URL"]
    assert [secret.reveal() for secret in settings.outcome_webhook_secret] == [SIGNING] * 2
    assert "hidden-word" not in repr(settings)
    files = {}
    for name, value in (("OUTCOME_WEBHOOK_URL", "http://127.0.0.1:9/"), ("OUTCOME_WEBHOOK_SECRET", SIGNING)):
        (tmp_path / name).write_text(f"{value}\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    read = load_settings({**GOOD, **files})
    assert (read.outcome_webhook_url.reveal(), len(read.outcome_webhook_secret)) == ("http://127.0.0.1:9/", 1)


def test_a_receiver_without_a_secret_is_refused():
    (found,) = faults(**GOOD, **RECEIVER)
    assert found.startswith("OUTCOME_WEBHOOK_SECRET: required with OUTCOME_WEBHOOK_URL")


@pytest.mark.parametrize(
    "url", ["http://crm.example.com", "ftp://x", "https://user:hidden-word@x", "https://x#y", "crm"]
)
def test_a_receiver_that_could_be_overheard_is_refused(url):
    (found,) = faults(**GOOD, OUTCOME_WEBHOOK_URL=url, OUTCOME_WEBHOOK_SECRET=SIGNING)
    assert found.startswith("OUTCOME_WEBHOOK_URL: must be ")
    assert "hidden-word" not in found


@pytest.mark.parametrize(
    "secret", ["whsec_c2hvcnQ=", "whsec_not-base64!", SIGNING.removeprefix("whsec_"), "whsec_", "x"]
)
def test_a_signing_secret_of_another_form_is_refused_and_not_shown(secret):
    (found,) = faults(**GOOD, **RECEIVER, OUTCOME_WEBHOOK_SECRET=f"{SIGNING} {secret}")
    assert "24 to 64 bytes" in found
    assert secret == "x" or secret not in found.replace("whsec_ and", "")


def test_a_wrong_proxy_network_is_named():
    found = faults(**GOOD, TRUSTED_PROXIES="::ffff:10.0.0.7")
    assert found == ["TRUSTED_PROXIES: '::ffff:10.0.0.7' is not an address or network; use a form such as 10.0.0.0/8"]
    found = faults(**GOOD, TRUSTED_PROXIES="10.0.0.0/8, proxy.local")
    assert found == ["TRUSTED_PROXIES: 'proxy.local' is not an address or network; use a form such as 10.0.0.0/8"]


def test_no_secret_shows_in_the_settings_repr():
    more = {"LEDGER_KEYS": "key-one key-two", "LEDGER_URL": "postgresql+psycopg://u:hunter2@h/d"}
    shown = repr(load_settings(GOOD | more))
    for secret in ("s3cr3t-value", "0123456789abcdef", "key-one", "hunter2"):
        assert secret not in shown


OIDC = {
    **GOOD,
    "CONSOLE_OIDC_ISSUER": "https://login.example.com/tenant",
    "CONSOLE_OIDC_CLIENT_ID": "console",
    "CONSOLE_OIDC_CLIENT_SECRET": "a-secret-of-the-console",
    "CONSOLE_OIDC_VIEWERS": "agents",
    "PUBLIC_BASE_URL": "https://cobrowse.example.com",
}


def test_single_sign_on_needs_its_client_and_the_way_back():
    assert load_settings(OIDC).has_console
    missing = faults(**{**GOOD, "CONSOLE_OIDC_ISSUER": OIDC["CONSOLE_OIDC_ISSUER"]})
    for name in ("CLIENT_ID", "CLIENT_SECRET", "OPERATORS"):
        assert any(fault.startswith(f"CONSOLE_OIDC_{name}: required with CONSOLE_OIDC_ISSUER") for fault in missing)
    assert any(fault.startswith("PUBLIC_BASE_URL: required") for fault in missing)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PUBLIC_BASE_URL", "http://cobrowse.example.com", "must be https with CONSOLE_OIDC_ISSUER"),
        ("CONSOLE_OIDC_ISSUER", "http://login.example.com", "must be https"),
        ("CONSOLE_OIDC_CLIENT_SECRET", "short", "16 bytes or longer"),
    ],
)
def test_single_sign_on_is_over_https_with_a_secret_that_cant_be_guessed(name, value, said):
    [fault] = faults(**{**OIDC, name: value})
    assert fault.startswith(f"{name}: ")
    assert said in fault


def test_a_secret_without_an_issuer_opens_no_console():
    assert not load_settings({**GOOD, "CONSOLE_OIDC_CLIENT_SECRET": "a-secret-of-the-console"}).has_console


@pytest.mark.parametrize(
    ("errors", "where"),
    [
        (["PORT: must be a number", "LEDGER_URL must be sqlite:///file"], ".env.example explains each variable"),
        (["s.toml: [senders.a] secrets: $A is not set"], "senders.example.toml explains each key of the file"),
        (
            ["S.toml: is not TOML", "PORT: must be a number"],
            ".env.example explains each variable; senders.example.toml explains each key of the file",
        ),
    ],
)
def test_what_is_wrong_is_explained_where_it_is_written(errors, where):
    assert explained_in(errors) == where
