"""What arrives is held within a budget for the whole process, which is given back whatever becomes of a body."""

import contextlib
import io
import threading
from dataclasses import dataclass, field

import pytest
from gunicorn.http.errors import ParseException

from cobrowse.errors import CobrowseError, Overloaded
from tests.clocks import HANGS
from web.request_parsing import CHUNK_BYTES, BodyBudget, read_body

SIZE = CHUNK_BYTES * 4


@dataclass
class Request:
    """As much of a request as its body's reader looks at."""

    stream: object
    content_length: int | None = SIZE
    max_content_length: int = SIZE
    environ: dict = field(init=False)

    def __post_init__(self):
        self.environ = {"wsgi.input": self.stream, "wsgi.input_terminated": True}


class Breaking(io.BytesIO):
    """A body whose second piece is no more to be had."""

    def __init__(self, failure):
        super().__init__(b"x" * SIZE)
        self.failure = failure

    def read(self, size):
        if self.tell():
            raise self.failure
        return super().read(size)


@pytest.mark.parametrize("length", [SIZE, None])
def test_a_body_is_whole_and_what_it_took_is_given_back(length):
    budget = BodyBudget(SIZE + CHUNK_BYTES)
    assert read_body(Request(io.BytesIO(b"x" * SIZE), length), budget=budget) == b"x" * SIZE
    assert budget.bytes_held == 0


@pytest.mark.parametrize("length", [SIZE, None])
@pytest.mark.parametrize(
    "stream",
    [
        lambda: io.BytesIO(b"short"),
        lambda: io.BytesIO(b"x" * (SIZE + 1)),
        lambda: Breaking(OSError()),
        lambda: Breaking(TimeoutError()),
        lambda: Breaking(ParseException()),
    ],
    ids=["cut", "too long", "reset", "slow", "no chunks"],
)
def test_so_it_is_after_every_failure(stream, length):
    budget = BodyBudget(SIZE * 2)
    with contextlib.suppress(CobrowseError):
        read_body(Request(stream(), length), budget=budget)
    assert budget.bytes_held == 0


def test_it_is_given_back_when_the_reader_is_killed():
    budget = BodyBudget()
    with pytest.raises(SystemExit):
        read_body(Request(Breaking(SystemExit())), budget=budget)
    assert budget.bytes_held == 0


def test_half_sent_bodies_fill_it_and_the_next_is_refused_until_one_ends():
    budget, sent, ends = BodyBudget(CHUNK_BYTES * 3), threading.Semaphore(0), threading.Event()

    class HalfSent(io.BytesIO):
        def read(self, size):
            sent.release()
            assert ends.wait(HANGS)
            return super().read(size)

    slow = [
        threading.Thread(target=read_body, args=(Request(HalfSent(b"x" * CHUNK_BYTES), CHUNK_BYTES), None, budget))
        for _ in range(3)
    ]
    for thread in slow:
        thread.start()
        assert sent.acquire(timeout=HANGS)
    with pytest.raises(Overloaded) as refused:
        read_body(Request(io.BytesIO(b"x" * SIZE)), budget=budget)
    assert refused.value.retry_after
    assert budget.bytes_held == CHUNK_BYTES * 3
    ends.set()
    for thread in slow:
        thread.join(HANGS)
    assert budget.bytes_held == 0
    assert read_body(Request(io.BytesIO(b"x" * CHUNK_BYTES), CHUNK_BYTES), budget=budget)
