"""`python -m tests.robustness.coverage [-runs=50000]`: hypothesis's inputs for the parsers, guided by coverage.

Its own environment has atheris: `make .venv-fuzz/.installed`, then `.venv-fuzz/bin/python -m
tests.robustness.coverage`. All options are libFuzzer's.
"""

import sys

import atheris
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# What a parser compares the start and the end of a text with guides it too.
atheris.enabled_hooks.add("str")

with atheris.instrument_imports(include=["integrations.senders", "schemas"]):
    from tests.robustness.parsers import authenticated, changed, genuine, read, tampered

GENUINE = genuine()


@settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(tampered(GENUINE), changed(GENUINE)))
def judge(case):
    """A delivery that nobody signed is refused; one that was signed is read or refused as unreadable."""
    wrong = authenticated(*case) if len(case) == 3 else read(*case)
    assert not wrong, f"{case[0].name}: {wrong}: {case[-1]!r}"


if __name__ == "__main__":
    options = ["-runs=50000", "-len_control=0", "-max_len=4096", "-timeout=5", *sys.argv[1:]]
    atheris.Setup([sys.argv[0], *options], judge.hypothesis.fuzz_one_input)
    atheris.Fuzz()
