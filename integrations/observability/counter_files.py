"""The files in which the workers of one server keep their counts, so that each of them can answer for all."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from gevent.monkey import get_original
from prometheus_client import values as kinds_of_value

# Bytes of a file. prometheus_client maps it into memory and would let it grow without asking the disk; all counts that
# the labels allow take less.
SIZE = 1 << 20
# What prometheus_client names the files after: the kind of metric and, for a gauge, how the workers' are combined.
KINDS = ("counter", "histogram", "gauge_livesum", "gauge_livemax", "gauge_mostrecent")

Write = Callable[[int, bytes], int]


def allocate(directory: str, pid: int, write: Write = os.write) -> None:
    """Make this process's files, with all of their bytes on the disk. OSError if there is no room or no right to.

    A page of a mapped file that the disk has no room for ends the process by SIGBUS once it is written; bytes that are
    there already can't.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        # Under its name only once it is whole: another worker may read all files meanwhile.
        unfinished = folder / f"{kind}_{pid}.new"
        handle = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _fill(handle, write)
            unfinished.rename(unfinished.with_suffix(".db"))
        except OSError:
            unfinished.unlink()
            raise
        finally:
            os.close(handle)


def value_class(pid: int) -> type:
    """prometheus_client's kind of value for this process's files, without its look for a fork at each count.

    An initiation counts 12 times, and a worker never forks.
    """
    kind: type = kinds_of_value.MultiProcessValue(lambda: pid)  # type: ignore[no-untyped-call]
    lock = get_original("threading", "Lock")()

    class Value(kind):  # type: ignore[misc]  # made by a function
        def inc(self, amount: float) -> None:
            with lock:
                self._value += amount
                self._file.write_value(self._key, self._value, 0.0)

    return Value


def _fill(handle: int, write: Write) -> None:
    if write(handle, bytes(SIZE)) < SIZE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
