"""Some seeds of the simulation, that it is what it says, and that it notices when a part of the product is missing."""

import gc
import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS, first_seed, shows
from tests.simulation.scenario import run
from tests.simulation.stored import STORED

SEEDS = 300
ON_STATEMENTS = 60


def test_no_promise_is_broken_in_any_of_some_hundred_runs():
    gc.disable()
    try:
        broken = {seed: found for seed in range(SEEDS) if (found := run(seed).violations)}
    finally:
        gc.enable()
    assert not broken


def test_the_ledgers_own_statements_keep_the_same_promises():
    assert not {seed: found for seed in range(ON_STATEMENTS) if (found := run(seed, STORED).violations)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_product_with_a_part_taken_out_is_caught(mutant):
    assert shows(mutant, mutant.shown_by) or first_seed(mutant) is not None


def test_the_same_seed_is_the_same_run_byte_for_byte():
    first, second = run(38), run(38)
    assert first.told() == second.told()
    assert first.told() != run(39).told()


def test_a_run_does_not_depend_on_the_process_it_happens_in():
    def told(hash_seed):
        command = [sys.executable, "-m", "tests.simulation", "--seed", "38"]
        env = os.environ | {"PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, env=env, capture_output=True, check=True).stdout

    assert told("1") == told("2")


def test_the_command_tells_seeds_a_second_and_violations():
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "40", "--workers", "2"]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert "40 seeds in" in said
    assert "seeds/s), 0 with violations" in said
