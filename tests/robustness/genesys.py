"""The sandbox in a process of its own, so that its work is not the load's, steered over its control endpoints."""

import json
import subprocess
import sys
import time
import urllib.request
from types import TracebackType
from typing import Any, Self

from tests.ports import free_port
from tests.robustness.service import ROOT

# It keeps all it is told. The collector would stand still for seconds each time it went through a million sessions; a
# service left without an answer refuses what it can't serve.
_PROGRAM = """
import gc, sys
gc.disable()
from sandbox.server import serve
serve(port=int(sys.argv[1]), rate_limit=None, auto_create=True)
"""


class Genesys:
    """A sandbox in which every conversation that is asked for exists. Leaving its `with` block ends it."""

    def __init__(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(port)], cwd=ROOT)
        ends = time.monotonic() + 15
        while True:
            try:
                self._get("/sandbox/settings")
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)
            else:
                return

    def fault(self, **fields: object) -> None:
        """Ask for a fault."""
        self._send("POST", "/sandbox/faults", fields)

    def heal(self) -> None:
        """Ask for no faults any more."""
        self._send("DELETE", "/sandbox/faults")

    def faults(self) -> list[dict[str, Any]]:
        """Those asked for since the last `heal`, each with how often it `fired`."""
        found: list[dict[str, Any]] = self._get("/sandbox/faults")["faults"]
        return found

    def add_conversation(self, conversation: str, channel: str) -> None:
        """Put a conversation there that is no webchat, which is what is made up otherwise."""
        self._send("POST", "/sandbox/conversations", {"id": conversation, "channel": channel})

    def invitations(self) -> dict[str, int]:
        """How often each conversation's customer was invited."""
        found: dict[str, int] = self._get("/sandbox/state")["invitations"]["byConversation"]
        return found

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.load(answer)

    def _send(self, method: str, path: str, document: object = None) -> None:
        data = json.dumps(document).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", data, method=method), timeout=30).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(10)
