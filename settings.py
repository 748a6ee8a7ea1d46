"""Every setting of the service, a line each: name, type, default, help. All errors are reported, secrets masked.

.env.example and the table in docs/operations.md are written from this one: `make generate`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from marshmallow.validate import Range

from cobrowse.model import Secret
from integrations.genesys.flows import AUTO, MODES
from integrations.genesys.grants import AUTO as GRANT_AUTO
from integrations.genesys.grants import GRANTS, USER
from integrations.genesys.user_login import UserClient
from integrations.regions import REGIONS, region_of
from integrations.secret_files import Variables
from schemas.addresses import http_url, is_loopback
from schemas.console_users import parse_users
from schemas.environment import (
    at_least,
    choice,
    collector_url,
    networks,
    plain_url,
    proxy_url,
    read,
    readable_file,
    receiver_url,
    redirect_uri,
    rows,
    safe_url,
    setting,
    webhook_secrets,
)

# The process's own environment, in which NAME_FILE stands for NAME.
ENVIRONMENT = Variables(os.environ)


class SettingsError(Exception):
    """The environment is not one to start with. `errors` has one line for each variable that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings. Times are seconds, sizes bytes. Field names are the variables' names."""

    genesys_client_id: str = setting(
        "",
        "The OAuth client: Admin, Integrations, OAuth, grant type client credentials (docs/genesys-setup.md).",
        section="Genesys Cloud",
        asked=True,
    )
    genesys_client_secret: Secret = setting(Secret(), "The OAuth client's secret.", asked=True)
    genesys_grant: str = setting(
        GRANT_AUTO,
        "Whose token calls go out with. `client_credentials`: the OAuth client's. `service_user`: that of the user who "
        "has run `cobrowse-bridge login`. `auto`: the client's, and the user's for the operations that Genesys refuses "
        "to a client for lack of a user (docs/genesys-setup.md#act-as-a-user).",
        choice(*GRANTS),
    )
    genesys_user_client_id: str = setting(
        "",
        "A second OAuth client, grant type code authorization, through which a service user logs in; without it there "
        "is none.",
    )
    genesys_user_client_secret: Secret = setting(
        Secret(), "Its secret. Without one the client is public, and the login uses PKCE."
    )
    genesys_user_redirect_uri: str = setting(
        "http://localhost:8765/callback",
        "The redirect URI of that client, exactly as Genesys has it; `login` listens there if it is on loopback.",
        redirect_uri,
    )
    genesys_region: str = setting(
        "mypurecloud.com",
        "The org's region: its host in any case, with `https://`, `api.`, `login.` or `apps.` or not, AWS's name "
        "(`us-east-1`) or Genesys's (`prod-euw2`, `usw2`).",
        asked=True,
        meant=lambda region: region_of(region or "mypurecloud.com"),
    )
    sandbox: bool = setting(
        False,
        "`true`: Genesys is a sandbox (`cobrowse-bridge sandbox`), which must identify itself as one. Needs no "
        "OAuth client and no `API_KEYS`; without keys the service is open to all callers, so it listens on "
        "loopback only.",
    )
    genesys_api_url: str = setting(
        "",
        "A gateway or a sandbox instead of `https://api.{region}`; http for loopback only.",
        safe_url,
        example="http://127.0.0.1:9099",
        meant=_without_slash,
    )
    genesys_login_url: str = setting(
        "", "The same for `https://login.{region}`.", safe_url, example="http://127.0.0.1:9099", meant=_without_slash
    )
    genesys_ca_file: str = setting("", "A file of additional trusted CA certificates, for a gateway.")
    genesys_proxy: Secret = setting(
        Secret(),
        "A forward proxy for all calls to Genesys, http or https, with a user and password if it requires them; "
        "the commands and `doctor` use it too, and `HTTPS_PROXY` is not read.",
        proxy_url,
        example="http://user:password@proxy.example.com:3128",
    )
    no_proxy: str = setting(
        "",
        "Hosts reached without it, with commas: names (with their subdomains), addresses, networks; `*` is all.",
    )
    genesys_client_cert: str = setting(
        "", "A PEM file with the client certificate for a gateway that requires one.", readable_file
    )
    genesys_client_key: str = setting("", "A PEM file with its key, if the certificate's file has none.", readable_file)
    max_upstream_bytes: int = setting(
        8_388_608,
        "Most bytes of a Genesys response, unpacked; a larger one is `genesys_bad_response`, which names this setting. "
        "A conversation with thousands of messages has a few million. A worker that reads one takes up to eight times "
        "its bytes of memory, one conversation at a time.",
        Range(65_536, 1 << 30),
    )
    cobrowse_flow: str = setting(
        AUTO,
        "`media`: create, attach. `native`: one call, as in Genesys's published API. `auto`: media unless the "
        "org lacks it (docs/genesys-setup.md#which-flow-your-org-has).",
        choice(*MODES),
    )

    end_media_sessions: bool = setting(
        False,
        "Whether an end tries the native flow's call on a session of the media flow, which is not confirmed "
        "(docs/lifecycle.md#end).",
    )
    participant_data: bool = setting(
        False,
        "Whether a start writes its links, code and id into the customer's participant data where the request does "
        "not say; anyone with access to the interaction's data can see them (docs/lifecycle.md#hand-over).",
    )

    api_keys: Secret = setting(
        Secret(),
        "`name:key` pairs for the callers of the data action's endpoint, separated by commas or blanks; a key "
        "needs 16 bytes or more. Several keys may have one name, to rotate a key. Create one: `python -c "
        '"import secrets; print(secrets.token_urlsafe(32))"`',
        section="Callers",
        asked=True,
    )
    console_password: Secret = setting(
        Secret(),
        "The password of the console at `/console`, with any user name; 12 bytes or more. Without it, "
        "`CONSOLE_USERS` and `CONSOLE_OIDC_ISSUER`: no console, or on the sandbox one on loopback.",
        at_least(12, "a shorter password can be guessed"),
    )
    console_users: tuple[Secret, ...] = setting(
        (),
        "Named users of the console instead of one password, `name:role:hash` with commas; role `viewer` or `operator` "
        "(may run again and end sessions). Make one: `cobrowse-bridge console-user NAME`",
        parse_users,
    )
    console_oidc_issuer: str = setting(
        "",
        "An OpenID Connect provider that people sign in to the console at, beside passwords or without; needs "
        "`PUBLIC_BASE_URL`, whose `/console/sign-in/callback` is the redirect URI "
        "(docs/operations.md#single-sign-on).",
        safe_url,
        example="https://login.microsoftonline.com/your-tenant-id/v2.0",
    )
    console_oidc_client_id: str = setting("", "The console's client at the provider.")
    console_oidc_client_secret: Secret = setting(
        Secret(), "Its secret, 16 bytes or more.", at_least(16, "let the provider make one")
    )
    console_oidc_scope: str = setting(
        "openid profile email", "The scopes asked for; some providers give groups for a scope of their own only."
    )
    console_oidc_claim: str = setting(
        "roles", "The claim of the ID token, a text or a list, that says who may what: `roles`, `groups`, `email`."
    )
    console_oidc_operators: str = setting(
        "", "Values of that claim, with commas, that make a person an operator.", example="cobrowse-operators"
    )
    console_oidc_viewers: str = setting(
        "", "Those that make a viewer. Nobody else gets in.", example="cobrowse-viewers,contact-centre"
    )
    console_label: str = setting(
        "",
        "What the console's header names this environment or org; `production` is red.",
        example="production",
    )
    senders_file: str = setting(
        "",
        "The file with the other senders, a row each (senders.example.toml, docs/senders.md). Choose the "
        "names of their secrets' variables.",
        example="senders.toml",
    )
    public_base_url: str = setting(
        "",
        "This service's address as senders see it; some signatures cover it.",
        plain_url,
        example="https://cobrowse.example.com",
        meant=_without_slash,
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses or networks of the proxies in front whose client-certificate header (mtls) is trusted.",
        networks,
        example="10.0.0.0/8",
    )
    rate_limit_storage: Secret = setting(
        Secret("memory://"), "Where senders' rates are counted: in each worker, or `redis://host:6379`."
    )
    allow_latest: bool = setting(
        False, "Whether a request may select the newest active webchat, which can be another customer's."
    )
    allow_user_tokens: bool = setting(False, "Whether a caller may send a user's own token in `Genesys-Access-Token`.")

    deadline_seconds: float = setting(
        10.0,
        "Most seconds for a data action's request, 0.5 to 55; keep it below the data action's own timeout.",
        Range(0.5, 55),
        section="Limits",
    )
    max_body_bytes: int = setting(
        2_097_152,
        "The most bytes of any request's body; a data action's is bounded by 65536 bytes, a sender's by its row's "
        "`max_body_bytes`.",
        Range(1_024, 10_485_760),
    )
    max_concurrent_initiations: int = setting(
        256, "Running initiations in a worker; beyond it a request is rejected at once with `overloaded`.", Range(1)
    )

    ledger_url: Secret = setting(
        Secret("sqlite:///ledger.sqlite3"),
        "The ledger, which prevents duplicates. One machine: SQLite. Several: "
        "`postgresql+psycopg://user:password@host/database`, then `cobrowse-bridge ledger upgrade` "
        "(docs/operations.md#the-ledger).",
        section="The ledger",
    )
    ledger_keys: tuple[Secret, ...] = setting(
        (),
        "Fernet keys, the newest first: join URLs and codes are kept encrypted. SQLite makes its own, PostgreSQL "
        'needs one: `python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"`',
    )
    ledger_retention_seconds: float = setting(
        86_400.0,
        "Seconds a response is kept for retries: 60 or more, and twice any sender's `tolerance_seconds` or more, "
        "so that no delivery is forgotten while its signature is valid. One that may have invited the customer is kept "
        "for a day at least.",
        Range(60),
    )
    ledger_required: bool = setting(
        True, "`false`: start sessions while the ledger is unreachable, at the risk of duplicates."
    )

    outcome_webhook_url: Secret = setting(
        Secret(),
        "Where each outcome is sent to, signed as Standard Webhooks has it; http for loopback only "
        "(docs/lifecycle.md#tell).",
        receiver_url,
        section="Outcome callbacks",
        example="https://crm.example.com/cobrowse-outcomes",
    )
    outcome_webhook_secret: tuple[Secret, ...] = setting(
        (),
        "Its secrets, `whsec_` and base64 of 24 to 64 bytes, with commas; each signs, so that one can be replaced. "
        'Make one: `python -c "import base64, secrets; '
        "print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\"`",
        webhook_secrets,
    )

    log_level: str = setting(
        "INFO",
        "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
        choice("DEBUG", "INFO", "WARNING", "ERROR"),
        section="Logs, metrics, traces",
    )
    log_format: str = setting(
        "auto",
        "`json`, `console`, or `auto`: `console` on a terminal, else `json`.",
        choice("auto", "json", "console"),
    )
    readyz_strict: bool = setting(
        False,
        "`true`: `/readyz` is 503 while Genesys is unreachable. `false`: it is 200 with the status `degraded`, so that "
        "an outage of Genesys takes no machine out of the load balancer.",
    )
    metrics_token: Secret = setting(
        Secret(),
        "The bearer token for `/metrics` and the messages of `/readyz`, 16 bytes or more. Without one nobody reads "
        "them, since requests through a proxy on this machine look local; with `SANDBOX` this machine may.",
        at_least(16, "generate one as for API_KEYS"),
    )
    otel_exporter_otlp_endpoint: str = setting(
        "",
        "The OpenTelemetry collector for traces, over HTTP. `OTEL_EXPORTER_OTLP_HEADERS`, "
        "`OTEL_TRACES_SAMPLER` and the other `OTEL_` variables count too.",
        collector_url,
        example="http://collector:4318",
    )

    host: str = setting(
        "",
        "The address gunicorn listens on: `0.0.0.0`, and with `SANDBOX` and no `API_KEYS` `127.0.0.1`.",
        section="The server",
    )
    port: int = setting(8000, "The port that gunicorn listens on.", Range(0, 65_535))
    web_concurrency: int = setting(0, "Worker processes; 0: as many as the machine has processors.", Range(0, 1_024))

    genesys_conversation_id: str = setting(
        "", "The default conversation of `cobrowse-bridge start`.", section="The command line"
    )

    NAMES: ClassVar[tuple[str, ...]]

    @property
    def api_url(self) -> str:
        """Where Genesys's Platform API is."""
        return self.genesys_api_url or f"https://api.{self.genesys_region}"

    @property
    def apps_url(self) -> str:
        """Where Genesys's own pages are; "" for a region that is not known, behind a gateway."""
        return f"https://apps.{self.genesys_region}" if self.genesys_region in REGIONS else ""

    @property
    def login_url(self) -> str:
        """Where Genesys's tokens come from."""
        return self.genesys_login_url or f"https://login.{self.genesys_region}"

    @property
    def user_client(self) -> UserClient | None:
        """The OAuth client through which a service user logs in, if there is one."""
        client_id, secret = self.genesys_user_client_id, self.genesys_user_client_secret
        return UserClient(self.login_url, client_id, secret, self.genesys_user_redirect_uri) if client_id else None

    @property
    def console_key(self) -> Secret:
        """Of all that people sign in to the console with, so that a change signs everybody out; empty without any."""
        secrets = (self.console_password, *self.console_users, self.console_oidc_client_secret)
        return Secret("\n".join(each.reveal() for each in secrets if each))

    @property
    def has_console(self) -> bool:
        """Whether there is a console: where people can sign in, and on a sandbox."""
        return bool(self.sandbox or self.console_password or self.console_users or self.console_oidc_issuer)

    @property
    def open_to_all(self) -> bool:
        """Whether data actions need no key: on a sandbox without any."""
        return self.sandbox and not self.api_keys

    @property
    def listen_host(self) -> str:
        """The address to listen on: loopback for a service that is open to all, unless HOST says otherwise."""
        return self.host or ("127.0.0.1" if self.open_to_all else "0.0.0.0")  # noqa: S104 - a server is there to be reached


