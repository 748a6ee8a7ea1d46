"""Under gevent a large body is read in a thread: other requests have their turns meanwhile."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from gevent import monkey
monkey.patch_all()

import gzip, sys
from datetime import UTC, datetime

import gevent

from cobrowse.errors import MalformedRequest
from integrations.senders.payloads.content import parse_content
from integrations.senders.requests import UnverifiedRequest

size, coding = int(sys.argv[1]), sys.argv[2]
turns = []

def read(body):
    headers = {"content-type": "application/json", "content-encoding": coding}
    sent = gzip.compress(body) if coding == "gzip" else body
    incoming = UnverifiedRequest("POST", "/webhooks/x", "", headers, sent, "", datetime.now(UTC))
    return parse_content(incoming, "json", (), largest=2_000_000)

gevent.spawn(turns.append, "another's")
assert read(b'{"a": "' + b"x" * size + b'"}') == {"a": "x" * size}
print(len(turns))
try:
    read(b'{"a": ' + b"[" * size)
except MalformedRequest as error:
    print(error.message[:16])
"""


@pytest.mark.parametrize(
    ("size", "coding", "waits"), [(100_000, "identity", True), (100_000, "gzip", True), (50_000, "identity", False)]
)
def test_others_have_their_turn_while_a_large_body_is_read(size, coding, waits):
    words = [sys.executable, "-c", SCRIPT, str(size), coding]
    ended = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    turns, refused = ended.stdout.splitlines()
    assert turns == str(int(waits))
    assert refused == "the body is not "
    assert ended.stderr == ""
