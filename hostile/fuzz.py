"""`python -m hostile.fuzz [--inputs N] [--minutes M]`: bad input by the hundred thousand.

No input may make the service answer 500, hold it for more than a second, make it grow, or be let in with a body that
nobody signed. Parsers get their input directly, the app through WSGI, and gunicorn through sockets.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from app import create_app
from cobrowse.model import Secret
from hostile import inputs, wires
from hostile.obliging import Obliging
from hostile.parsers import authenticated, known, read, with_headers
from hostile.service import EXAMPLE, KEY, PUBLIC, ROOT, SECRETS, Service, environment
from integrations.ledger import connect
from integrations.senders.registry import load_senders
from sandbox.server import start
from schemas.data_action import AnswerSchema
from settings import Settings
from web.reference.openapi import document

# Seconds that one input may hold the service; and after which it is taken to hang.
SLOW, HANG = 1.0, 10.0
# Bytes by which a process may have grown between the first fifth of the inputs and the last.
GROWTH = 24_000_000
# Inputs that hypothesis is asked for at a time: it remembers all that it has tried.
BATCH = 500
# Faults that a part tells of.
MOST_TOLD = 50
_KEYS = list(AnswerSchema().fields)


@dataclass
class Tally:
    """What a part has tried, and what was wrong."""

    part: str
    inputs: int = 0
    slowest: float = 0.0
    growth: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, value: object, wrong: str, seconds: float) -> None:
        """One input more: what was wrong with it, if anything, and how long it took."""
        self.inputs += 1
        self.slowest = max(self.slowest, seconds)
        if not wrong and seconds > SLOW:
            wrong = f"took {seconds:.2f} s"
        if wrong and len(self.wrong) < MOST_TOLD:
            self.wrong.append(f"{wrong} ← {value!r}"[:1_000])


class Hang(BaseException):
    """An input did not come to an end."""


Try = Callable[[Any], str]


def drive(tally: Tally, count: int, ends: float, strategy: st.SearchStrategy[Any], attempt: Try, first: int) -> Tally:
    """Try so many inputs of a strategy, or until the time is over; `attempt` says what is wrong with each."""

    def alarm(*_: object) -> None:
        raise Hang

    def one(value: Any) -> None:  # noqa: ANN401 - whatever the strategy makes
        if time.monotonic() > ends or tally.inputs >= count:
            return
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, HANG)
        try:
            wrong = attempt(value)
        except Hang:
            wrong = f"no end after {HANG:.0f} s"
        except Exception as fault:  # noqa: BLE001 - an app that raises is what is looked for
            wrong = f"{type(fault).__name__}: {fault}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        tally.count(value, wrong, time.monotonic() - begun)

    signal.signal(signal.SIGALRM, alarm)
    quiet = settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    early, batch = 0, 0
    while tally.inputs < count and time.monotonic() < ends:
        seed(first + batch)(quiet(given(strategy)(one)))()
        batch += 1
        if not early and tally.inputs >= count / 5:
            early = memory()
    tally.growth = memory() - early if early else 0
    if tally.growth > GROWTH:
        tally.wrong.append(f"grew by {tally.growth / 1e6:.0f} MB")
    return tally


def memory() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- parsers ----------------------------------------------------------------------------------------------------------


def signatures(count: int, ends: float, first: int) -> Tally:
    """Headers and bodies that nobody signed, for each sender."""
    rows, deliveries = known()
    signed = [(rows.get(one.sender), one) for one in deliveries]
    genuine = [(row, one.signed_by(row)) for row, one in signed if row is not None and _is_text(one.body)]

    @st.composite
    def changed(draw: st.DrawFn) -> Any:  # noqa: ANN401 - a sender and two deliveries
        row, incoming = draw(st.sampled_from(genuine))
        names = st.sampled_from(sorted(incoming.headers))
        new = draw(st.dictionaries(names, st.none() | inputs.header_values, max_size=3))
        other = with_headers(incoming, new)
        if draw(st.booleans()):
            other = replace(other, body=draw(inputs.changed_bytes(other.body)))
        if draw(st.integers(0, 4)) == 0:
            other = replace(other, query_string=draw(st.text(max_size=40)))
        return row, incoming, other

    return drive(Tally("signatures"), count, ends, changed(), lambda case: authenticated(*case), first)


def envelopes(count: int, ends: float, first: int) -> Tally:
    """Bodies that no sender writes, as if they had been signed."""
    rows, deliveries = known()
    found = [(rows.get(one.sender), one.signed_by(rows.get(one.sender))) for one in deliveries if _is_text(one.body)]
    return drive(Tally("envelopes"), count, ends, _changed(found), lambda case: read(*case), first)


@st.composite
def _changed(draw: st.DrawFn, found: list[Any]) -> Any:  # noqa: ANN401 - a sender and a delivery
    row, incoming = draw(st.sampled_from(found))
    xml = row.reading.envelope.xml
    try:
        body = None if xml else json.loads(incoming.body)
    except ValueError:
        body = None
    bombs = st.sampled_from(list((inputs.XML_BOMBS if xml else inputs.JSON_BOMBS).values()))
    bodies = inputs.changed_bytes(incoming.body) if body is None else inputs.changed_json(body)
    return row, replace(incoming, body=draw(bodies | bombs if draw(st.integers(0, 9)) == 0 else bodies))


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- the app ----------------------------------------------------------------------------------------------------------


def app_in(folder: Path) -> Any:  # noqa: ANN401 - Flask's app
    """The service in this process, with every sender, on a Genesys that grants everything; no rate is held."""
    rows = folder / "senders.toml"
    rows.write_text(re.sub(r"(?m)^rate = .*$", "", EXAMPLE.read_text()))
    chosen = Settings(
        genesys_api_url="http://127.0.0.1:1",
        genesys_login_url="http://127.0.0.1:1",
        api_keys=Secret(f"hostile:{KEY}"),
        senders_file=str(rows),
        public_base_url=PUBLIC,
        allow_latest=True,
        allow_user_tokens=True,
        deadline_seconds=1.0,
        log_level="ERROR",
        log_format="json",
    )
    ledger = connect(f"sqlite:///{folder}/l.sqlite3", keys=(), retention_seconds=3600, synchronous="NORMAL")
    with environment(SECRETS):
        return create_app(chosen, ledger=ledger, transport=Obliging())


def told(answer: Any) -> str:  # noqa: ANN401 - werkzeug's answer
    """What is wrong with an answer: a 500, or a form that no caller could read."""
    if answer.status_code == 500:
        return f"500: {answer.get_data(as_text=True)[:200]}"
    if answer.mimetype == "application/json" and "errorCode" in (answer.json or {}):
        keys = [key for key in answer.json if key != "results"]
        return "" if keys == _KEYS else f"{answer.status_code} with other keys"
    if answer.status_code >= 400 and answer.mimetype not in ("text/xml", "text/html"):
        return f"{answer.status_code} as {answer.mimetype}"
    return ""


def deliveries(count: int, ends: float, first: int) -> Tally:
    """Bad bodies, signed as each sender signs, through the app."""
    with tempfile.TemporaryDirectory() as folder:
        client = app_in(Path(folder)).test_client()
        rows = load_senders(EXAMPLE, SECRETS, public_base_url=PUBLIC)
        found = [
            (rows.get(one.sender), one.signed_by(rows.get(one.sender))) for one in known()[1] if _is_text(one.body)
        ]

        def attempt(case: Any) -> str:  # noqa: ANN401 - a sender and a delivery
            row, incoming = case
            path = f"/webhooks/{row.name}"
            try:
                signed = row.sign("POST", path, incoming.body, datetime.now(UTC))
                headers, target = dict(signed.headers), signed.target(path)
            except UnicodeDecodeError:  # Standard Webhooks signs text only
                headers, target = {}, path
            kind = {"Content-Type": incoming.headers.get("content-type", "application/json")}
            return told(client.post(target, data=incoming.body, headers={**kind, **headers}))

        return drive(Tally("deliveries"), count, ends, _changed(found), attempt, first)


def data_actions(count: int, ends: float, first: int) -> Tally:
    """Bad bodies and headers of a data action, through the app."""
    body = {"conversationId": inputs.CONVERSATION, "channel": "webchat", "requestedBy": "Ann", "sessionSettings": "{}"}
    names = ("Idempotency-Key", "ININ-Correlation-Id", "Prefer", "Content-Type", "Genesys-Access-Token", "X-Api-Key")
    bombs = st.builds(
        lambda place, bomb: place.body(bomb),
        st.sampled_from(inputs.PLACES),
        st.sampled_from(list(inputs.JSON_BOMBS.values())),
    )
    # What a WSGI server hands on: no line breaks and no NUL.
    value = inputs.header_values.map(lambda text: text.replace("\r", "").replace("\n", "").replace("\0", ""))
    headers = st.dictionaries(st.sampled_from(names), value, max_size=2)
    cases = st.tuples(inputs.changed_json(body) | bombs, headers)
    with tempfile.TemporaryDirectory() as folder:
        client = app_in(Path(folder)).test_client()

        def attempt(case: Any) -> str:  # noqa: ANN401 - a body and headers
            sent = {"X-Api-Key": KEY, "Content-Type": "application/json", **case[1]}
            return told(client.post("/data-actions/cobrowse", data=case[0], headers=sent))

        return drive(Tally("data actions"), count, ends, cases, attempt, first)


def described(count: int, ends: float, first: int) -> Tally:
    """What schemathesis makes of the OpenAPI document, right and wrong, through the app."""
    with tempfile.TemporaryDirectory() as folder:
        app = app_in(Path(folder))
        schemathesis.openapi.format("json-object", st.just("{}"))
        config = schemathesis.Config.from_dict({"generation": {"database": "none"}})
        schema = schemathesis.openapi.from_dict(document({"crm": "standard-webhooks"}), config=config)
        schema.app = app
        modes = list(schemathesis.GenerationMode)
        operations = [found.ok() for found in schema.get_all_operations()]
        cases = st.one_of([one.as_strategy(generation_mode=mode) for one in operations for mode in modes])

        def attempt(case: Any) -> str:  # noqa: ANN401 - schemathesis's case
            answer = case.call(headers={"X-Api-Key": KEY})
            return f"500: {answer.text[:200]}" if answer.status_code == 500 else ""

        return drive(Tally("OpenAPI, by schemathesis"), count, ends, cases, attempt, first)


def paths(count: int, ends: float, first: int) -> Tally:
    """Paths and methods that lead nowhere, through the app."""
    known_ones = ["data-actions", "cobrowse", "webhooks", "crm", "healthz", "readyz", "metrics", "console", "docs"]
    part = st.sampled_from([*known_ones, "openapi.json", "static", "..", ".", "", "%00", "%2e%2e", "%ff"]) | st.text(
        max_size=8
    )
    method = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
    query = st.text(st.characters(codec="utf-8"), max_size=20)
    with tempfile.TemporaryDirectory() as folder:
        client = app_in(Path(folder)).test_client()

        def attempt(case: Any) -> str:  # noqa: ANN401 - a method, path parts and a query
            path = "/" + "/".join(case[1])
            # As a server hands it on: each byte a character. The client itself would take //x for a host.
            raw = {"PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": case[2].encode().decode("latin-1")}
            with client.open("/", method=case[0], headers={"X-Api-Key": KEY}, environ_overrides=raw) as answer:
                return "" if case[0] == "HEAD" or answer.status_code < 400 else told(answer)

        return drive(Tally("paths"), count, ends, st.tuples(method, st.lists(part, max_size=5), query), attempt, first)


# --- the wire ---------------------------------------------------------------------------------------------------------


def wire(count: int, ends: float, first: int) -> Tally:
    """Shapes of the table, and good requests with some bytes changed, through gunicorn; slow clients by the dozen."""
    tally = Tally("bytes through gunicorn")
    with (
        start(rate_limit=None) as box,
        tempfile.TemporaryDirectory() as folder,
        Service(box.url, Path(folder), WEB_CONCURRENCY="1", THREADS="4") as service,
    ):
        box.options.auto_create = True
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_ask, [service.port] * 64))  # whatever is made once is there now
            before = service.sample()
            answers = pool.map(lambda one: wires.exchange(service.port, one.data), wires.SHAPES)
            for shape, heard in zip(wires.SHAPES, answers, strict=True):
                tally.inputs += 1
                tally.wrong += [f"{shape.name}: {wrong}" for wrong in wires.faults_of(shape, heard)]
        tally.wrong += _slow(service.port, tally)
        whole = wires.head(b"Content-Length: %d" % len(wires.BODY)) + b"\r\n" + wires.BODY

        def attempt(data: bytes) -> str:
            with socket.create_connection(("127.0.0.1", service.port), timeout=HANG) as connection:
                answer = b""
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)  # what is not whole now will never be
                    while chunk := connection.recv(65_536):
                        answer += chunk
                except ConnectionError:  # it was cut: a refusal too
                    pass
                return f"500: {answer[-200:]!r}" if answer.startswith(b"HTTP/1.1 500") else ""

        drive(tally, count, ends, inputs.changed_bytes(whole), attempt, first)
        # The kernel's own close may lag behind the last answer.
        time.sleep(3)
        after = service.sample()
        tally.growth = after.memory - before.memory
        if tally.growth > GROWTH or after.files > before.files + 8:
            tally.wrong.append(f"the service went from {before} to {after}")
        if _ask(service.port) != 200:
            tally.wrong.append("a good request was not served afterwards")
    return tally


def _slow(port: int, tally: Tally) -> list[str]:
    """32 clients each that never end, and a good request in between."""
    wrong = []
    for shape in (one for one in wires.SHAPES if one.within == wires.WAITED_FOR):
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(32)]
        for one in held:
            one.sendall(shape.data)
        tally.inputs += len(held)
        begun, status = time.monotonic(), 503
        while status == 503 and time.monotonic() - begun < SLOW:  # 32 at once are more than four threads take
            status = _ask(port)
        took = time.monotonic() - begun
        if status != 200 or took > SLOW:
            wrong.append(f"32 times {shape.name}: a good request got {status} after {took:.1f} s")
        for one in held:
            one.close()
    return wrong


def _ask(port: int) -> int:
    conversation = f"{random.getrandbits(32):08x}-0000-4000-8000-000000000000"
    body = f'{{"conversationId": "{conversation}"}}'.encode()
    data = wires.head(b"Content-Length: %d" % len(body), b"Connection: close") + b"\r\n" + body
    return wires.exchange(port, data).status


# --- all of it --------------------------------------------------------------------------------------------------------

# Each part with its share of the inputs.
PARTS: dict[str, tuple[Callable[[int, float, int], Tally], float]] = {
    "wire": (wire, 0.03),
    "deliveries": (deliveries, 0.12),
    "data actions": (data_actions, 0.13),
    "OpenAPI": (described, 0.04),
    "signatures": (signatures, 0.36),
    "envelopes": (envelopes, 0.30),
    "paths": (paths, 0.02),
}


def _run(job: tuple[str, int, float, int]) -> Tally:
    name, count, ends, first = job
    try:
        return PARTS[name][0](count, ends, first)
    except Exception as fault:  # noqa: BLE001 - a part that can't run is a fault of its own
        return Tally(name, wrong=[f"the part did not run: {type(fault).__name__}: {fault}"])


def guided(runs: int, seconds: int) -> list[str]:
    """Atheris, where it is installed: what it said, and what was wrong."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install atheris): the part that is guided by coverage was left out")
        return []
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "hostile.coverage", f"-runs={runs}", f"-max_total_time={seconds}", f"-artifact_prefix={folder}/"]
        ended = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    last = [line for line in ended.stderr.splitlines() if line.strip()][-1:]
    print(f"atheris: {' '.join(last)}")
    return [] if ended.returncode == 0 else [f"atheris: {ended.stderr[-3000:]}"]


