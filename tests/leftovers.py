"""What no test may leave to the next: a changed environment, directory or signal handler, a thread or a process."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

# Seconds in which what was told to end may still do so.
ENDING = 10.0
# pytest-timeout's own is set for each test, and gone once that has failed.
# Nobody here uses the real-time ones.
SIGNALS = {each for each in signal.valid_signals() if each < signal.SIGRTMIN} - {signal.SIGALRM}


def changeable():
    """What belongs to the whole process and must be as it was, by what it is."""
    return {
        "the environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "the working directory": str(Path.cwd()),
        "the handlers of signals": {number: signal.getsignal(number) for number in SIGNALS},
    }


def running():
    """The threads that would keep this process from ending, and its child processes where /proc shows them."""
    threads = {f"the thread {one.name}" for one in threading.enumerate() if not one.daemon}
    children = []
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # that thread has ended meanwhile
            children += path.read_text().split()
    return threads | {f"the process {pid}" for pid in children}


class Leftovers:
    """Compares what is there after a test with what was there before it."""

    def __init__(self, ending=ENDING):
        self._ending = ending
        self._before, self._ran = changeable(), running()

    def found(self):
        """What the test has changed or left running, a word or two each."""
        after = changeable()
        changed = [name for name, was in self._before.items() if after[name] != was]
        ends = time.monotonic() + self._ending
        while (left := running() - self._ran) and time.monotonic() < ends:
            time.sleep(0.01)
        return changed + sorted(left)


class Held(NamedTuple):
    """What processes hold together: bytes of memory, threads, open files."""

    memory: int
    threads: int
    files: int


def held_by(pids):
    """What these processes hold, without those that have ended meanwhile."""
    memory = threads = files = 0
    for pid in pids:
        with contextlib.suppress(OSError, KeyError):  # it has just ended
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines if ":" in line)
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
            memory += int(status["VmRSS"].split()[0]) * 1024
            threads += int(status["Threads"])
    return Held(memory, threads, files)
