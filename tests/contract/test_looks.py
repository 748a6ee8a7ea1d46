"""What a check of the conversation costs and prevents is what docs/architecture.md says."""

from pathlib import Path

from tests.performance.looks import table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def test_the_table_of_checks_is_what_the_sandbox_counts():
    assert "\n".join(table(rounds=1)) in PAGE.read_text()
