"""The documentation's figures are the benchmark's own: what stands between the markers is made, never typed."""

import copy
import importlib
import json
import shutil
import sys
from xml.etree import ElementTree as ET

import pytest

from tests.contract.pages import ROOT

BENCHMARKS = ROOT / "benchmarks"
MADE = ("docs/performance.md", "docs/performance.svg", "README.md")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def publish():
    """The program as a module. Programs import one another from their own folder, so it has to be on the path."""
    sys.path.append(str(BENCHMARKS))
    yield importlib.import_module("publish")
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def published():
    return json.loads((BENCHMARKS / "published.json").read_text())


@pytest.fixture
def desk(tmp_path):
    """The documents where a test may write."""
    (tmp_path / "docs").mkdir()
    for name in MADE:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_documents_show_the_figures_that_are_kept(publish, published):
    assert publish.stale(published) == [], "run benchmarks/publish.py with the run that they are to show"


@pytest.mark.parametrize("name", MADE)
def test_a_document_with_another_figure_is_stale(name, publish, published, desk):
    page = desk / name
    text = page.read_text()
    marked = text.index("<!-- figures:") if "<!-- figures:" in text else 0
    at = next(index for index in range(len(text) - 1, marked, -1) if _in_figures(text, index))
    page.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])
    assert publish.stale(published, desk) == [page.name]


def _in_figures(text, index):
    """Whether it is a digit of a figure: in the marked part of a page, anywhere in a picture."""
    return text[index].isdecimal() and (text.startswith("<svg") or "<!-- end of figures -->" in text[index:])


def test_another_run_makes_every_document_stale(publish, published, desk):
    for window in published["contenders"]["ours"]["loads"]["128 at 50 ms"]:
        window["rps"] += 10
    assert publish.stale(published, desk) == ["performance.md", "README.md", "performance.svg"]


@pytest.mark.parametrize("name", [name for name in MADE if name.endswith(".md")])
def test_what_people_write_outside_the_markers_is_left_as_it_is(name, publish, published, desk):
    page = desk / name
    page.write_text(f"Before.\n{page.read_text()}After.\n")
    assert publish.stale(published, desk) == []
    text = publish.documents(published, desk)[page]
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")


def test_a_page_without_its_markers_is_refused(publish, published, desk):
    page = desk / "README.md"
    page.write_text(page.read_text().replace("<!-- end of figures -->", ""))
    with pytest.raises(ValueError, match="one pair"):
        publish.documents(published, desk)


def test_every_contender_has_its_row_and_its_line(publish, published, desk):
    pages = publish.documents(published, desk)
    picture = ET.fromstring(pages[desk / "docs" / "performance.svg"])
    lines = [line.get("class") for line in picture.iter(f"{SVG}polyline")]
    style = picture.find(f"{SVG}style").text
    assert "@media (prefers-color-scheme: dark)" in style
    for name, entry in published["contenders"].items():
        assert f"| {entry['title']} | " in pages[desk / "docs" / "performance.md"]
        served = any(window["latency"] for load, taken in entry["loads"].items() if "50 ms" in load for window in taken)
        assert lines.count(f"line-{name}") == 1 + served, "no p99 of a contender that answered nothing in its window"
        assert style.count(f".line-{name}{{stroke:") == 2, "once for light and once for dark"
    assert lines.count("line-limit") == 2


# Several runs


@pytest.fixture
def two(published):
    """A run without the part that another one was asked for by name."""
    first, second = published, copy.deepcopy(published)
    first.pop("runs"), second.pop("runs")
    first["parts"].pop("native")
    first["skipped"]["native: ours"] = "failed: for want of time"
    second["contenders"] = {"ours": second["contenders"]["ours"] | {"loads": {}}}
    second["machine"]["date"] = "another day"
    return first, second


def test_a_later_run_adds_what_it_was_asked_for(publish, two):
    first, second = two
    whole = publish.merged([first, second])
    assert whole["parts"]["native"] == second["parts"]["native"]
    assert whole["contenders"] == first["contenders"]
    assert "native: ours" not in whole["skipped"]
    assert [run["date"] for run in whole["runs"]] == [first["machine"]["date"], "another day"]
    assert whole["starts_ms"]["ours"] == first["starts_ms"]["ours"] * 2


def test_a_later_runs_part_takes_the_place_of_the_first_ones(publish, two):
    first, second = two
    second["parts"] = {"replay": {"ours": second["parts"]["replay"]["ours"] | {"calls_by_replays": 7}}}
    whole = publish.merged([first, second])
    assert whole["parts"]["replay"]["ours"]["calls_by_replays"] == 7
    assert whole["parts"].keys() == first["parts"].keys()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda results: results["machine"].update(cpu="another"), "two machines: cpu"),
        (lambda results: results["machine"].update(cores=64), "two machines: cores"),
        (lambda results: results["options"].update(tls=True), "TLS"),
    ],
)
def test_runs_that_can_not_stand_side_by_side_are_refused(spoil, said, publish, two):
    first, second = two
    spoil(second)
    with pytest.raises(ValueError, match=said):
        publish.merged([first, second])
