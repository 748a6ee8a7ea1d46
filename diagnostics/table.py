"""The doctor's findings for a terminal: a mark, a name, what was found, and a hint below it."""

import textwrap
from collections.abc import Sequence

from diagnostics.context import Check

WIDTH = 80
NAME = 21
_MARKS = {True: "✓", False: "✗", None: "-"}
_INDENT = " " * (NAME + 3)


def render(check: Check, width: int = WIDTH) -> str:
    """The lines of one check, none longer than `width`."""
    first = f"{_MARKS[check.ok]} {check.name:<{NAME}} "
    lines = []
    if len(check.name) > NAME:
        lines.append(f"{_MARKS[check.ok]} {check.name}"[:width])
        first = _INDENT
    lines += _wrapped(check.found or "-", first, _INDENT, width)
    if check.hint:
        lines += _wrapped(check.hint, f"{_INDENT}→ ", f"{_INDENT}  ", width)
    return "\n".join(lines)


def summary(checks: Sequence[Check]) -> str:
    """One sentence on all of them."""
    failed = sum(check.ok is False for check in checks)
    looked = sum(check.ok is not None for check in checks)
    return f"{failed} of {looked} checks failed." if failed else f"All {looked} checks passed."


def document(check: Check) -> dict[str, str | bool | None]:
    """The check for --json."""
    return {"name": check.name, "ok": check.ok, "found": check.found, "hint": check.hint}


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    # What a far side has said may hold anything; a terminal must not act on it.
    plain = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(plain, width, initial_indent=first, subsequent_indent=rest) or [first.rstrip()]
