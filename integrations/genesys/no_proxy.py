"""What NO_PROXY names, for the WebSocket and the doctor, which read it as libcurl does."""

import ipaddress


def is_direct(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host: hosts with their subdomains, addresses and networks; `*` is all of them.

    Commas and blanks separate its entries.
    """
    wanted = host.lower().rstrip(".")
    return any(_names(entry, wanted) for entry in no_proxy.lower().replace(",", " ").split())


def _names(entry: str, host: str) -> bool:
    entry = entry.strip(".")
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return bool(entry) and (host == entry or host.endswith(f".{entry}"))
