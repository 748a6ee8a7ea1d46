"""The forms of a sender's keys: what each takes, and word for word what it says of what it does not take."""

import re

import pytest

from integrations.senders.auth import checks

EMPTY = "must be a text that is not empty"
LIST = "must be a list of texts with at least one"
TABLE = 'must be a table of texts, such as { sub = "…" }'
HALF = checks.number(0.5, 55)
SECONDS = "must be a number of seconds from 0.5 to 55"
WHOLE = checks.integer(1, 9, "bytes")
BYTES = "must be a whole number of bytes from 1 to 9"
LETTERS = checks.matching(re.compile("[a-z]+"), "small letters")
FEW = checks.choice(("one", "two"), "word")
HEADER = "must be the name of a header"
UNDERSCORE = "has an underscore, and servers drop such headers (they can't be distinguished from those with a hyphen)"
VARIABLE = 'a secret does not belong in this file; put it into the environment and name it, as "$NAME"'


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.text, "a"),
        (checks.texts, ["a", "b"]),
        (checks.text_table, {"a": "b", "c": "d"}),
        (checks.choice(("one",)), "one"),
        (HALF, 0.5),
        (HALF, 55),
        (WHOLE, 1),
        (WHOLE, 9),
        (LETTERS, "abc"),
        (checks.boolean, True),
        (checks.boolean, False),
        (checks.header, "X-Signature"),
        (checks.header, "!#$%&'*+.^`|~azAZ09-"),
        (checks.header, "x" * 100),
        (checks.variable, "$S"),
        (checks.variable, "$_secret_2"),
    ],
)
def test_a_value_of_the_form_is_taken(check, value):
    assert check(value) == ""


@pytest.mark.parametrize(
    ("check", "value", "told"),
    [
        (checks.text, "", EMPTY),
        (checks.text, 7, EMPTY),
        (checks.texts, [], LIST),
        (checks.texts, "ab", LIST),
        (checks.texts, ["a", ""], LIST),
        (checks.texts, ["a", " "], LIST),
        (checks.texts, ["a", 7], LIST),
        (checks.text_table, {}, TABLE),
        (checks.text_table, ["a"], TABLE),
        (checks.text_table, {"a": "b", "c": 7}, TABLE),
        (checks.text_table, {"a": "b", "c": ""}, TABLE),
        (FEW, "twoo", "unknown word 'twoo'; did you mean 'two'? choose one of one, two"),
        (FEW, 7, "unknown word 7; choose one of one, two"),
        (
            checks.choice((*"abcdefghi", "one")),
            "onee",
            "unknown 'onee'; did you mean 'one'? choose one of a, b, c, d, e, f, g, h, i, one",
        ),
        (checks.choice((*"abcdefghij", "one")), "onee", "unknown 'onee'; did you mean 'one'?"),
        (checks.choice(("one",)), "x" * 70, f"unknown '{'x' * 59}; choose one of one"),
        (HALF, 0.4, SECONDS),
        (HALF, 55.5, SECONDS),
        (HALF, "1", SECONDS),
        (HALF, True, SECONDS),
        (WHOLE, 0, BYTES),
        (WHOLE, 10, BYTES),
        (WHOLE, 1.5, BYTES),
        (WHOLE, True, BYTES),
        (LETTERS, "aB", "must be small letters"),
        (LETTERS, 7, "must be small letters"),
        (checks.boolean, 1, "must be true or false"),
        (checks.header, "", HEADER),
        (checks.header, 7, HEADER),
        (checks.header, "x" * 101, HEADER),
        (checks.header, "X Key", HEADER),
        (checks.header, "X_Key", UNDERSCORE),
        (checks.variable, "S", VARIABLE),
        (checks.variable, "$1", VARIABLE),
        (checks.variable, "$S-1", VARIABLE),
        (checks.variable, 7, VARIABLE),
    ],
)
def test_a_value_of_another_form_is_refused_with_the_form_that_it_must_have(check, value, told):
    assert check(value) == told


@pytest.mark.parametrize(
    ("value", "end"),
    [(True, "; true came"), ("a", "; 'a' came"), ([""], "; [''] came"), ("x" * 70, f"; '{'x' * 59} came")],
)
def test_what_came_is_shown_as_it_is_written_and_cut(value, end):
    assert checks.received(value) == end
