"""The waterfall: each call and wait in its step, everything to scale, on a round scale of milliseconds."""

import pytest

from cobrowse.model import Span
from console.timeline import MIN_WIDTH, build_timeline, scale

# As an attempt notes them: a span is noted when it ends, so a step comes after what it holds.
LIMITED = (
    Span("call", "token", 0.0, 0.1, "200"),
    Span("step", "token", 0.0, 0.1, "done"),
    Span("call", "create", 0.1, 0.1, "429"),
    Span("wait", "before another try of create", 0.2, 0.5),
    Span("call", "create", 0.7, 0.1, "201"),
    Span("step", "create", 0.1, 0.7, "done"),
    Span("call", "attach", 0.8, 0.2, "503"),
    Span("step", "attach", 0.8, 0.2, "genesys_unavailable"),
)


def test_calls_and_waits_stand_in_their_step_in_the_order_of_time():
    lines = build_timeline(LIMITED, 1.0).lines
    assert [(line.kind, line.name) for line in lines] == [
        ("step", "token"),
        ("call", "token"),
        ("step", "create"),
        ("call", "create"),
        ("wait", "wait before another try of create"),
        ("call", "create"),
        ("step", "attach"),
        ("call", "attach"),
    ]
    assert all((line.within is None) is (line.kind == "step") for line in lines)


def test_places_and_widths_are_to_scale():
    lines = build_timeline(LIMITED, 1.0).lines
    wait = lines[4]
    assert (wait.x, wait.width) == pytest.approx((20, 50))
    assert (wait.begins_ms, wait.took_ms) == pytest.approx((200, 500))
    assert wait.within == pytest.approx((10, 70))


def test_each_kind_of_end_has_its_tone_and_a_wait_says_what_it_follows():
    lines = build_timeline(LIMITED, 1.0).lines
    assert [line.tone for line in lines] == ["good", "good", "good", "throttled", "wait", "good", "bad", "bad"]
    assert lines[4].result == "after 429"


def test_a_wait_between_checks_that_found_nothing_yet_follows_no_news():
    spans = (Span("call", "conversation", 0, 0.1, "200"), Span("wait", "before another check", 0.1, 0.2))
    step = Span("step", "verify", 0, 0.3, "done")
    assert build_timeline((*spans, step), 0.3).lines[-1].result == ""


def test_the_shortest_call_can_be_seen_and_stays_inside():
    spans = (Span("call", "attach", 9.9999, 0.0001, "201"), Span("step", "attach", 9.9, 0.1, "done"))
    for line in build_timeline(spans, 10.0).lines:
        assert line.width >= MIN_WIDTH
        assert line.ends <= 100.0001


def test_a_call_outside_every_step_stands_for_itself():
    spans = (Span("call", "list", 0, 1, "200"), Span("step", "create", 1, 1, "done"))
    assert [(line.name, line.within) for line in build_timeline(spans, 2).lines] == [("list", None), ("create", None)]


def test_a_span_that_outlasts_the_attempt_lengthens_the_scale():
    assert build_timeline((Span("call", "create", 0, 3, "200"),), 1.0).total_ms == 3000


def test_nothing_at_all_can_be_drawn_too():
    assert build_timeline((), 0.0).lines == ()
    assert build_timeline((Span("step", "check", 0, 0, "done"),), 0.0).lines[0].width == MIN_WIDTH


@pytest.mark.parametrize(
    ("total", "marks"),
    [
        (1, ["0.0", "0.5", "1.0"]),
        (62.4, ["0", "20", "40", "60"]),
        (1000, ["0", "500", "1,000"]),
        (10_000, ["0", "5,000", "10,000"]),
    ],
)
def test_the_scale_has_round_marks(total, marks):
    assert [mark.ms for mark in scale(total)] == marks
    assert all(0 <= mark.at <= 100.0001 for mark in scale(total))


@pytest.mark.parametrize("total", [0.001, 0.7, 3, 19, 333, 54_999, 1e7])
def test_the_scale_has_a_few_marks_whatever_the_length(total):
    assert 3 <= len(scale(total)) <= 7
