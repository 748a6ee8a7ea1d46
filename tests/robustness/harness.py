"""One Genesys of its own with the service on it, for one case of the fault matrix after another."""

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
from werkzeug.test import TestResponse

from app import create_app
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from integrations.ledger import connect
from sandbox.server import start
from schemas.data_action import AnswerSchema
from settings import Settings
from tests.robustness.matrix import ALWAYS, Cell
from tests.robustness.misbehaving_servers import Stranger, certificate, closed_port
from tests.robustness.rules import GOOD, KINDS, LOST

KEY = "hostile-key-0123456789abcdef"
# Seconds: long enough for two patient looks and an answer, short enough for thousands of cases.
DEADLINE = 2.0
# Seconds that an answer may come after its deadline.
SLACK = 0.2
# Bytes of an endless body that one call may take: the transport's cap, and what the two sockets' buffers hold.
MOST_SENT = 16_000_000
# Seconds that threads and connections of a case have to end.
PATIENCE = 5.0
_ROW = f"""
[senders.relay]
signature = "bearer"
secrets = ["$RELAY"]
envelope = "custom"
response_policy = "as-is"
deadline_seconds = {DEADLINE}
"""
_SECRETS = {"RELAY": KEY}
_KEYS = list(AnswerSchema().fields)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case. `wrong` is empty if all of it was as it must be."""

    cell: Cell
    outcome: str
    seconds: float
    wrong: tuple[str, ...] = ()


class RedirectingTransport(httpx.BaseTransport):
    """Leads the calls of one operation somewhere else, so many times; real sockets carry them there."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self._operation, self._where, self._left = "", "", 0.0

    def lead(self, operation: str, where: str, times: int | str) -> None:
        """From now on, so many times."""
        self._operation, self._where, self._left = operation, where, float("inf") if times == ALWAYS else float(times)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry it on, or astray."""
        if self._left > 0 and operation_of(request) == self._operation:
            self._left -= 1
            extensions = request.extensions
            request = httpx.Request(
                request.method,
                httpx.URL(self._where).copy_with(raw_path=request.url.raw_path),
                headers=[(name, value) for name, value in request.headers.raw if name.lower() != b"host"],
                content=request.read(),
            )
            # httpx would make a copy, and what the transport says there would not be heard.
            request.extensions = extensions
        return self._inner.handle_request(request)

    def close(self) -> None:
        """End the connections."""
        self._inner.close()


def operation_of(request: httpx.Request) -> str:
    """The sandbox's name of this call."""
    path = request.url.path
    ends = {"/token": "token", "/sessions": "create", "/media": "attach", "/cobrowse": "cobrowse", "/webchat": "list"}
    return next((name for end, name in ends.items() if path.endswith(end)), "conversation")


def resource_counts() -> tuple[int, int]:
    """Threads and open files of this process."""
    if Path("/proc/self/task").is_dir():
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted only
    return threading.active_count(), 0


