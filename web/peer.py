"""Whether a peer is this machine itself, and not a proxy on it that forwards for another."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from schemas.addresses import is_loopback

# Headers by which a proxy says for whom it asks.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})


def is_this_machine(remote_addr: str, host: str, header_names: Iterable[str]) -> bool:
    """Whether a request comes straight from this machine and means it. `remote_addr`: the connection's own address.

    A page of anybody's can have its own name point to this machine, so that a browser here sends the request (DNS
    rebinding). The Host header, `host`, still has that name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    is_direct = _FORWARDED.isdisjoint(name.lower() for name in header_names)
    return is_loopback(name) and is_loopback(remote_addr) and is_direct
