"""Reads ids, channels and labels as people, flows and CRMs write them: one reader for every sender."""

import re
from collections.abc import Mapping

from cobrowse.model import Channel

LABEL_LENGTH = 200
# Characters of a value that an error message shows.
SHOWN_LENGTH = 60

# How senders write a variable in a template; left like this, it was never filled in. In their order: Architect's
# Velocity (also without braces, and its macros), Zendesk's Liquid, Salesforce, EventBridge's input transformer, and the
# words for no value. The last two only as the whole value, since a label may well end in <ada@example.com>.
_PLACEHOLDER = re.compile(
    r"\$!?(?:esc|encoding|urlTool|math)\.\w+\([^)]{0,200}\)?"
    r"|\$!?\{[^}]{0,200}\}?"
    r"|\$!?(?:input|credentials|authResponse)\.[\w.]{1,80}"
    r"|\{\{[^}]{0,200}\}\}|\{%[^%]{0,200}%\}"
    r"|\{![^}]{1,200}\}"
    r"|\A\s*<[$.\w]{1,200}>\s*\Z"
    r"|\A\s*(?:NOT_SET|null|undefined|None)\s*\Z"
)
_INPUT = re.compile(r"\$!?\{?(?:input\.)?([A-Za-z][A-Za-z0-9_.-]{0,79})\}?")

# What stands around an id where a template quotes it twice, a GUID is written as .NET does, or a text was pasted.
_SURROUNDING = " \t\r\n\"'`\\{}()[]<>,;\u00a0\u200b\ufeff\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_UUID = re.compile(r"(?:urn:)?(?:uuid:)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")

CHANNELS: Mapping[str, Channel | None] = {
    "": None,
    "unknown": None,
    "webchat": "webchat",
    "webchatv2": "webchat",
    "chat": "webchat",
    "voice": "voice",
    "call": "voice",
    "phone": "voice",
    "message": "message",
    "messaging": "message",
    "webmessage": "message",
    "webmessaging": "message",
}
# Genesys's other media, and messages that come by no browser: nothing in them can carry cobrowse.
INCAPABLE = frozenset(
    {"cobrowse", "callback", "email", "video", "screenshare", "screenmonitoring", "internalmessage"}
    | {"sms", "whatsapp", "facebook", "twitter", "instagram", "line", "apple", "linkedin", "open"}
)
_MEDIA = CHANNELS.keys() | INCAPABLE
_AROUND_MEDIUM = re.compile(r"[\s\"'_-]+")
# Where a CRM's reference to a person has the person's name; the first that is there is taken.
_NAMES = ("display_value", "displayValue", "name", "Name", "label", "email", "value", "id", "Id")


def placeholder_in(value: object) -> str:
    """The first unfilled template variable in this text, or the word that it is for no value; "" if it is neither."""
    found = _PLACEHOLDER.search(value) if isinstance(value, str) else None
    return found[0].strip() if found else ""


def input_name(placeholder: str, field: str) -> str:
    """The name of the data-action input that a placeholder stands for, without the macro around it.

    A word for no value names none; it is known by the `field` that it came in.
    """
    if placeholder.isidentifier():
        return field
    inner = placeholder.partition("(")[2] or placeholder
    found = _INPUT.search(inner)
    return found[1] if found else placeholder[:SHOWN_LENGTH]


def conversation_id_in(text: str) -> str:
    """The conversation's id in the one spelling Genesys has for it; "" if the text is no id.

    Blanks, quotes, braces, upper case, other dashes and missing hyphens are normalised.
    """
    bare = "".join(text.strip(_SURROUNDING).split()).translate(_DASHES).lower()
    found = _UUID.fullmatch(bare)
    return "-".join(found.groups()) if found else ""


def medium_in(text: str) -> str:
    """A medium's name as CHANNELS and INCAPABLE have it: small letters, singular, no blanks, quotes, `-` or `_`."""
    bare = _AROUND_MEDIUM.sub("", text).lower()
    return bare if bare in _MEDIA or bare.removesuffix("s") not in _MEDIA else bare.removesuffix("s")


def label_in(value: object) -> str:
    """Who or what asked, cut to LABEL_LENGTH; "" if nothing of the kind came. Nothing that comes here is refused.

    A reference such as ServiceNow's `{link, value}` gives its name or value, a list its first entry.
    """
    if isinstance(value, list):
        return label_in(value[0]) if value and not isinstance(value[0], list) else ""
    if isinstance(value, Mapping):
        named = [found for name in _NAMES if isinstance(found := value.get(name), (str, int)) and found != ""]
        return label_in(named[0]) if named else ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or placeholder_in(value):
        return ""
    # What does not print has no place in a log line, and PostgreSQL takes no NUL.
    return " ".join("".join(char if char.isprintable() else " " for char in str(value)).split())[:LABEL_LENGTH].strip()
