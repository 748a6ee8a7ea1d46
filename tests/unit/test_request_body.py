"""A request's body: whether its connection may be kept, and that the request is freed once it is over."""

import gc
import weakref
from io import BytesIO
from types import SimpleNamespace

import pytest

from web.client_socket import CountedBody


class Request:
    """gunicorn's, as far as the body sees it; `length` is None for a chunked body."""

    def __init__(self, content: bytes, length: int | None, *, must_close: bool = False) -> None:
        self.body = BytesIO(content)
        self.body = SimpleNamespace(read=self.body.read, reader=SimpleNamespace(length=length))
        self.must_close = must_close


@pytest.mark.parametrize("length", [3, None])
def test_a_connection_may_be_kept_once_the_body_was_read_to_its_end(length):
    request = Request(b"abc", length)
    body = CountedBody(request)
    assert (body.read(2), request.must_close) == (b"ab", True)
    assert (body.read(2), request.must_close) == (b"c", False)
    assert (body.read(), request.must_close) == (b"", False)


def test_without_a_body_it_may_be_kept_at_once_and_what_must_close_stays_so():
    assert CountedBody(request := Request(b"", 0)).read() == b""
    assert request.must_close is False
    assert CountedBody(request := Request(b"abc", 3, must_close=True)).read() == b"abc"
    assert request.must_close is True


def test_a_request_that_was_read_is_freed_without_the_garbage_collector():
    request = Request(b"abc", 3)
    request.body = CountedBody(request)
    request.body.read()
    known = weakref.ref(request)
    gc.disable()
    try:
        del request
        assert known() is None
    finally:
        gc.enable()
