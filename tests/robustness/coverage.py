"""`python -m tests.robustness.coverage [-runs=50000]`: hypothesis's inputs for the parsers, guided by coverage.

Its own environment has atheris: `make .venv-fuzz/.installed`, then `.venv-fuzz/bin/python -m
tests.robustness.coverage`. All
options are libFuzzer's.
"""

import sys
from typing import Any

import atheris
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# What a parser compares the start and the end of a text with guides it too.
atheris.enabled_hooks.add("str")

with atheris.instrument_imports(include=["integrations.senders", "schemas"]):
    from tests.robustness.fuzz_parsers import changed, tampered
    from tests.robustness.parsers import authenticated, genuine, known, read

_GENUINE = genuine(known()[0])


@settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(tampered(_GENUINE), changed(_GENUINE)))
def judge(case: tuple[Any, ...]) -> None:
    """A delivery that nobody signed is refused; one that was signed is read or refused as unreadable."""
    wrong = authenticated(*case) if len(case) == 3 else read(*case)
    if wrong:
        raise AssertionError(f"{case[0].name}: {wrong}: {case[-1]!r}")


def main() -> None:
    """Run until the arguments say that it is enough."""
    atheris.Setup([sys.argv[0], "-runs=50000", "-len_control=0", "-max_len=4096", "-timeout=5", *sys.argv[1:]], _one)
    atheris.Fuzz()


def _one(data: bytes) -> None:
    judge.hypothesis.fuzz_one_input(data)  # type: ignore[attr-defined]  # hypothesis adds it


if __name__ == "__main__":
    main()
