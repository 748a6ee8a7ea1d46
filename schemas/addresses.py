"""Addresses, networks and URLs in the forms that settings and callers use."""

import ipaddress
from urllib.parse import SplitResult, urlsplit


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own: an IPv4 address may be written as IPv6.

    A Unix socket's peer has no address, and is a proxy most likely: False.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_in_the_clear(url: SplitResult) -> bool:
    """Whether others can read what goes to an URL of HTTP or a WebSocket: without TLS, to another machine."""
    return url.scheme in ("http", "ws") and not is_loopback(url.hostname or "")


def is_network(text: str) -> bool:
    """Whether a text is an address or a network in CIDR notation; not one of IPv4 that is written as IPv6."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return isinstance(network, ipaddress.IPv4Network) or network.network_address.ipv4_mapped is None


def http_url(text: str) -> SplitResult | None:
    """The parts of an absolute http or https URL, None for what is not one."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if good else None
