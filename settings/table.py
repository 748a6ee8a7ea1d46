"""Every setting of the service, a line each: name, type, default, help; those of Genesys Cloud are in genesys.py.

.env.example and the table in docs/operations.md are written from these: `make generate`.
"""

from dataclasses import dataclass
from typing import ClassVar

from marshmallow.validate import Range

from cobrowse.model import Secret
from schemas.console_users import parse_users
from schemas.environment import (
    at_least,
    choice,
    collector_url,
    networks,
    plain_url,
    receiver_url,
    rows,
    safe_url,
    setting,
    webhook_secrets,
)
from settings.genesys import GenesysSettings, without_slash


@dataclass(frozen=True, slots=True)
class Settings(GenesysSettings):
    """The service's settings. Times are seconds, sizes bytes. Field names are the variables' names."""

    api_keys: Secret = setting(
        Secret(),
        "`name:key` pairs for the callers of the data action's endpoint, separated by commas or blanks; a key "
        "needs 16 bytes or more. Several keys may have one name, to rotate a key. Create one: `python -c "
        '"import secrets; print(secrets.token_urlsafe(32))"`',
        section="Callers",
        essential=True,
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
        "(may retry initiations and end sessions). Make one: `cobrowse-bridge console-user NAME`",
        parse_users,
    )
    console_oidc_issuer: str = setting(
        "",
        "An OpenID Connect provider for signing in to the console, with or without passwords; needs "
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
        "openid,profile,email",
        "The scopes to request, with commas or blanks; some providers give groups for a scope of their own only.",
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
        "", "What the console's header names this environment or org; `production` is red.", example="production"
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
        normalise=without_slash,
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
        "(docs/lifecycle.md#outcome-callbacks).",
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
        "auto", "`json`, `console`, or `auto`: `console` on a terminal, else `json`.", choice("auto", "json", "console")
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
