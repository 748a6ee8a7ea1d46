"""What stands where PostgreSQL should, and means no good: ledger_unavailable in time, whatever it says."""

import contextlib
import struct
import threading

from cobrowse.errors import LedgerUnavailable
from tests.clocks import HANGS
from tests.contract.ledgers import keyed, opened
from tests.impostors import goes_on_for_ever, impostor, says

__all__ = ["opened"]

PASSWORD = "pg-password-0123456789"


def message(kind, body):
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack("!I", len(body) + 4) + body


LET_IN = message(b"R", struct.pack("!I", 0)) + message(b"Z", b"I")
COLUMN = b"version\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
ROW = (
    message(b"1", b"")
    + message(b"2", b"")
    + message(b"T", struct.pack("!H", 1) + COLUMN)
    + message(b"D", struct.pack("!HI", 1, 4) + b"evil")
    + message(b"C", b"SELECT 1\0")
    + message(b"Z", b"I")
)


def lets_in_and(answer):
    """One that takes any password, and then gives this answer to every statement."""

    def serve(connection):
        connection.recv(65_536)
        connection.sendall(LET_IN)
        says(answer)(connection)

    return serve


SERVERS = {
    "closes": lambda connection: connection.close(),
    "says nothing": says(b""),
    "garbage": says(b"\x00\xff\x80 garbage"),
    "another protocol": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a length without end": says(b"R" + struct.pack("!I", 0x7FFFFFFF)),
    "never ends": goes_on_for_ever(b"E" + struct.pack("!I", 0x7FFFFFFF)),
    "asks for the password in the clear, and again": says(message(b"R", struct.pack("!I", 3))),
    "an error of its own": says(message(b"E", b"SFATAL\0C28P01\0Mno \x1b]0;title\x07\0\0")),
    "lets everybody in and is silent": lets_in_and(b""),
    "lets everybody in once more": lets_in_and(LET_IN),
    "has another table of that name": lets_in_and(ROW),
    "has rows that break the protocol": lets_in_and(ROW.replace(b"\0\1\0\0\0\4evil", b"\xff\xff\0\0\0\4evil")),
}


def uses(ledger):
    """What came of each use of a ledger."""
    came = []
    for work in (lambda: ledger.find("any", seconds=1.0), lambda: ledger.claim(keyed(), seconds=1.0), ledger.ping):
        try:
            came.append(work())
        except Exception as fault:  # noqa: BLE001 - whichever it is, is what the test is about
            came.append(fault)
    return came


def test_each_is_unavailable_in_time_and_nothing_of_ours_is_reported(opened):
    """All at once, since most take the whole time that they are given."""
    with contextlib.ExitStack() as stack:
        ledgers = {
            name: opened(f"postgresql://ada:{PASSWORD}@127.0.0.1:{port}/bridge?sslmode=disable")
            for name, server in SERVERS.items()
            if (port := stack.enter_context(impostor(server)))
        }
        came = {}
        threads = [
            threading.Thread(target=lambda name=name: came.update({name: uses(ledgers[name])}), daemon=True)
            for name in ledgers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANGS)
    for name in SERVERS:
        assert [type(fault) for fault in came.get(name, ())] == [LedgerUnavailable] * 3, (name, came.get(name))
        assert not [fault for fault in came[name] if PASSWORD in fault.message or len(fault.message) > 1_000], name
