"""Every parser and pattern costs in proportion to its input: the table of tests/robustness/growth.py."""

from collections import defaultdict

import pytest

from cobrowse.errors import InvalidRequest
from integrations.senders.payloads.paths import STEPS, Path
from tests.robustness.growth import TIMES, Case, cases, measure

CASES = defaultdict(list)
for case in cases():
    CASES[case.name.partition(":")[0]].append(case)


@pytest.mark.parametrize("parser", CASES)
def test_sixteen_times_the_input_costs_less_than_64_times_the_cpu_time(parser):
    for case in CASES[parser]:
        growth = measure(case)
        assert growth.is_linear, f"{case.name}: {growth.small:.4f} s became {growth.large:.4f} s"


def test_a_square_cost_would_be_found():
    def square(text):
        for end in range(0, len(text), 256):
            text[:end].count("b")

    growth = measure(Case("square", lambda size: "a" * size * 2, square))
    assert growth.factor > TIMES * 3


def test_following_a_path_ends_after_so_many_steps():
    path = Path.of("items[*].id")
    assert len(path({"items": [{"id": 1}] * 1_000})) == 1_000
    with pytest.raises(InvalidRequest, match=r"items\[\*\].id: can't be worked out"):
        path({"items": [{"id": 1}] * STEPS})
