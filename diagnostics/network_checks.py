"""The way to Genesys: the region, both hosts' names and TLS, and how far the clocks are apart."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from diagnostics.connectivity import Unreachable
from diagnostics.context import Check, DiagnosticContext
from integrations.genesys.no_proxy import is_direct
from settings import Settings

PROXY_HINT = (
    "Check GENESYS_PROXY: its scheme, host and port, its user and password, and whether it lets this host through."
)
# Seconds: far above what a Date header's whole seconds and the way add, far below the 300 that a signature may be old.
MAX_SKEW = 30.0


def region(context: DiagnosticContext) -> Iterator[Check]:
    """Whether both hosts are of one region."""
    settings = context.settings
    api, login = urlsplit(settings.api_url).hostname or "", urlsplit(settings.login_url).hostname or ""
    if settings.sandbox:
        yield Check("region", True, f"a sandbox, {settings.api_url}")
        return
    regions = {api.removeprefix("api."), login.removeprefix("login.")}
    if api.startswith("api.") and login.startswith("login.") and len(regions) > 1:
        hint = "Set GENESYS_REGION alone, or GENESYS_API_URL and GENESYS_LOGIN_URL to hosts of the same region."
        yield Check("region", False, f"{api} and {login} are of two regions", hint)
        return
    yield Check("region", True, f"{settings.genesys_region}: {api} and {login}")


def host(context: DiagnosticContext, which: str, url: str) -> Iterator[Check]:
    """The host of the Platform API, "api", or the one that tokens come from, "login"."""
    dns, tls = f"{which} host: DNS", f"{which} host: TLS"
    if is_proxied(context.settings, url):
        yield from _check_proxy(context, dns, tls)
        return
    try:
        addresses = context.probe.addresses(url)
        name = urlsplit(url).hostname
        if addresses == [name]:
            yield Check(dns, None, f"{name} is an IP address")
        else:
            yield Check(dns, True, f"{name} is {', '.join(addresses[:3])}")
    except Unreachable as error:
        region_name = context.settings.genesys_region
        region_hint = f"GENESYS_REGION is {region_name}: is it your org's? " if region_name in url else ""
        yield Check(dns, False, error.message, region_hint + error.hint)
        yield Check(tls, None, "the name comes first")
        return
    try:
        answer = context.probe.get(
            url,
            ca_file=context.settings.genesys_ca_file,
            client_cert=context.settings.genesys_client_cert,
            client_key=context.settings.genesys_client_key,
        )
    except Unreachable as error:
        yield Check(tls, False, error.message, error.hint)
        return
    if which == "api":
        context.genesys_time = answer.date
    yield Check(tls, True, answer.tls or "answers over http, which is for a sandbox on this machine")


def _check_proxy(context: DiagnosticContext, dns: str, tls: str) -> Iterator[Check]:
    """The proxy itself; what lies behind it is for the service's own engine: the token and a conversation show that."""
    parts = urlsplit(context.settings.genesys_proxy.reveal())
    port = parts.port or (443 if parts.scheme == "https" else 1080)
    where = f"{parts.scheme}://{parts.hostname}:{port} of GENESYS_PROXY{', with a user' if parts.username else ''}"
    try:
        context.probe.connect(parts.hostname or "", port)
    except Unreachable as error:
        yield Check(dns, False, f"the proxy {where}: {error.message}", PROXY_HINT)
        yield Check(tls, None, "the proxy comes first")
        return
    yield Check(dns, True, f"the proxy {where} resolves it")
    yield Check(tls, None, "through the proxy: see credentials and reading")


def is_proxied(settings: Settings, url: str) -> bool:
    """Whether libcurl takes the proxy for this URL."""
    return bool(settings.genesys_proxy) and not is_direct(urlsplit(url).hostname or "", settings.no_proxy)


def clock(context: DiagnosticContext) -> Iterator[Check]:
    """Compares this machine's clock with Genesys's."""
    if context.genesys_time is None:
        yield Check("clock", None, "the API's answer has no Date to compare with")
        return
    ahead = (context.clock.now() - context.genesys_time).total_seconds()
    found = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} Genesys's"
    if abs(ahead) <= MAX_SKEW:
        yield Check("clock", True, f"within {MAX_SKEW:g} s of Genesys's")
    else:
        hint = "Set this machine's clock by NTP: senders' signatures and waits that end at a date go by it."
        yield Check("clock", False, found, hint)
