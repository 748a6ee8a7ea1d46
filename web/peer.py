"""Whether a peer is this machine itself, and not a proxy on it that asks for somebody else."""

from collections.abc import Iterable

from schemas.addresses import is_loopback

# Headers by which a proxy says for whom it asks.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})


def is_this_machine(remote_addr: str, header_names: Iterable[str]) -> bool:
    """Whether a request comes straight from this machine. `remote_addr` is the connection's own, an address."""
    return is_loopback(remote_addr) and _FORWARDED.isdisjoint(name.lower() for name in header_names)
