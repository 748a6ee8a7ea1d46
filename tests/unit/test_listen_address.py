"""An address that can't be listened on: said at once with its remedy, and waited for."""

import errno
import os
import socket

import pytest

from tests.clocks import ManualClock
from tests.ports import free_port
from web.listen_address import WAIT_SECONDS, explain, wait_for_address

HOST = "127.0.0.1"


class ClockThat(ManualClock):
    """Does something when it is asked to sleep for the third time."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def sleep(self, seconds):
        super().sleep(seconds)
        if len(self.slept) == 3:
            self.act()


def test_a_free_address_is_had_at_once_and_without_a_word():
    said, clock = [], ManualClock()
    assert wait_for_address(HOST, free_port(), clock, said.append)
    assert (said, clock.slept) == ([], [])


def test_one_that_another_process_listens_on_is_named_at_once_with_the_remedy_and_given_up_in_time():
    said, clock = [], ManualClock()
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert not wait_for_address(HOST, port, clock, said.append)
    assert "\n".join(said).splitlines() == [
        f"{HOST}:{port} is in use by another process. Trying for 5 seconds.",
        f"Choose another PORT, or end the process that this shows: ss -ltnp 'sport = :{port}'",
        f"{HOST}:{port} is in use by another process: the service has not started.",
    ]
    assert len(said) == 2
    assert sum(clock.slept) == pytest.approx(WAIT_SECONDS, abs=0.2)


def test_one_whose_process_ends_meanwhile_is_had_then():
    said, taken = [], socket.create_server((HOST, 0))
    clock = ClockThat(taken.close)
    assert wait_for_address(HOST, taken.getsockname()[1], clock, said.append)
    assert (len(said), len(clock.slept)) == (1, 3)


def test_connections_of_an_ended_process_keep_nobody_from_its_address():
    with socket.create_server((HOST, 0)) as server:
        address = server.getsockname()
        client = socket.create_connection(address)
        server.accept()[0].close()  # the side that closes first keeps the port in TIME_WAIT
        client.close()
    said = []
    assert wait_for_address(*address, ManualClock(), said.append)
    assert said == []


@pytest.mark.parametrize(
    ("host", "code", "cause", "remedy"),
    [
        ("::1", errno.EADDRINUSE, "[::1]:80 is in use by another process", "another PORT"),
        ("0.0.0.0", errno.EACCES, "Port 80 needs rights that this process does not have", "a PORT from 1024 on"),
        ("192.0.2.1", errno.EADDRNOTAVAIL, "192.0.2.1 is not an address of this machine", "a HOST that"),
        ("::1", errno.ENOMEM, "[::1]:80 can't be listened on: Cannot allocate memory", "a HOST that"),
    ],
)
def test_each_cause_has_its_remedy(host, code, cause, remedy):
    told, hint = explain(host, 80, OSError(code, os.strerror(code)), host_name="HOST", port_name="PORT")
    assert (told, remedy in hint) == (cause, True)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine_is_named(host):
    said = []
    assert not wait_for_address(host, free_port(), ManualClock(), said.append)
    assert said[0].startswith(host)
    assert "Choose a HOST" in said[0]
