"""Text for a terminal: characters that it would act on are written as escapes, ordinary Unicode stays as it is."""

import re

# C0 and C1 controls (ESC, and so every sequence, begins with one), invisible and bidirectional formatting, line and
# paragraph separators, halves of surrogate pairs, tags. The joiners U+200C and U+200D stay: words and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""The text on one line, its unsafe characters as \\x1b, \\u202e or \\U000e0041."""
    return text if text.isprintable() else _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_lines(text: str) -> str:
    """As `printable`, but line feeds stay: for text that is several lines of ours."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(document: str) -> str:
    r"""A JSON document with its unsafe characters as JSON's own \\u escapes. Line feeds are its layout and stay."""
    return document if document.isascii() and "\x7f" not in document else _UNSAFE.sub(_as_json, document)


def _as_json(found: re.Match[str]) -> str:
    if found[0] == "\n":
        return "\n"
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
