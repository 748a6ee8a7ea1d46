"""What is wrong with settings that contradict or need each other."""

from collections.abc import Iterator

from integrations.genesys.grants import USER
from integrations.regions import REGIONS
from schemas.addresses import http_url, is_in_the_clear
from settings.table import Settings

_OIDC = {
    "CONSOLE_OIDC_CLIENT_ID": "copy it from the console's client at the provider",
    "CONSOLE_OIDC_CLIENT_SECRET": "copy it from the same place",
    "PUBLIC_BASE_URL": "the address at which people open this service",
}


def find_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with settings that contradict each other: the variable and what to do."""
    if not (settings.genesys_api_url and settings.genesys_login_url) and settings.genesys_region not in REGIONS:
        remedy = f"known regions: {', '.join(REGIONS)}; for another host set GENESYS_API_URL and GENESYS_LOGIN_URL"
        yield "GENESYS_REGION", f"{settings.genesys_region[:60]!r} is not a region; {remedy}"
    if settings.genesys_client_key and not settings.genesys_client_cert:
        yield "GENESYS_CLIENT_KEY", "set without GENESYS_CLIENT_CERT, whose key it is"
    if settings.genesys_user_client_secret and not settings.genesys_user_client_id:
        yield "GENESYS_USER_CLIENT_SECRET", "set without GENESYS_USER_CLIENT_ID, whose secret it is"
    if settings.outcome_webhook_url and not settings.outcome_webhook_secret:
        yield "OUTCOME_WEBHOOK_SECRET", "required with OUTCOME_WEBHOOK_URL; the receiver checks signatures with it"
    if settings.console_password and settings.console_users:
        yield (
            "CONSOLE_USERS",
            "set together with CONSOLE_PASSWORD, which admits anyone who knows it; remove one of them",
        )
    if settings.console_oidc_issuer:
        yield from _oidc_errors(settings)
    required, remedy = _required_names(settings)
    for name in required:
        if not getattr(settings, name.lower()):
            yield name, f"required{' with SANDBOX' if settings.sandbox else ''}; {remedy}"
    if not (settings.sandbox or settings.api_keys or settings.senders_file):
        yield "API_KEYS", "required without SENDERS_FILE; one name:key for each caller, the key 16 bytes or longer"


def _required_names(settings: Settings) -> tuple[tuple[str, ...], str]:
    """The variables without which there is no way to Genesys, and where to find them."""
    if settings.sandbox:
        return ("GENESYS_API_URL", "GENESYS_LOGIN_URL"), "set the sandbox's URL, such as http://127.0.0.1:9099"
    if settings.genesys_grant == USER:
        return ("GENESYS_USER_CLIENT_ID",), "copy it from your Genesys OAuth client (code authorization)"
    return ("GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET"), "copy it from your Genesys OAuth client (client credentials)"


def _oidc_errors(settings: Settings) -> Iterator[tuple[str, str]]:
    """The errors of CONSOLE_OIDC_ISSUER's other settings."""
    for name, remedy in _OIDC.items():
        if not getattr(settings, name.lower()):
            yield name, f"required with CONSOLE_OIDC_ISSUER; {remedy}"
    public = http_url(settings.public_base_url)
    if public is not None and is_in_the_clear(public):
        yield (
            "PUBLIC_BASE_URL",
            "must be https with CONSOLE_OIDC_ISSUER, since the provider redirects there with a code",
        )
    if not settings.console_oidc_operators and not settings.console_oidc_viewers:
        yield (
            "CONSOLE_OIDC_OPERATORS",
            "required with CONSOLE_OIDC_ISSUER, or CONSOLE_OIDC_VIEWERS; otherwise nobody can sign in",
        )
