"""The forms that a key of the senders file can have: each check says what is wrong with a value, "" if nothing is."""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

Check = Callable[[object], str]
"""What is wrong with a value, "" if nothing is."""

# Choices of which all are named beside the likely one.
_FEW = 10
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def text(value: object) -> str:
    """A text."""
    return "" if isinstance(value, str) and value else "must be a text that is not empty"


def texts(value: object) -> str:
    """A list of texts."""
    good = isinstance(value, list) and value and all(isinstance(one, str) and one.strip() for one in value)
    return "" if good else "must be a list of texts with at least one"


def received(value: object) -> str:
    """The end of an error: the value that was received, cut."""
    return f"; {str(value).lower() if isinstance(value, bool) else repr(value)[:60]} came"


def text_table(value: object) -> str:
    """A table of texts, `{ name = "text" }`."""
    good = isinstance(value, dict) and value and all(isinstance(one, str) and one for one in value.values())
    return "" if good else 'must be a table of texts, such as { sub = "…" }'


def choice(choices: Sequence[str], noun: str = "") -> Check:
    """One of these."""

    def check(value: object) -> str:
        return "" if value in choices else f"unknown {noun + ' ' if noun else ''}{unknown_choice(value, choices)}"

    return check


def number(lowest: float, highest: float) -> Check:
    """A number of seconds within these."""

    def check(value: object) -> str:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest
        return "" if fits else f"must be a number of seconds from {lowest:g} to {highest:g}"

    return check


def integer(lowest: int, highest: int, unit: str) -> Check:
    """A whole number of these within these."""

    def check(value: object) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
        return "" if fits else f"must be a whole number of {unit} from {lowest} to {highest}"

    return check


def matching(pattern: re.Pattern[str], what: str) -> Check:
    """A text of this pattern."""

    def check(value: object) -> str:
        return "" if isinstance(value, str) and pattern.fullmatch(value) else f"must be {what}"

    return check


def boolean(value: object) -> str:
    """True or false."""
    return "" if isinstance(value, bool) else "must be true or false"


def header(value: object) -> str:
    """A header's name that reaches the service."""
    if not (isinstance(value, str) and _TOKEN.fullmatch(value)):
        return "must be the name of a header"
    if "_" in value:
        return "has an underscore, and servers drop such headers (they can't be distinguished from those with a hyphen)"
    return ""


def variable(value: object) -> str:
    """A secret by the name of the variable that holds it."""
    if isinstance(value, str) and re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", value):
        return ""
    return 'a secret does not belong in this file; put it into the environment and name it, as "$NAME"'


def unknown_choice(value: object, choices: Sequence[str]) -> str:
    """A value that isn't among the choices: the likely one, and all of them unless they are many."""
    said = [f"{value!r}"[:60] + ";"]
    close = get_close_matches(str(value).lower(), choices, 1)
    if close:
        said.append(f"did you mean {close[0]!r}?")
    if not close or len(choices) <= _FEW:
        said.append(f"choose one of {', '.join(choices)}")
    return " ".join(said)
