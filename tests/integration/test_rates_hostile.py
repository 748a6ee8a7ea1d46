"""What stands where Redis should, and means no good: a sender with a rate waits, and no request waits for it."""

import contextlib
import socket
import threading

import pytest

from cobrowse.errors import SenderRateLimited
from integrations.senders.rate_limit import RateLimiter
from tests.clocks import HANGS


class Sender:
    name, rate_limit = "crm", "3/minute"


def says(answer):
    """A server that gives this answer to whatever it is sent."""

    def serve(connection):
        while connection.recv(65_536):
            connection.sendall(answer)

    return serve


def goes_on_for_ever(connection):
    connection.recv(65_536)
    connection.sendall(b"$999999999999\r\n")
    while True:
        connection.sendall(b"x" * 4_096)
        threading.Event().wait(0.01)


SERVERS = {
    "closes": lambda connection: connection.close(),
    "says nothing": says(b""),
    "never ends": goes_on_for_ever,
    "garbage": says(b"\x00\xff\x80 garbage\r\n"),
    "another protocol": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an error": says(b"-ERR no such thing\r\n"),
    "no script": says(b"-NOSCRIPT No matching script\r\n"),
    "elsewhere": says(b"-MOVED 1 203.0.113.7:6379\r\n"),
    "a length that is none": says(b"$abc\r\n"),
    "an array without end": says(b"*1000000000\r\n"),
    "nested without end": says(b"*1\r\n" * 5_000 + b":1\r\n"),
}
# What can be read as a count is one: whoever can write into Redis sets the rates.
COUNTS = {"nothing": says(b"$-1\r\n"), "an empty list": says(b"*0\r\n")}


@pytest.fixture
def url():
    """A factory: the URL of a server that treats each connection so."""
    with contextlib.ExitStack() as stack:

        def started(serve):
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def one(connection):
                with connection, contextlib.suppress(OSError):
                    serve(connection)

            def accept():
                with contextlib.suppress(OSError):
                    while True:
                        threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            stack.callback(listening.shutdown, socket.SHUT_RDWR)
            return f"redis://127.0.0.1:{listening.getsockname()[1]}"

        yield started


def checked(url):
    """What one check comes to, however long it takes: a hang fails."""
    came = []

    def check():
        try:
            RateLimiter(url).check(Sender)
        except Exception as fault:  # noqa: BLE001 - whichever it is, is what the test is about
            came.append(fault)

    thread = threading.Thread(target=check, daemon=True)
    thread.start()
    thread.join(HANGS)
    assert came, "the check did not end, or let the sender through"
    return came[0]


@pytest.mark.parametrize("name", SERVERS)
def test_a_sender_with_a_rate_waits_and_the_request_does_not(url, name):
    fault = checked(url(SERVERS[name]))
    assert isinstance(fault, SenderRateLimited), repr(fault)
    assert "can't be counted" in str(fault)
    assert fault.retry_after > 0


@pytest.mark.parametrize("name", COUNTS)
def test_an_answer_that_is_no_time_makes_no_longer_wait_than_the_rates_own(url, name):
    fault = checked(url(COUNTS[name]))
    assert isinstance(fault, SenderRateLimited), repr(fault)
    assert 0 < fault.retry_after <= 60
