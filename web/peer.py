"""Whether a peer is this machine itself, and not a proxy on it that asks for somebody else."""

import ipaddress
from collections.abc import Iterable

# Headers by which a proxy says for whom it asks.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})


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


def is_this_machine(remote_addr: str, header_names: Iterable[str]) -> bool:
    """Whether a request comes straight from this machine. `remote_addr` is the connection's own, an address."""
    return is_loopback(remote_addr) and _FORWARDED.isdisjoint(name.lower() for name in header_names)
