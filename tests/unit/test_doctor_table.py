"""The doctor's report: every line fits a terminal of 80 columns, and nothing a far side said acts on it."""

import pytest

from commands.doctor import NAMES, summary
from commands.terminal import echo_check
from diagnostics import CHECKS, Check, all_passed, settings_checks

GOOD = Check("ledger", True, "the SQLite file ledger.sqlite3 can be written")
BAD = Check("credentials", False, "token: Genesys answered 401", "Copy the secret anew. " * 12)
SKIPPED = Check("conversation", None, "none was named")


@pytest.fixture
def render(capsys):
    """What is printed for a check."""

    def rendered(check):
        echo_check("✓", "green", check.name, check.found, check.hint, names=NAMES)
        return capsys.readouterr().out

    return rendered


def test_a_check_is_a_mark_a_name_and_what_was_found(render):
    assert render(GOOD) == "✓ ledger                the SQLite file ledger.sqlite3 can be written\n"


def test_a_remedy_stands_below_wrapped(render):
    first, *rest = render(BAD).splitlines()
    assert first == "✓ credentials           token: Genesys answered 401"
    assert rest[0].startswith(" " * 24 + "→ Copy the secret")
    assert all(line.startswith(" " * 26) for line in rest[1:])


@pytest.mark.parametrize(
    "check",
    [
        GOOD,
        BAD,
        Check("sender " + "x" * 40, False, "word " * 60, "y" * 300),
        Check("x" * 200, False, "https://example.com/" + "z" * 200, ""),
        Check("empty", True, ""),
    ],
)
def test_no_line_is_wider_than_the_terminal(render, check):
    assert all(len(line) <= 80 for line in render(check).splitlines())


def test_the_summary_counts_what_was_checked():
    assert summary([GOOD, SKIPPED]) == "All 1 checks passed."
    assert summary([GOOD, BAD, SKIPPED]) == "1 of 2 checks failed."


def test_it_passes_unless_something_is_wrong():
    assert all_passed([GOOD, SKIPPED])
    assert not all_passed([GOOD, BAD])


def test_settings_that_are_wrong_are_a_check_each():
    checks = list(settings_checks(["API_KEYS: required; give each caller one", "GENESYS_REGION: Must be one of a, b."]))
    assert [check.found for check in checks] == [
        "API_KEYS: required; give each caller one",
        "GENESYS_REGION: Must be one of a, b.",
    ]
    assert "GENESYS_REGION" in checks[1].hint
    assert not all_passed(checks)


def test_what_a_question_needs_is_asked_before_it():
    asked = []
    for question in CHECKS:
        assert set(question.needs) <= set(asked)
        asked.append(question.name)
