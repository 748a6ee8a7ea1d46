"""A receiver of outcome callbacks on a socket, which verifies each with the standard's own package."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

from integrations.senders.auth.standard_webhooks import SECRET_FORM

SECRET = SECRET_FORM.sample("of the receiver in the tests")


@dataclass(frozen=True)
class Received:
    """One POST whose signature was right."""

    id: str
    timestamp: int
    type: str
    data: dict
    path: str


class Receiver(ThreadingHTTPServer):
    """Keeps what it `received`. `answer` makes the status and headers of an answer; it may wait."""

    daemon_threads = True

    def __init__(self, port: int = 0, answer: Callable[[Received], tuple[int, dict]] = lambda _: (204, {})) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        self.received: list[Received] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/outcomes"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def ids(self) -> list[str]:
        """The webhook-ids in the order they came."""
        return [each.id for each in self.received]

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = Webhook(SECRET).verify(body.decode(), dict(self.headers.items()))
        assert self.headers["Content-Type"] == "application/json"
        assert json.loads(body) == content
        one = Received(
            self.headers["webhook-id"],
            int(self.headers["webhook-timestamp"]),
            content["type"],
            content["data"],
            self.path,
        )
        self.server.received.append(one)
        status, headers = self.server.answer(one)
        try:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
        except OSError:
            pass  # who sent it is dead

    def log_message(self, *_: object) -> None:
        pass