class Stage:
    """What the cases are played on. Not for two threads at once: threads and files are counted around each case.

    `slack` is how many seconds an answer may come after its deadline.
    """

    def __init__(self, folder: Path, slack: float = SLACK) -> None:
        self._slack = slack
        self._stack = contextlib.ExitStack()
        self.box = self._stack.enter_context(start(rate_limit=None))
        self.stranger = self._stack.enter_context(Stranger())
        self._untrusted = self._stack.enter_context(Stranger(certificate=certificate(folder)))
        self._endless = self._stack.enter_context(Stranger(endless=True))
        silent, hangs_up = (self._stack.enter_context(Stranger(says=says)) for says in (None, b""))
        closed = self._stack.enter_context(closed_port())
        self._places = {
            "closed": f"http://127.0.0.1:{closed}",
            "untrusted": f"https://127.0.0.1:{self._untrusted.port}",
            "plain": f"https://127.0.0.1:{self.box.port}",
            "hangs up": f"https://127.0.0.1:{hangs_up.port}",
            "silent": f"https://127.0.0.1:{silent.port}",
            "endless": f"http://127.0.0.1:{self._endless.port}",
        }
        self._folder = folder
        self._rows = folder / "senders.toml"
        self._rows.write_text(_ROW)
        # The first call opens what the thread's event loop keeps: before files are counted.
        with httpx.Client(transport=CurlTransport()) as client, contextlib.suppress(httpx.ConnectError):
            client.get(self._places["closed"])

    def close(self) -> None:
        """Stop all of it."""
        self._stack.close()

    def play(self, cell: Cell) -> Result:
        """Run one case."""
        self.box.reset()
        before = resource_counts()
        wrong: list[str] = []
        visitors, sent = self.stranger.connections, self._endless.sent
        with self._service(cell) as (client, detour):
            outcome, seconds = self._apply_faults(cell, client, detour, wrong)
        self._settle(before, wrong)
        if self.stranger.connections != visitors:
            wrong.append("the host that a redirect named was called")
        if self._endless.sent - sent > 3 * MOST_SENT:
            wrong.append(f"{self._endless.sent - sent} bytes of an endless body were taken")
        if self._untrusted.heard:
            wrong.append("something was said to a server with a bad certificate")
        return Result(cell, outcome, seconds, tuple(wrong))

    @contextlib.contextmanager
    def _service(self, cell: Cell) -> Iterator[tuple[Any, RedirectingTransport]]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            ledger = connect(f"sqlite:///{folder}/ledger.sqlite3", keys=(), retention_seconds=3600)
            detour = RedirectingTransport(CurlTransport())
            settings = Settings(
                genesys_api_url=self.box.url,
                genesys_login_url=self.box.url,
                cobrowse_flow=cell.flow,
                api_keys=Secret(f"flow:{KEY}"),
                senders_file=str(self._rows),
                allow_latest=True,
                deadline_seconds=DEADLINE,
                log_level="ERROR",
                log_format="json",
            )
            try:
                yield create_app(settings, ledger=ledger, transport=detour, environ=_SECRETS).test_client(), detour
            finally:
                detour.close()
                ledger.close()

    def _apply_faults(
        self, cell: Cell, client: Any, detour: RedirectingTransport, wrong: list[str]
    ) -> tuple[str, float]:
        one, other = (self.box.add_conversation().id for _ in range(2))
        latest = cell.role.name == "list"
        conversation = other if latest else one  # the newest is the one that `latest` finds
        if cell.role.name == "token (renewed)":  # the one in hand is another request's
            self._ask(cell, client, self.box.add_conversation().id, "before", latest=False)
        self._arm(cell, detour)
        first, seconds = self._ask(cell, client, conversation, "first", latest=latest)
        outcome = _judge(cell, first, wrong)
        invited = self.box.invitations(conversation)
        if seconds > DEADLINE + self._slack:
            wrong.append(f"took {seconds:.2f} s with a deadline of {DEADLINE} s")
        expected = {int(outcome in GOOD or cell.invited_anyway)}
        if cell.slow and outcome not in GOOD:
            expected.add(1)  # what is left of the deadline may have sufficed to send it, and not for its answer
        if invited not in expected:
            wrong.append(f"{invited} invitations, not {max(expected)}")
        self.box.faults.clear()
        detour.lead("", "", 0)
        again, _ = self._ask(cell, client, conversation, "first", latest=latest)
        # What found no conversation has claimed nothing: the same request again is a new one.
        if not (latest and outcome == "cobrowse_not_supported"):
            self._judge_repeat(outcome, first, again, conversation, wrong)
        healthy, took = self._ask(cell, client, one if latest else other, "second", latest=False)
        if _said(healthy) not in GOOD or took > DEADLINE + self._slack:
            wrong.append(f"the next request ended in {_said(healthy)} after {took:.2f} s")
        return outcome, seconds

    def _judge_repeat(
        self, outcome: str, first: TestResponse, again: TestResponse, conversation: str, wrong: list[str]
    ) -> None:
        """The same request once more, now that Genesys is well."""
        goes_on = outcome in KINDS and KINDS[outcome][2]
        if goes_on and _said(again) not in GOOD:
            wrong.append(f"its repeat ended in {_said(again)}")
        if not goes_on and (again.data != first.data or again.headers.get("Idempotent-Replayed") != "true"):
            wrong.append(f"its repeat was not answered the same but {_said(again)}")
        if self.box.invitations(conversation) > 1:
            wrong.append(f"{self.box.invitations(conversation)} invitations after its repeat")

    def _ask(self, cell: Cell, client: Any, conversation: str, key: str, *, latest: bool) -> tuple[TestResponse, float]:
        body: dict[str, Any] = {"latest": True} if latest else {"conversationId": conversation}
        if cell.role.rule != "optional" and not latest:
            body["channel"] = "webchat"
        headers = {"Idempotency-Key": key, "Prefer": "status"}
        if cell.role.name == "check":
            path, headers = "/webhooks/relay", {**headers, "Authorization": f"Bearer {KEY}"}
        else:
            path, headers = "/data-actions/cobrowse", {**headers, "X-Api-Key": KEY}
        begun = time.monotonic()
        answer = client.post(path, json=body, headers=headers)
        return answer, time.monotonic() - begun

    def _arm(self, cell: Cell, detour: RedirectingTransport) -> None:
        way, operation = cell.way, cell.role.operation
        if cell.role.invite:
            inviting = "attach" if cell.flow == "media" else "cobrowse"
            self.box.faults.add(operation=inviting, times=1, **cell.role.invite)
        if cell.role.name == "token (renewed)":
            self.box.faults.add(
                operation="create" if cell.flow == "media" else "cobrowse", kind="expire_token", times=1
            )
        if way.detour:
            detour.lead(operation, self._places[way.detour], cell.times)
            return
        fault = dict(way.fault)
        if way.date is not None:
            fault["retry_after"] = format_datetime(datetime.now(UTC) + timedelta(seconds=way.date), usegmt=True)
        if "location" in fault:
            fault["location"] = f"http://127.0.0.1:{self.stranger.port}/"
        self.box.faults.add(operation=operation, times=cell.times, **fault)

    def _settle(self, before: tuple[int, int], wrong: list[str]) -> None:
        """Wait until the case has left nothing behind: its connections, the sandbox's threads for them, its ledger."""
        self.box.reset()
        ends = time.monotonic() + PATIENCE
        while (now := resource_counts()) > before or now[1] > before[1]:
            if time.monotonic() > ends:
                wrong.append(f"left {now[0] - before[0]} threads and {now[1] - before[1]} files open")
                return
            time.sleep(0.005)


