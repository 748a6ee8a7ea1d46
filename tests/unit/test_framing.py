"""When a request is whole, byte by byte and however it is cut."""

import pytest

from web.framing import Arrival

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
WHOLE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    HEAD + b"Content-Length: 5\r\n\r\nhello",
    HEAD + b"content-length:0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("request_", WHOLE)
def test_it_is_whole_at_its_last_byte_and_not_before(request_):
    arrival = Arrival()
    told = [arrival.add(request_[at : at + 1]) for at in range(len(request_))]
    assert told == [False] * (len(request_) - 1) + [True]


@pytest.mark.parametrize("request_", WHOLE)
def test_in_one_piece_it_is_whole_at_once(request_):
    assert Arrival().add(request_)


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-5\r\n", b"x" * 100])
def test_what_is_no_chunk_is_left_to_the_parser_that_refuses_it(chunk):
    assert Arrival().add(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)


def test_a_client_that_asks_whether_to_go_on_is_noticed_once_its_head_is_there():
    arrival = Arrival()
    assert not arrival.add(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert arrival.wants_continue
    assert arrival.add(b"hello")