def main() -> int:
    """Run every part and print what came of it; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all (100,000)")
    parser.add_argument("--minutes", type=float, default=15.0, help="at most (15)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9), help="for the same inputs again")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="these parts only")
    given_ = parser.parse_args()
    begun = time.monotonic()
    ends = begun + given_.minutes * 60
    jobs = [
        (name, max(1, round(given_.inputs * share)), ends, given_.seed)
        for name, (_, share) in PARTS.items()
        if not given_.only or name in given_.only
    ]
    context = multiprocessing.get_context("fork")
    with context.Pool(os.cpu_count() or 2, maxtasksperchild=1) as pool:
        found = list(pool.imap(_run, jobs, chunksize=1))
    print(f"{'part':<26}{'inputs':>8}{'wrong':>7}{'slowest':>10}{'growth':>10}")
    for tally in found:
        print(
            f"{tally.part:<26}{tally.inputs:>8}{len(tally.wrong):>7}{tally.slowest * 1000:>7.0f} ms"
            f"{tally.growth / 1e6:>7.1f} MB"
        )
    wrong = [f"{tally.part}: {fault}" for tally in found for fault in tally.wrong]
    if not given_.only:
        wrong += guided(given_.inputs // 2, 120)
    for fault in wrong:
        print(f"✗ {fault}")
    total = sum(tally.inputs for tally in found)
    print(f"{total} inputs in {time.monotonic() - begun:.0f} s, seed {given_.seed}: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
