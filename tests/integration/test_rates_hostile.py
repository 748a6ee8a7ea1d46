"""What stands where Redis should, and means no good: a sender with a rate waits, and no request waits for it."""

import threading

import pytest

from cobrowse.errors import RateLimitStorageUnavailable, SenderRateLimited
from integrations.senders.rate_limit import RateLimiter
from tests.clocks import HANGS
from tests.impostors import goes_on_for_ever, impostor, says


class Sender:
    name, rate_limit, rate_limit_fail_open = "crm", "3/minute", False


SERVERS = {
    "closes": lambda connection: connection.close(),
    "says nothing": says(b""),
    "never ends": goes_on_for_ever(b"$999999999999\r\n"),
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


def checked(serve):
    """What one check comes to, however long it takes: a hang fails."""
    came = []

    def check():
        try:
            with impostor(serve) as port:
                RateLimiter(f"redis://127.0.0.1:{port}").check(Sender)
        except Exception as fault:  # noqa: BLE001 - whichever it is, is what the test is about
            came.append(fault)

    thread = threading.Thread(target=check, daemon=True)
    thread.start()
    thread.join(HANGS)
    assert came, "the check did not end, or let the sender through"
    return came[0]


@pytest.mark.parametrize("name", SERVERS)
def test_a_sender_with_a_rate_waits_and_the_request_does_not(name):
    fault = checked(SERVERS[name])
    assert isinstance(fault, RateLimitStorageUnavailable), repr(fault)
    assert fault.retry_after > 0


@pytest.mark.parametrize("name", COUNTS)
def test_an_answer_that_is_no_time_makes_no_longer_wait_than_the_rates_own(name):
    fault = checked(COUNTS[name])
    assert isinstance(fault, SenderRateLimited), repr(fault)
    assert 0 < fault.retry_after <= 60
