"""One sandbox with the service on it, on which the cases of the fault matrix are played one after another."""

import contextlib
import os
import socket
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from integrations.genesys.transport import CurlTransport
from sandbox.server import start
from tests.certificates import self_signed
from tests.in_process import KEY, service
from tests.integration.upstreams import OK, Upstream
from tests.robustness.judgement import judge_answer, result_of
from tests.robustness.matrix import ALWAYS, Cell
from tests.robustness.rules import GOOD, KINDS

# Seconds: long enough for two rounds of looks and an answer, short enough for thousands of cases.
DEADLINE = 2.0
# Seconds that an answer may come after its deadline.
SLACK = 0.2
# Bytes of an endless body that a case may take: the transport's cap, and what two sockets' buffers hold, thrice.
MOST_SENT = 48_000_000
# Seconds that threads and connections of a case have to end.
PATIENCE = 5.0
ROW = f"""
[senders.relay]
signature = "bearer"
secrets = ["$RELAY"]
envelope = "custom"
response_policy = "as-is"
deadline_seconds = {DEADLINE}
"""
# The end of a call's path, and the sandbox's name of the call.
OPERATIONS = {"/token": "token", "/sessions": "create", "/media": "attach", "/cobrowse": "cobrowse", "/webchat": "list"}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case. `wrong` is empty if all of it was as it must be."""

    cell: Cell
    outcome: str
    seconds: float
    wrong: tuple[str, ...] = ()


class RedirectingTransport(httpx.BaseTransport):
    """Sends the next so many calls of one operation to another server; real sockets carry them."""

    def __init__(self, inner):
        self._inner = inner
        self._operation, self._url, self._left = "", "", 0.0

    def redirect(self, operation, url, times):
        self._operation, self._url, self._left = operation, url, float("inf") if times == ALWAYS else float(times)

    def handle_request(self, request):
        path = request.url.path
        operation = next((name for end, name in OPERATIONS.items() if path.endswith(end)), "conversation")
        if self._left > 0 and operation == self._operation:
            self._left -= 1
            sent = request
            headers = [(name, value) for name, value in sent.headers.raw if name.lower() != b"host"]
            url = httpx.URL(self._url).copy_with(raw_path=sent.url.raw_path)
            request = httpx.Request(sent.method, url, headers=headers, content=sent.read())
            request.extensions = sent.extensions  # handed to the constructor, httpx would copy what is written to
        return self._inner.handle_request(request)


class HangsUp:
    """In place of a TLS context: ends the connection once the handshake has begun."""

    def wrap_socket(self, accepted, server_side):
        accepted.recv(1)
        raise OSError


def resource_counts():
    """Threads and open files of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted only


