"""The list of mutants that live: it names what is there, and says of each why that is harmless."""

import tomllib

import pytest

from hostile.mutants.survivors import LIST, Survivor, faults, known
from tests.contract.pages import ROOT

TARGETS = tomllib.loads(LIST.with_name("targets.toml").read_text())
SOURCE = """
LIMIT = 3


class Door:
    width = 1

    def open(self):
        return call(
            "one",
            "two",
        )
"""


def test_every_survivor_is_still_there_with_a_reason():
    listed = known(LIST.read_text())
    assert [*faults(listed, ROOT)] == []
    assert {one.file for one in listed} <= TARGETS.keys()


def test_every_module_of_the_targets_is_there_and_every_test_of_theirs():
    heart = {f"cobrowse/{path.name}" for path in (ROOT / "cobrowse").glob("*.py")} - {"cobrowse/__init__.py"}
    assert TARGETS.keys() == heart | {"integrations/senders/signatures.py", "integrations/genesys/retry.py"}
    for row in TARGETS.values():
        for test in row["tests"]:
            path, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text() if name else (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("function", "before", "reason", "fault"),
    [
        ("Door.open", '"two",', "why", None),
        ("Door.open", '"one", "two",', "why", None),
        ("Door", "width = 1", "why", None),
        ("LIMIT", "LIMIT = 3", "why", None),
        ("Door.open", '"two",', " ", "door.py Door.open: no reason"),
        ("Door.shut", '"two",', "why", "door.py: no Door.shut in it"),
        ("open", '"two",', "why", "door.py: no open in it"),
        ("Door.open", '"three",', "why", 'door.py Door.open: no such line: "three",'),
        ("Door.open", "LIMIT = 3", "why", "door.py Door.open: no such line: LIMIT = 3"),
    ],
)
def test_an_entry_names_a_reason_and_lines_of_a_function_class_or_constant(tmp_path, function, before, reason, fault):
    (tmp_path / "door.py").write_text(SOURCE)
    one = Survivor("door.py", function, before, "another", reason)
    assert [*faults((one,), tmp_path)] == ([fault] if fault else [])


def test_an_entry_for_a_file_that_is_gone_or_told_twice_is_a_fault(tmp_path):
    (tmp_path / "door.py").write_text(SOURCE)
    gone, there = Survivor("gone.py", "f", "x", "y", "why"), Survivor("door.py", "LIMIT", "LIMIT = 3", "y", "why")
    assert [*faults((gone, there, there), tmp_path)] == ["gone.py: no f in it", "door.py LIMIT: twice: LIMIT = 3"]


def test_one_reason_may_hold_for_several_changes():
    text = '[[survivor]]\nfile = "a.py"\nfunction = "f"\nreason = "why"\nchanges = [["x", "y"], ["x", "z"]]\n'
    assert known(text) == (Survivor("a.py", "f", "x", "y", "why"), Survivor("a.py", "f", "x", "z", "why"))
    assert known("# none\n") == ()
