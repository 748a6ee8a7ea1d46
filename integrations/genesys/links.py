"""The links that Genesys answers with go to customers and agents: only https ones are passed on."""

import re
from urllib.parse import urlsplit

import structlog

from cobrowse.model import Secret

# What Genesys answers with: a host in ASCII, and nothing that could pass for another. The rest is checked closely.
_PLAIN = re.compile(r"https://[A-Za-z0-9.-]+(?:/[!#-;=?-\[\]-~]*)?")

log = structlog.stdlib.get_logger()


def check_link(url: str, field: str, conversation_id: str, scheme: str = "https") -> Secret:
    """The link, or an empty one and a warning in the log if it is not plainly https. `field`: Genesys's name for it."""
    if not url or (scheme == "https" and _PLAIN.fullmatch(url)) or _is_plain(url, scheme):
        return Secret(url)
    reason = f"it is not an {scheme} URL"
    log.warning("link not passed on", field=field, conversation_id=conversation_id, reason=reason)
    return Secret()


def _is_plain(url: str, scheme: str) -> bool:
    """Whether it is a URL of the scheme with a host, and holds nothing that could pass for another host."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return parts.scheme == scheme and named and url.isprintable() and not set(url) & set(' \\<>"')