def open_files():
    """What this process has open, each once."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found.add(str(path.readlink()))
    return sorted(found)


class Stage:
    """What the cases are played on. Not for two threads at once: threads and files are counted around each case.

    `slack` is how many seconds an answer may come after its deadline.
    """

    def __init__(self, folder, slack=SLACK):
        self._slack, self._folder = slack, folder
        self._stack = contextlib.ExitStack()
        self.box = self._stack.enter_context(start(rate_limit=None))
        certificate, key = self_signed("127.0.0.1", ca=False)
        (folder / "untrusted.pem").write_bytes(key + certificate)
        untrusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        untrusted.load_cert_chain(folder / "untrusted.pem")
        self._redirect_target = self._upstream(OK)
        self._untrusted = self._upstream(OK, untrusted)
        # It can't read a TLS handshake as a request, and waits for the rest of it.
        silent = self._upstream(OK)
        self._sent = 0
        closed = self._stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))
        self._places = {
            "closed": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "untrusted": self._untrusted.url,
            "plain": self.box.url.replace("http:", "https:"),
            "hangs up": self._upstream(OK, HangsUp()).url,
            "silent": silent.url.replace("http:", "https:"),
            "endless": self._upstream(self._endless).url,
        }
        (folder / "senders.toml").write_text(ROW)
        # The first call opens what the thread's event loop keeps: before files are counted.
        with httpx.Client(transport=CurlTransport()) as client, contextlib.suppress(httpx.ConnectError):
            client.get(self._places["closed"])

    def _upstream(self, answer, context=None):
        upstream = Upstream(answer if callable(answer) else lambda _: answer, context)
        self._stack.callback(upstream.close)
        return upstream

    def _endless(self, exchange):
        exchange.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            self._sent += exchange.socket.send(b"[" * 65_536)

    def close(self):
        self._stack.close()

    def play(self, cell):
        """The result of one case."""
        self.box.reset()
        wrong, before = [], resource_counts()
        redirected, sent = self._redirect_target.connections, self._sent
        with tempfile.TemporaryDirectory(dir=self._folder) as folder, CurlTransport() as curl:
            transport = RedirectingTransport(curl)
            chosen = {
                "cobrowse_flow": cell.flow,
                "senders_file": str(self._folder / "senders.toml"),
                "allow_latest": True,
                "deadline_seconds": DEADLINE,
            }
            with service(self.box.url, folder, {"RELAY": KEY}, transport, **chosen) as (app, _):
                outcome, seconds = self._ask_thrice(cell, app.test_client(), transport, wrong)
        self._wait_for_leftovers(before, wrong)
        if self._redirect_target.connections != redirected:
            wrong.append("the host that a redirect named was called")
        if self._sent - sent > MOST_SENT:
            wrong.append(f"{self._sent - sent} bytes of an endless body were taken")
        if self._untrusted.seen:
            wrong.append("a request was sent to a server with a bad certificate")
        return Result(cell, outcome, seconds, tuple(wrong))

    def _ask_thrice(self, cell, client, transport, wrong):
        """Ask while Genesys fails; the same again once it is well; and for something else."""
        one, other = (self.box.add_conversation().id for _ in range(2))
        latest = cell.role.name == "list"
        conversation = other if latest else one  # the newest is the one that `latest` finds
        if cell.role.name == "token (renewed)":  # the token in use is another request's
            self._ask(cell, client, self.box.add_conversation().id, "before", latest=False)
        self._arm(cell, transport)
        first, seconds = self._ask(cell, client, conversation, "first", latest=latest)
        outcome = judge_answer(cell, first, wrong)
        if seconds > DEADLINE + self._slack:
            wrong.append(f"took {seconds:.2f} s with a deadline of {DEADLINE} s")
        expected = {int(outcome in GOOD or cell.invited_anyway)}
        if cell.slow and outcome not in GOOD:
            expected.add(1)  # what is left of the deadline may suffice to send it, and not for its answer
        if (invited := self.box.invitations(conversation)) not in expected:
            wrong.append(f"{invited} invitations, not {max(expected)}")
        self.box.faults.clear()
        transport.redirect("", "", 0)
        again, _ = self._ask(cell, client, conversation, "first", latest=latest)
        # What found no conversation has claimed nothing: the same request again is a new one.
        if not (latest and outcome == "cobrowse_not_supported"):
            goes_on = outcome in KINDS and KINDS[outcome][2]
            if goes_on and result_of(again) not in GOOD:
                wrong.append(f"its repeat ended in {result_of(again)}")
            if not goes_on and (again.data != first.data or again.headers.get("Idempotent-Replayed") != "true"):
                wrong.append(f"its repeat was not answered the same but {result_of(again)}")
            if (invited := self.box.invitations(conversation)) > 1:
                wrong.append(f"{invited} invitations after its repeat")
        healthy, took = self._ask(cell, client, one if latest else other, "second", latest=False)
        if result_of(healthy) not in GOOD or took > DEADLINE + self._slack:
            wrong.append(f"the next request ended in {result_of(healthy)} after {took:.2f} s")
        return outcome, seconds

    def _ask(self, cell, client, conversation, key, *, latest):
        body = {"latest": True} if latest else {"conversationId": conversation}
        if cell.role.rule != "optional" and not latest:
            body["channel"] = "webchat"  # which spares the check
        headers = {"Idempotency-Key": key, "Prefer": "status"}
        if cell.role.name == "check":
            path, headers = "/webhooks/relay", {**headers, "Authorization": f"Bearer {KEY}"}
        else:
            path, headers = "/data-actions/cobrowse", {**headers, "X-Api-Key": KEY}
        begun = time.monotonic()
        answer = client.post(path, json=body, headers=headers)
        return answer, time.monotonic() - begun

    def _arm(self, cell, transport):
        """Ask the sandbox for the cell's faults, or the transport for its redirection."""
        inviting = {"media": "attach", "native": "cobrowse"}[cell.flow]
        if cell.role.invite:
            self.box.faults.add(operation=inviting, times=1, **cell.role.invite)
        if cell.role.name == "token (renewed)":
            first = {"media": "create", "native": "cobrowse"}[cell.flow]
            self.box.faults.add(operation=first, kind="expire_token", times=1)
        if cell.way.detour:
            transport.redirect(cell.role.operation, self._places[cell.way.detour], cell.times)
        else:
            location = self._redirect_target.url + "/"
            self.box.faults.add(operation=cell.role.operation, times=cell.times, **cell.way.fields(location))

    def _wait_for_leftovers(self, before, wrong):
        """Until the case has left nothing behind: its connections, the sandbox's threads for them, its ledger."""
        self.box.reset()
        ends = time.monotonic() + PATIENCE
        while (now := resource_counts()) > before or now[1] > before[1]:
            if time.monotonic() > ends:
                wrong.append(f"left {now[0] - before[0]} threads and {now[1] - before[1]} files open")
                wrong.append(f"open: {', '.join(open_files())}")
                return
            time.sleep(0.005)