Settings.NAMES = tuple(rows(Settings))
_CLIENT = ("GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET")
_USER_CLIENT = ("GENESYS_USER_CLIENT_ID",)
# A variable that is set, one without which it makes no sense, which of them to name, and what to say.
_NEEDS = (
    (
        *("GENESYS_CLIENT_KEY", "GENESYS_CLIENT_CERT", "GENESYS_CLIENT_KEY"),
        "set without GENESYS_CLIENT_CERT, whose key it is",
    ),
    (
        *("GENESYS_USER_CLIENT_SECRET", "GENESYS_USER_CLIENT_ID", "GENESYS_USER_CLIENT_SECRET"),
        "set without GENESYS_USER_CLIENT_ID, whose secret it is",
    ),
    (
        *("OUTCOME_WEBHOOK_URL", "OUTCOME_WEBHOOK_SECRET", "OUTCOME_WEBHOOK_SECRET"),
        "required with OUTCOME_WEBHOOK_URL; the receiver checks signatures with it",
    ),
)
_HOSTS = ("GENESYS_API_URL", "GENESYS_LOGIN_URL")
_OIDC = {
    "CONSOLE_OIDC_CLIENT_ID": "copy it from the console's client at the provider",
    "CONSOLE_OIDC_CLIENT_SECRET": "copy it from the same place",
    "PUBLIC_BASE_URL": "the address at which people open this service",
}


