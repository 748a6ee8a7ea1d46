"""The way to Genesys: the region, both hosts' names and TLS, and how far the clocks are apart."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from integrations.doctor.case import Case, Check
from integrations.doctor.reach import Unreachable

# Seconds: far above what a Date header's whole seconds and the way add, far below the 300 that a signature may be old.
LARGEST_SKEW = 30.0


def region(case: Case) -> Iterator[Check]:
    """Whether both hosts are of one region."""
    settings = case.settings
    api, login = urlsplit(settings.api_url).hostname or "", urlsplit(settings.login_url).hostname or ""
    if settings.sandbox:
        yield Check("region", True, f"a sandbox, {settings.api_url}")
        return
    regions = {api.removeprefix("api."), login.removeprefix("login.")}
    if api.startswith("api.") and login.startswith("login.") and len(regions) > 1:
        remedy = "Set GENESYS_REGION alone, or GENESYS_API_URL and GENESYS_LOGIN_URL to hosts of the same region."
        yield Check("region", False, f"{api} and {login} are of two regions", remedy)
        return
    yield Check("region", True, f"{settings.genesys_region}: {api} and {login}")


def api(case: Case) -> Iterator[Check]:
    """The Platform API's host."""
    yield from _host(case, "api", case.settings.api_url)


def login(case: Case) -> Iterator[Check]:
    """The host that tokens come from."""
    yield from _host(case, "login", case.settings.login_url)


def _host(case: Case, which: str, url: str) -> Iterator[Check]:
    dns, tls = f"{which} host: DNS", f"{which} host: TLS"
    if case.settings.genesys_proxy and not case.settings.sandbox:
        # Only the service's own engine goes through it; the token, further down, shows whether that works.
        proxy = urlsplit(case.settings.genesys_proxy)
        yield Check(
            dns, None, f"the proxy {proxy.hostname}:{proxy.port or 'default port'} of GENESYS_PROXY resolves it"
        )
        yield Check(tls, None, "it is reached through the proxy")
        return
    try:
        addresses = case.reach.addresses(url)
        host = urlsplit(url).hostname
        yield Check(dns, True, f"{host} is {', '.join(addresses[:3])}" if addresses != [host] else f"{host} needs none")
    except Unreachable as error:
        own = case.settings.genesys_region
        question = f"GENESYS_REGION is {own}: is it your org's? " if own in url else ""
        yield Check(dns, False, error.message, question + error.remedy)
        yield Check(tls, None, "the name comes first")
        return
    try:
        answer = case.reach.get(url, ca_file=case.settings.genesys_ca_file)
    except Unreachable as error:
        yield Check(tls, False, error.message, error.remedy)
        return
    if which == "api":
        case.genesys_time = answer.date
    yield Check(tls, True, answer.tls or "answers over http, which is for a sandbox on this machine")


def clock(case: Case) -> Iterator[Check]:
    """How far this machine's clock is from Genesys's."""
    if case.genesys_time is None:
        yield Check("clock", None, "the API's answer has no Date to compare with")
        return
    ahead = (case.clock.now() - case.genesys_time).total_seconds()
    found = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} Genesys's"
    if abs(ahead) <= LARGEST_SKEW:
        yield Check("clock", True, f"within {LARGEST_SKEW:g} s of Genesys's")
    else:
        remedy = "Set this machine's clock by NTP: senders' signatures and waits that end at a date go by it."
        yield Check("clock", False, found, remedy)
