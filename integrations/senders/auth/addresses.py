"""From which address a request comes, behind proxies that are trusted to say so, and whether it may."""

import ipaddress
import re
from functools import lru_cache

from cobrowse.errors import NotAuthenticated
from integrations.senders.requests import UnverifiedRequest

FORWARDED = "x-forwarded-for"
# Some proxies write the port of the client's connection too.
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")
_HINT = "Compare allow_from in the sender's row with the addresses that the vendor publishes, and TRUSTED_PROXIES."


def within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether this is an address, and in one of these networks; an IPv4 address may be written as IPv6."""
    try:
        found = ipaddress.ip_address(address)
        known = _parse_networks(networks)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in known if network.version == found.version)


@lru_cache(maxsize=256)
def _parse_networks(networks: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """A row's networks, once for all the addresses that a request names."""
    return tuple(ipaddress.ip_network(network, strict=False) for network in networks)


def client_address(incoming: UnverifiedRequest, proxies: tuple[str, ...]) -> str:
    """The last address of X-Forwarded-For that none of these proxies is; the connection's own if it is none itself."""
    if not within(incoming.peer, proxies):
        return incoming.peer
    hops = [hop.strip() for hop in incoming.headers.get(FORWARDED, "").split(",") if hop.strip()]
    for hop in reversed(hops):
        found = _WITH_PORT.fullmatch(hop)
        address = (found[1] or found[2]) if found else hop
        if not within(address, proxies):
            return address
    return incoming.peer


def check_address(incoming: UnverifiedRequest, allowed: tuple[str, ...], proxies: tuple[str, ...]) -> None:
    """Raise NotAuthenticated if a row names addresses and the request comes from another."""
    if not allowed:
        return
    address = client_address(incoming, proxies)
    if not within(address, allowed):
        raise NotAuthenticated(f"the address {address[:60]!r} is not one of the row's allow_from", hint=_HINT)
