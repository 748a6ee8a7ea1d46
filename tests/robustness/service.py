"""The service as its users start it: gunicorn in processes of its own, watched from outside, and ended by their ids."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from settings import Settings
from tests.payloads import environ
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
KEY = "hostile-key-0123456789abcdef"
PUBLIC = "https://bridge.example.com"
EXAMPLE = ROOT / "senders.example.toml"
SECRETS = environ(EXAMPLE.read_text("utf-8"))
# Seconds until it must answer, and until it must have ended.
START, STOP = 30.0, 75.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the workers hold together: bytes of memory, threads, open files. And how many workers there are."""

    at: float
    workers: int
    memory: int
    threads: int
    files: int


class Service:
    """One gunicorn. `variables` are settings besides; leaving its `with` block ends it."""

    def __init__(self, genesys: str, folder: Path, *, name: str = "service", **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self._environment = {key: value for key, value in os.environ.items() if key not in Settings.NAMES} | {
            "SANDBOX": "true",
            "GENESYS_API_URL": genesys,
            "GENESYS_LOGIN_URL": genesys,
            "API_KEYS": f"hostile:{KEY}",
            "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
            "SENDERS_FILE": str(EXAMPLE),
            "PUBLIC_BASE_URL": PUBLIC,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "WARNING",
            **SECRETS,
            **variables,
        }
        self.process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        words = shlex.split((ROOT / "Procfile").read_text().partition("web:")[2])
        with self.log.open("ab") as out:
            process = subprocess.Popen(  # the Procfile's own words
                [str(Path(sys.executable).with_name(words[0])), *words[1:]],
                cwd=ROOT,
                env=self._environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        ends = time.monotonic() + START
        while time.monotonic() < ends and process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return process
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise RuntimeError(f"the service did not come up: {self.log.read_text()[-2000:]}")

    def workers(self) -> list[int]:
        """The workers' process ids."""
        try:
            found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in found.split()]

    def sample(self) -> Sample:
        """What the workers hold now."""
        memory = threads = files = count = 0
        for pid in self.workers():
            with contextlib.suppress(OSError, KeyError):  # it has just ended
                status = dict(
                    line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
                )
                memory += int(status["VmRSS"].split()[0]) * 1024
                files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
                threads += int(status["Threads"])
                count += 1
        return Sample(time.monotonic(), count, memory, threads, files)

    def stop(self) -> int:
        """Ask it to end, and make sure: its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
