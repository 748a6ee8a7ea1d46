"""How the part of `make fuzz` that coverage guides is started and read; atheris itself is in .venv-fuzz only."""

import pytest

from hostile.documents import places, put
from hostile.guided import guided, lacking

DOCUMENT = {"a": [1, {"b": 2}], "c": 3}


def program(folder, *lines):
    """In the place of its interpreter: a script that says this."""
    file = folder / "python"
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)
    return file


def test_without_its_environment_it_says_what_makes_it(tmp_path):
    assert "make .venv-fuzz/.installed" in lacking(tmp_path / "python")


def test_where_atheris_has_no_wheel_it_says_for_which_interpreter(tmp_path):
    missing = program(tmp_path, "echo \"ModuleNotFoundError: No module named 'atheris'\" >&2", "exit 1")
    assert "atheris has no wheel for CPython 3." in lacking(missing)


def test_an_atheris_that_does_not_start_is_told(tmp_path):
    assert "symbol not found" in lacking(program(tmp_path, "echo 'ImportError: symbol not found' >&2", "exit 1"))


def test_where_it_starts_nothing_is_lacking(tmp_path):
    assert lacking(program(tmp_path, "exit 0")) == ""


def test_its_runs_are_counted(tmp_path, capsys):
    said = ("#2 INITED cov: 90 ft: 90", "#7 DONE cov: 345 ft: 560", "Done 7 runs in 2 second(s)")
    tally = guided(7, 5, 1, program(tmp_path, *(f"echo '{line}' >&2" for line in said)))
    assert (tally.inputs, tally.wrong) == (7, [])
    assert "90 edges of the parsers at first, 345 in the end" in capsys.readouterr().out


@pytest.mark.parametrize("lines", [["echo 'Done 7 runs in 2 second(s)' >&2", "exit 77"], ["exit 0"]])
def test_one_that_fails_or_runs_nothing_is_wrong(tmp_path, lines):
    tally = guided(7, 5, 1, program(tmp_path, *lines))
    assert len(tally.wrong) == 1


def test_the_input_that_failed_is_told(tmp_path):
    keep = 'for word in "$@"; do case $word in -artifact_prefix=*) printf ab > "${word#*=}crash-1";; esac; done'
    [wrong] = guided(7, 5, 1, program(tmp_path, keep, "exit 77")).wrong
    assert "crash-1: 6162" in wrong


def test_a_document_is_changed_in_one_place_and_stays_as_it_was():
    assert places(DOCUMENT) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",)]
    assert put(DOCUMENT, ("a", 1, "b"), None) == {"a": [1, {"b": None}], "c": 3}
    assert DOCUMENT == {"a": [1, {"b": 2}], "c": 3}
