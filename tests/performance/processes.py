"""Processes that are started, read from the kernel's books through psutil, and ended with all their children."""

import contextlib
import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

STOP_SECONDS = 5.0
READY_SECONDS = 20.0


class FailedToRun(Exception):
    """A process did not do what it was started for; the message names it and quotes the end of its log."""


class Group:
    """A process and all that it starts, in a session of their own. `piped`: its standard output is read by us."""

    def __init__(self, name, words, *, env, folder, log: Path, piped=False):
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self.process = psutil.Popen(
                words,
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """SIGTERM, then SIGKILL for what is left after STOP_SECONDS."""
        everyone = self.all()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(everyone, timeout=STOP_SECONDS)
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def all(self):
        try:
            return [self.process, *self.process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def workers(self):
        """The child processes, or the process itself if it has none."""
        return self.all()[1:] or self.all()

    def cpu_seconds(self):
        """User and system time so far, of all that live and of children that were waited for."""
        return sum(sum(one.cpu_times()[:4]) for one in self.all())

    def memory_mb(self):
        """Resident memory of each worker."""
        return [one.memory_info().rss / 2**20 for one in self.workers()]

    def read_line(self):
        return self.process.stdout.readline()

    def log_end(self):
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])[-400:]

    def wait_until_ready(self, port, path):
        """Return once it answers on the port with anything but a server's error."""
        ends = time.monotonic() + READY_SECONDS
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise FailedToRun(f"{self.name} ended with {self.process.returncode}: {self.log_end()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(port, path)[0] < 500:
                    return
            time.sleep(0.01)
        raise FailedToRun(f"{self.name} was not ready within {READY_SECONDS:.0f} s: {self.log_end()}")


def ask(port, path, method="GET"):
    """Status and body of one request to this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def machine_busy_seconds():
    """CPU seconds that anything on the machine has used so far, its host's share (steal) included."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)


def describe_machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), os.uname().machine)
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": os.uname().release,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
