"""Every setting, read from the environment once, typed; all errors at once, one per line; secrets are masked."""

import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from environs import Env, EnvValidationError
from marshmallow.validate import OneOf, Range

from cobrowse.model import Secret
from integrations.genesys.flows import AUTO, MODES
from integrations.regions import REGIONS, region_of
from integrations.secret_files import SecretFileError, Variables
from web.peer import is_loopback

# What a command needs that only looks into the ledger, lists or signs as senders, or calls Genesys.
LEDGER = ("LEDGER_URL", "LEDGER_KEYS", "LEDGER_RETENTION_SECONDS")
SENDERS = ("SENDERS_FILE", "PUBLIC_BASE_URL", "TRUSTED_PROXIES", "MAX_BODY_BYTES", "LEDGER_RETENTION_SECONDS")
GENESYS = (
    *("GENESYS_REGION", "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "GENESYS_API_URL", "GENESYS_LOGIN_URL"),
    *("GENESYS_CA_FILE", "GENESYS_PROXY", "NO_PROXY", "GENESYS_CLIENT_CERT", "GENESYS_CLIENT_KEY"),
    *("SANDBOX", "MAX_UPSTREAM_BYTES", "COBROWSE_FLOW", "LOG_FORMAT"),
)
# The process's own environment, in which NAME_FILE stands for NAME.
ENVIRONMENT = Variables(os.environ)

# Bytes of the console's password below which it can be guessed: nothing counts the tries.
CONSOLE_SHORTEST = 12


class SettingsError(Exception):
    """The environment is not one to start with. `errors` has one line for each variable that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings. Times are seconds, sizes bytes. Field names are the variables' names."""

    genesys_region: str = "mypurecloud.com"
    genesys_client_id: str = ""
    genesys_client_secret: Secret = Secret()
    genesys_api_url: str = ""
    genesys_login_url: str = ""
    genesys_ca_file: str = ""
    sandbox: bool = False
    genesys_proxy: Secret = Secret()
    no_proxy: str = ""
    genesys_client_cert: str = ""
    genesys_client_key: str = ""
    max_upstream_bytes: int = 8_388_608
    cobrowse_flow: str = AUTO
    api_keys: Secret = Secret()
    console_password: Secret = Secret()
    allow_latest: bool = False
    allow_user_tokens: bool = False
    deadline_seconds: float = 10.0
    max_concurrent_initiations: int = 256
    max_body_bytes: int = 2_097_152
    senders_file: str = ""
    public_base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    rate_limit_storage: Secret = Secret("memory://")
    ledger_url: Secret = Secret("sqlite:///ledger.sqlite3")
    ledger_keys: tuple[Secret, ...] = ()
    ledger_retention_seconds: float = 86_400.0
    ledger_required: bool = True
    metrics_token: Secret = Secret()
    otel_exporter_otlp_endpoint: str = ""
    log_level: str = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"

    # What `.env.example` and the README's table explain, so a test can hold them to this class.
    NAMES: ClassVar[tuple[str, ...]]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = ENVIRONMENT, *, only: Sequence[str] = ()) -> "Settings":
        """The settings that `environ` holds. SettingsError names every error at once.

        With `only`, the names of some, the others are at their defaults whatever is set, and none of them is missed.
        """
        environ = Variables.of(environ)
        try:
            return cls._read({name: environ[name] for name in only if name in environ} if only else environ, only)
        except SecretFileError as error:
            raise SettingsError([str(error)]) from None

    @classmethod
    def _read(cls, environ: Mapping[str, str], only: Sequence[str]) -> "Settings":
        env = _Variables(environ)
        defaults = {field.name: field.default for field in fields(cls)}

        def text(name: str) -> str:
            return str(env.str(name.upper(), str(defaults[name])) or "").strip()

        values: dict[str, Any] = {
            "genesys_region": region_of(text("genesys_region") or str(defaults["genesys_region"])),
            "genesys_client_id": text("genesys_client_id"),
            "genesys_client_secret": Secret(text("genesys_client_secret")),
            "genesys_api_url": text("genesys_api_url").rstrip("/"),
            "genesys_login_url": text("genesys_login_url").rstrip("/"),
            "genesys_ca_file": text("genesys_ca_file"),
            "sandbox": env.bool("SANDBOX", default=False),
            "genesys_proxy": Secret(text("genesys_proxy")),
            "no_proxy": text("no_proxy"),
            "genesys_client_cert": text("genesys_client_cert"),
            "genesys_client_key": text("genesys_client_key"),
            "max_upstream_bytes": env.int("MAX_UPSTREAM_BYTES", default=8_388_608, validate=Range(65_536, 1 << 30)),
            "cobrowse_flow": _choice(env, "COBROWSE_FLOW", AUTO, MODES),
            "api_keys": Secret(text("api_keys")),
            "console_password": Secret(text("console_password")),
            "allow_latest": env.bool("ALLOW_LATEST", default=False),
            "allow_user_tokens": env.bool("ALLOW_USER_TOKENS", default=False),
            "deadline_seconds": env.float("DEADLINE_SECONDS", default=10.0, validate=Range(0.5, 55)),
            "max_concurrent_initiations": env.int("MAX_CONCURRENT_INITIATIONS", default=256, validate=Range(1)),
            "max_body_bytes": env.int("MAX_BODY_BYTES", default=2_097_152, validate=Range(1_024, 10_485_760)),
            "senders_file": text("senders_file"),
            "public_base_url": text("public_base_url").rstrip("/"),
            "trusted_proxies": tuple(env.str("TRUSTED_PROXIES", "").replace(",", " ").split()),
            "rate_limit_storage": Secret(text("rate_limit_storage")),
            "ledger_url": Secret(text("ledger_url")),
            "ledger_keys": tuple(Secret(key) for key in env.str("LEDGER_KEYS", "").replace(",", " ").split()),
            "ledger_retention_seconds": env.float("LEDGER_RETENTION_SECONDS", default=86_400.0, validate=Range(60)),
            "ledger_required": env.bool("LEDGER_REQUIRED", default=True),
            "metrics_token": Secret(text("metrics_token")),
            "otel_exporter_otlp_endpoint": text("otel_exporter_otlp_endpoint"),
            "log_level": _choice(env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            "log_format": _choice(env, "LOG_FORMAT", "auto", ("auto", "json", "console")),
        }
        errors: list[str] = []
        try:
            env.seal()
        except EnvValidationError as error:
            invalid = error.error_messages if isinstance(error.error_messages, dict) else {}
            errors = [f"{name}: {' '.join(map(str, messages))}" for name, messages in invalid.items()]
            known = bool(values["genesys_api_url"] and values["genesys_login_url"])
            errors += [] if known else _region_errors(values["genesys_region"])
            raise SettingsError(errors) from None
        settings = cls(**values)
        errors.extend(error for error in settings.errors() if not only or error.partition(":")[0] in only)
        if errors:
            raise SettingsError(errors)
        return settings

    @property
    def api_url(self) -> str:
        """Where Genesys's Platform API is."""
        return self.genesys_api_url or f"https://api.{self.genesys_region}"

    @property
    def login_url(self) -> str:
        """Where Genesys's tokens come from."""
        return self.genesys_login_url or f"https://login.{self.genesys_region}"

    def errors(self) -> list[str]:
        """Errors beyond each variable's own form, one line each."""
        errors = []
        errors.extend(self._way_faults())
        for name in ("genesys_api_url", "genesys_login_url", "public_base_url"):
            errors.extend(_url_errors(name.upper(), getattr(self, name)))
        if self.metrics_token and len(self.metrics_token.encode()) < 16:
            errors.append("METRICS_TOKEN: must be 16 bytes or longer; generate one as for API_KEYS")
        collector = urlsplit(self.otel_exporter_otlp_endpoint)
        if self.otel_exporter_otlp_endpoint and not (collector.scheme in ("http", "https") and collector.hostname):
            errors.append("OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL such as http://collector:4318")
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                errors.append(f"TRUSTED_PROXIES: {proxy!r} is not an address or network; use a form such as 10.0.0.0/8")
        if self.sandbox:
            errors.extend(
                f"{name}: required with SANDBOX; set the sandbox's URL, such as http://127.0.0.1:9099"
                for name in ("GENESYS_API_URL", "GENESYS_LOGIN_URL")
                if not getattr(self, name.lower())
            )
        else:
            errors.extend(
                f"{name}: required; copy it from your Genesys OAuth client (client credentials)"
                for name in ("GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET")
                if not getattr(self, name.lower())
            )
            if not self.api_keys and not self.senders_file:
                errors.append(
                    "API_KEYS: required without SENDERS_FILE; one name:key for each caller, the key 16 bytes or longer"
                )
        if self.console_password and len(self.console_password.encode(errors="surrogateescape")) < CONSOLE_SHORTEST:
            errors.append(f"CONSOLE_PASSWORD: under {CONSOLE_SHORTEST} bytes can be guessed; use a longer one")
        return errors

    def _way_faults(self) -> list[str]:
        """What is wrong with the way to Genesys: the region, the proxy, the client certificate."""
        errors = _proxy_faults(self.genesys_proxy)
        if not (self.genesys_api_url and self.genesys_login_url):
            errors += _region_errors(self.genesys_region)
        if self.genesys_client_key and not self.genesys_client_cert:
            errors.append("GENESYS_CLIENT_KEY: set without GENESYS_CLIENT_CERT, whose key it is")
        for name in ("genesys_client_cert", "genesys_client_key"):
            file = getattr(self, name)
            if file and not os.access(file, os.R_OK):
                errors.append(f"{name.upper()}: {file[:200]} can't be read; name a PEM file")
        return errors


def default_host(environ: Mapping[str, str] = ENVIRONMENT) -> str:
    """Where to listen unless HOST says: with SANDBOX and no API_KEYS, open to all who reach it, loopback only."""
    env = _Variables(environ)
    open_to_all = env.bool("SANDBOX", default=False) and not env.str("API_KEYS", "").strip()
    return "127.0.0.1" if open_to_all else "0.0.0.0"  # noqa: S104 - a server is there to be reached


Settings.NAMES = tuple(field.name.upper() for field in fields(Settings))


class _Variables(Env):
    """environs' readers on a mapping, where environs itself reads the process's environment only."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._variables = environ

    def _get_value(self, env_key: str, default: Any) -> Any:  # noqa: ANN401 - as environs has it
        return self._variables.get(env_key, default)


def _choice(env: Env, name: str, default: object, choices: tuple[str, ...]) -> str:
    return str(env.str(name, default=str(default), validate=_known(choices)))


def _known(choices: tuple[str, ...]) -> OneOf:
    return OneOf(choices, error=f"Must be one of {', '.join(choices)}.")


def _region_errors(region: str) -> list[str]:
    """What is wrong with the region; nothing if Genesys has it."""
    if region in REGIONS:
        return []
    known = ", ".join(REGIONS)
    remedy = "for another host set GENESYS_API_URL and GENESYS_LOGIN_URL"
    return [f"GENESYS_REGION: {region[:60]!r} is not a region; known regions: {known}; {remedy}"]


def _proxy_faults(proxy: str) -> list[str]:
    """What is wrong with a proxy's URL, which may hold a password and so is not shown."""
    if not proxy:
        return []
    try:
        parts = urlsplit(proxy)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        good = False
    return [] if good else ["GENESYS_PROXY: must be a URL such as http://user:password@proxy.example.com:3128"]


def _url_errors(name: str, url: str) -> list[str]:
    if not url:
        return []
    parts = urlsplit(url)
    has_more = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or has_more:
        return [f"{name}: must be a plain http(s) URL such as https://api.example.com"]
    if parts.scheme == "http" and not is_loopback(urlsplit(url).hostname or "") and name != "PUBLIC_BASE_URL":
        return [f"{name}: must be https, since a secret and tokens go there; http is for a sandbox on loopback only"]
    return []
