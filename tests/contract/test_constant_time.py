"""What a caller authenticates by is compared in constant time, wherever that is, and against every secret there is."""

import ast
import re
from pathlib import Path

import pytest

from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, constant_time_equals, matching_secret

ROOT = Path(__file__).resolve().parents[2]
# What authenticates callers, and all that a caller's word passes on its way there.
MODULES = sorted(
    file
    for folder in ("integrations/senders", "web", "console", "schemas", "cobrowse", "integrations/genesys")
    for file in (ROOT / folder).rglob("*.py")
)
SUSPECT = re.compile(r"(?i)secret|reveal|password|presented|given|digest|signature|token|credential|(^|_)(key|hmac)s?$")
# Comparisons of what the service's own operator has set, or of names and not of values.
HARMLESS = {
    "Secret(key) == other": "pairs of API_KEYS, at the start",
    "key == name": "a query parameter's name",
    "_checkpoint_key(recorded) != _checkpoint_key(intended)": "our own progress",
}


def named(node):
    """The last name of whatever is compared: `c` of a.b.c, of c(...) and of c[...]."""
    while isinstance(node, ast.Call | ast.Subscript | ast.Starred | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def compared(text):
    """The comparisons by value of two things that are no constants, one of which has a name of a secret's kind."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        sides = [node.left, *node.comparators]
        constant = any(isinstance(side, ast.Constant) or named(side).isupper() for side in sides)
        if not constant and any(SUSPECT.search(named(side)) for side in sides):
            yield ast.unparse(node)


def test_no_secret_is_compared_by_value():
    assert {line for file in MODULES for line in compared(file.read_text())} == HARMLESS.keys()


@pytest.mark.parametrize(
    "line",
    [
        "presented == secret",
        "a == b.reveal()",
        "digest(a, b) != given[1]",
        "x == self.password",
        "request.token == self._token",
    ],
)
def test_such_a_comparison_would_be_found(line):
    assert [*compared(f"def check():\n    return {line}\n")] == [line]


def test_every_secret_is_tried_whichever_fits_first():
    tried = []
    config = AuthConfig(secrets=(Secret("first"), Secret("second"), Secret("third")), names=("A", "B", "C"))

    def fits(secret):
        tried.append(secret)
        return secret == b"first"

    assert matching_secret(config, fits) == "A"
    assert tried == [b"first", b"second", b"third"]


@pytest.mark.parametrize("presented", [b"", b"s", b"secret\0", b"secre", b"secret" * 1000, b"\xff"])
def test_a_value_of_any_length_is_compared_and_only_the_same_fits(presented):
    assert not constant_time_equals(presented, b"secret")
    assert constant_time_equals(b"secret", b"secret")
