"""What a worker does not need, it does not load: each megabyte counts once for every worker."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LOAD = """
import os, runpy, sys
runpy.run_path("gunicorn.conf.py")
from app import create_app
create_app()
print(*(name for name in ("joserfc", "limits", "psycopg", "pygments", "rich") if sys.modules.get(name)))
"""

SENDERS = """
[senders.issuer]
signature = "jwt"
issuer = "https://idp.example.com"
audience = "cobrowse"
jwks_url = "https://127.0.0.1:1/keys"
envelope = "custom"
conversation_id = "conversationId"
rate_limit = "60/minute"
"""


def loaded(**settings):
    urls = dict.fromkeys(("GENESYS_API_URL", "GENESYS_LOGIN_URL"), "http://127.0.0.1:1")
    env = {"PATH": os.environ["PATH"], "SANDBOX": "true", **urls, **settings}
    words = [sys.executable, "-c", LOAD]
    return subprocess.run(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def test_a_worker_with_a_ledger_in_a_file_loads_no_driver_and_nothing_for_terminals_or_senders_it_lacks(tmp_path):
    assert loaded(LEDGER_URL=f"sqlite:///{tmp_path}/ledger.sqlite3") == []


def test_what_a_senders_row_needs_is_there_before_its_first_request(tmp_path):
    senders = tmp_path / "senders.toml"
    senders.write_text(SENDERS)
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    assert loaded(LEDGER_URL=url, SENDERS_FILE=str(senders)) == ["joserfc", "limits"]


def test_the_driver_is_there_for_a_ledger_in_postgresql():
    keys = "".join(("A" * 43, "="))
    assert loaded(LEDGER_URL="postgresql+psycopg://user:word@127.0.0.1:1/db", LEDGER_KEYS=keys) == ["psycopg"]


def test_the_command_line_loads_nothing_of_the_service_before_a_command_needs_it():
    load = 'import runpy, sys\ntry: runpy.run_path("cli.py", run_name="__main__")\nfinally: print(*sys.modules)'
    words = [sys.executable, "-c", load, "serve", "--help"]
    done = subprocess.run(words, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "commands.serve" in loaded
    assert not loaded & {"flask", "gevent", "httpx", "marshmallow", "settings"}
