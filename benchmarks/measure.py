"""Processes that are started, read from the kernel's own books, and ended: nothing here asks a process about itself."""

import contextlib
import http.client
import os
import platform
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 5.0


class Failed(Exception):
    """A process did not do what it was started for; the message says which, and its last words."""


class Group:
    """A process in a session of its own, with all the processes that it starts: they are counted and ended together."""

    def __init__(
        self, name: str, words: Sequence[str], *, env: Mapping[str, str], folder: Path, log: Path, piped: bool = False
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                list(words),
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it politely, then surely, and with it whatever it has left behind."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def pids(self) -> list[int]:
        return [pid for pid, stat in stats() if int(stat[3]) == self.process.pid and stat[0] != "Z"]

    def cpu(self) -> float:
        """Seconds of CPU so far: of all that live, and of all that ended and were waited for."""
        return sum(sum(map(int, stat[11:15])) for _, stat in stats() if int(stat[3]) == self.process.pid) / TICKS

    def memory(self, field: str) -> list[float]:
        """VmRSS or VmHWM (its peak) of each process, in MB."""
        sizes: list[float] = []
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                sizes.extend(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))
        return sizes

    def forget_peak(self) -> None:
        """Let the kernel's peaks begin anew."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def line(self) -> str:
        """What it prints next, if it is piped; "" once it has ended."""
        return self.process.stdout.readline() if self.process.stdout else ""

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-3:])[-400:]

    def wait_until_ready(self, port: int, path: str, seconds: float = 20.0) -> None:
        """Return once it answers on the port with anything but a server's error."""
        ends = time.monotonic() + seconds
        said = "nothing"
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = get(port, path)
                if status < 500:
                    return
                said = f"{status} {body[:200].decode(errors='replace')}"
            time.sleep(0.005)
        raise Failed(f"{self.name} was not ready within {seconds:.0f} s; {path} said {said}; log: {self.last_words()}")


def stats() -> Iterator[tuple[int, list[str]]]:
    """Each process's id, and what its line in /proc says after its name: state, parent, group, session and so on."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), Path(entry.path, "stat").read_text().rpartition(")")[2].split()


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Reading:
    """The kernel's counters at one moment, in seconds: CPU by group, and of the whole machine."""

    at: float
    cpu: dict[str, float]
    busy: float
    stolen: float


def read(groups: Sequence[Group]) -> Reading:
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    cpu = {group.name: group.cpu() for group in groups}
    return Reading(time.perf_counter(), cpu, (user + nice + system + irq + softirq) / TICKS, steal / TICKS)


def windowed(load: Group, groups: Sequence[Group], limit: float) -> tuple[Reading, Reading, str]:
    """The readings when a load says `begin` and `end`, and the line that it prints last."""
    watchdog = threading.Timer(limit, load.process.kill)
    watchdog.start()
    try:
        readings = []
        for word in ("begin", "end"):
            line = load.line().strip()
            if line != word:
                raise Failed(f"the load stopped before its {word}: {load.last_words()}")
            readings.append(read(groups))
        printed = load.line()
        load.process.wait(STOP_SECONDS)
        if not printed:
            raise Failed(f"the load ended without a result: {load.last_words()}")
        return readings[0], readings[1], printed
    finally:
        watchdog.cancel()


def machine() -> dict[str, object]:
    """What all this ran on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split(maxsplit=2)[1]) / 1024**2
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
