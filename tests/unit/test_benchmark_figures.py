"""What could be wrong in a benchmark without being seen: how wrk's output is read, and what follows from it."""

from pathlib import Path

import pytest

from tests.performance import figures, goals, hotspots, publish, wrk
from tests.performance.figures import CALLS

PRINTED = """Running 3s test @ http://127.0.0.1:9100/cobrowse
  1 threads and 10 connections
Requests/sec:   2721.43
RESULT {"good":8000,"refused":60,"failed":3,"broken":2,"seconds":3.001,"p50_ms":1.945,"p99_ms":3.638}
SAMPLE 502 {"error":"RESULT"}
"""


@pytest.mark.parametrize("load", ["load.lua", "client.py"])
def test_a_load_names_the_channel_so_that_three_calls_start_a_session(load):
    assert '"channel":"webchat"' in (Path(wrk.__file__).parent / load).read_text()


def test_a_run_of_wrks_is_read():
    assert wrk.parse(PRINTED) == {
        "good": 8000,
        "refused": 60,
        "failed": 3,
        "broken": 2,
        "seconds": 3.001,
        "p50_ms": 1.945,
        "p99_ms": 3.638,
        "sample": '502 {"error":"RESULT"}',
    }


def test_a_run_whose_answers_were_all_good_has_no_sample():
    assert wrk.parse(PRINTED.partition("SAMPLE")[0])["sample"] == ""


@pytest.mark.parametrize("printed", ["", "unable to connect to 127.0.0.1:1 Connection refused\n", "RESULT {\n"])
def test_a_run_without_a_result_is_an_error(printed):
    with pytest.raises(wrk.WrkFailed):
        wrk.parse(printed)


def test_no_two_runs_ask_for_the_same_conversations():
    seeds = [wrk.command("http://127.0.0.1:1/", 1, 1)[-3] for _ in range(3)]
    assert len(set(seeds)) == 3


def test_what_nothing_can_exceed():
    assert figures.limit_per_second(128, 50) == pytest.approx(853.3, abs=0.1)
    assert figures.limit_per_second(16, 0) == float("inf")


def test_the_share_that_a_ledger_takes():
    assert figures.share_taken(800, 600) == 0.25
    assert figures.share_taken(800, 880) == pytest.approx(-0.1)


def made(create, attach=None, conversation=None, refused=0):
    counts = dict(zip(CALLS, (create, create if attach is None else attach, conversation or create), strict=True))
    return counts | {"refused": refused, "token": 2}


@pytest.mark.parametrize(
    ("counts", "exact"),
    [
        (made(100), True),
        (made(116), True),
        (made(117), False),
        (made(99), False),
        (made(100, attach=101), False),
        (made(100, conversation=200), False),
        (made(100, refused=1), False),
    ],
)
def test_each_answer_made_its_calls_once_or_was_in_flight_at_the_end(counts, exact):
    assert figures.calls_are_exact(counts, good=100, connections=16) is exact


def test_the_upstreams_own_time_is_that_of_one_initiation_in_the_window():
    first = {"calls": {"create": 10}, "held_ms": {"create": 500.0}}
    last = {
        "calls": {"create": 12, "attach": 2, "conversation": 4},
        "held_ms": {"create": 602.0, "attach": 104.0, "conversation": 200.0},
    }
    assert figures.held_ms(first, last) == 51 + 52 + 50


@pytest.mark.parametrize(("share", "value"), [(0.5, 0), (0.99, 0), (0.991, 20), (0.999, 20), (1, 90)])
def test_a_quantile_of_counts(share, value):
    assert figures.quantile({90: 1, 0: 990, 20: 9}, share) == value


def test_there_is_no_quantile_of_nothing():
    assert figures.quantile({}, 0.999) is None


@pytest.mark.parametrize(("late", "spread"), [(3, [3, 2, 1]), (1, [1]), (0, [0]), (-1, [0])])
def test_a_hold_counts_for_all_who_would_have_arrived_in_it(late, spread):
    assert list(figures.spread_late(late)) == spread


@pytest.mark.parametrize(("one", "other", "apart"), [(100, 111, False), (100, 112, True), (112, 100, True)])
def test_figures_a_tenth_apart_differ(one, other, apart):
    assert figures.differ(one, other) is apart


def window(rate, *, exact=True, failed=0, sample=""):
    kept = dict.fromkeys(figures.KEPT, 1.0) | {"rate": rate}
    return kept | {"failed": failed, "broken": 0, "refused": 0, "exact": exact, "sample": sample}


def test_rounds_become_one_by_their_medians_and_nothing_bad_is_averaged_away():
    rounds = [window(10.0), window(30.0, exact=False, failed=2, sample="502"), window(20.0)]
    found = figures.medians(rounds)
    assert (found["rate"], found["bad"], found["exact"], found["sample"]) == (20.0, 2, False, "502")


@pytest.mark.parametrize(("value", "sense", "verdict"), [(2, "≤", "met"), (3, "≤", "missed"), (1, "≥", "missed")])
def test_a_goal_says_whether_it_is_met(value, sense, verdict):
    row = goals.Goal("what", sense, 2, "ms", lambda results: results["value"])
    assert row.told({"value": value})[-1].strip("*") == verdict
    assert row.told({})[-1] == goals.NOT_MEASURED


def test_every_goal_is_reported_of_a_run_that_measured_nothing():
    assert {goal.told({"contenders": {}})[-1] for goal in goals.GOALS} == {goals.NOT_MEASURED}


def test_a_profile_counts_busy_time_by_function_and_package():
    stacks = (
        "run (gunicorn/workers/base.py:10);view (web/data_actions.py:7);dumps (orjson/a.py:3) 6\n"
        "run (gunicorn/workers/base.py:10);view (web/data_actions.py:9) 2\n"
        "run (gunicorn/workers/base.py:10);acquire_with_timeout (gevent/_threading.py:36) 90\n"
    )
    lines = [line.split() for line in hotspots.summarize(stacks).splitlines() if "%" in line]
    assert lines[0] == ["75.0%", "75.0%", "dumps", "(orjson/a.py)"]
    assert lines[1] == ["25.0%", "100.0%", "view", "(web/data_actions.py)"]
    assert lines[2:] == [["75.0%", "orjson"], ["25.0%", "web"]]


def test_the_documentation_shows_the_figures_that_are_kept():
    assert publish.stale_pages() == [], "run: make figures"
