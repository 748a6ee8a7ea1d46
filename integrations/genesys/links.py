"""The links that Genesys answers with go to customers and agents: only https ones are passed on."""

import re
from urllib.parse import urlsplit

import structlog

from cobrowse.model import Secret

# What Genesys answers with: a host in ASCII, and nothing that could pass for another. The rest is looked at closely.
_PLAIN = re.compile(r"https://[A-Za-z0-9.-]+(?:/[!#-;=?-\[\]-~]*)?")

log = structlog.stdlib.get_logger("cobrowse")


def checked_link(url: str, field: str, conversation_id: str) -> Secret:
    """The link, or an empty one and a warning in the log if it is not plainly https. `field`: Genesys's name for it."""
    if not url or _PLAIN.fullmatch(url) or _is_https(url):
        return Secret(url)
    log.warning("link not passed on", field=field, conversation_id=conversation_id, reason="it is not an https URL")
    return Secret()


def _is_https(url: str) -> bool:
    """Whether it is an https URL with a host, and holds nothing that could pass for another host."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return parts.scheme == "https" and named and url.isprintable() and not set(url) & set(' \\<>"')