def load_settings(environ: Mapping[str, str] = ENVIRONMENT, *, only: Sequence[str] = ()) -> Settings:
    """The settings in `environ`. SettingsError has a line for each that is wrong, all at once.

    With `only`, the names of some, the others have their defaults whatever is set, and none of them is required.
    """
    names = only or Settings.NAMES
    given, errors = Variables.of(environ).chosen(names)
    values, wrong = read(Settings, given)
    settings = Settings(**values)
    unread = {error.partition("_FILE:")[0] for error in errors}
    errors += [f"{name}: {what}" for name, said in wrong.items() for what in said]
    for name, what in _conflicts(settings):
        if name in names and not {name, "SANDBOX"} & (wrong.keys() | unread):
            errors.append(f"{name}: {what}")
    if errors:
        raise SettingsError(errors)
    return settings


def _conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with settings that contradict each other: the variable and what to do."""
    if not (settings.genesys_api_url and settings.genesys_login_url) and settings.genesys_region not in REGIONS:
        remedy = f"known regions: {', '.join(REGIONS)}; for another host set GENESYS_API_URL and GENESYS_LOGIN_URL"
        yield "GENESYS_REGION", f"{settings.genesys_region[:60]!r} is not a region; {remedy}"
    for given, needed, name, why in _NEEDS:
        if getattr(settings, given.lower()) and not getattr(settings, needed.lower()):
            yield name, why
    if settings.console_password and settings.console_users:
        yield "CONSOLE_USERS", "set beside CONSOLE_PASSWORD, which would let anybody with it in; remove one of them"
    if settings.console_oidc_issuer:
        yield from _oidc_faults(settings)
    required, remedy = _required(settings)
    for name in required:
        if not getattr(settings, name.lower()):
            yield name, f"required{' with SANDBOX' if settings.sandbox else ''}; {remedy}"
    if not (settings.sandbox or settings.api_keys or settings.senders_file):
        yield "API_KEYS", "required without SENDERS_FILE; one name:key for each caller, the key 16 bytes or longer"


def _required(settings: Settings) -> tuple[tuple[str, ...], str]:
    """The variables without which there is no way to Genesys, and where to find them."""
    if settings.sandbox:
        return _HOSTS, "set the sandbox's URL, such as http://127.0.0.1:9099"
    if settings.genesys_grant == USER:
        return _USER_CLIENT, "copy it from your Genesys OAuth client (code authorization)"
    return _CLIENT, "copy it from your Genesys OAuth client (client credentials)"


def _oidc_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """What CONSOLE_OIDC_ISSUER needs besides."""
    for name, remedy in _OIDC.items():
        if not getattr(settings, name.lower()):
            yield name, f"required with CONSOLE_OIDC_ISSUER; {remedy}"
    public = http_url(settings.public_base_url)
    if public is not None and public.scheme == "http" and not is_loopback(public.hostname or ""):
        yield "PUBLIC_BASE_URL", "must be https with CONSOLE_OIDC_ISSUER, since people come back there with a code"
    if not settings.console_oidc_operators and not settings.console_oidc_viewers:
        yield (
            "CONSOLE_OIDC_OPERATORS",
            "required with CONSOLE_OIDC_ISSUER, or CONSOLE_OIDC_VIEWERS; else nobody gets in",
        )