def _told(answer: TestResponse) -> dict[str, Any]:
    """The flat answer."""
    told: dict[str, Any] = json.loads(answer.data)
    return told


def _said(answer: TestResponse) -> str:
    """The status of a success, else the error's code."""
    told = _told(answer)
    return str(told["status"] if told["success"] else told["errorCode"])


def _judge(cell: Cell, answer: TestResponse, wrong: list[str]) -> str:
    """Hold the answer to what the matrix allows: its kind, its status, its promise about asking again."""
    told, outcome = _told(answer), _said(answer)
    if outcome not in cell.allowed:
        wrong.append(f"ended in {outcome} ({told['errorMessage'][:200]}), not {' or '.join(sorted(cell.allowed))}")
    if list(told) != _KEYS:
        wrong.append("the answer's keys are not those of the contract")
    status, retryable, _ = (200, False, True) if outcome in GOOD else KINDS.get(outcome, (0, False, False))
    if (answer.status_code, told["retryable"]) != (status, retryable):
        wrong.append(f"{outcome} came as {answer.status_code}, retryable {told['retryable']}")
    wait = told["retryAfterSeconds"]
    if answer.headers.get("Retry-After", "0") != str(wait) or (wait and not retryable):
        wrong.append(f"Retry-After {answer.headers.get('Retry-After')} beside retryAfterSeconds {wait}")
    told_by_way = cell.role.rule == "call" or (cell.role.rule == "invite" and not cell.invited_anyway)
    lowest, highest = cell.way.wait
    if retryable and told_by_way and outcome != LOST and not lowest <= wait <= highest:
        wrong.append(f"retryAfterSeconds {wait}, not {lowest} to {highest}")
    return outcome
