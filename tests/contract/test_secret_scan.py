"""The scan of `make lint` finds secrets, by Kingfisher's rules and by ours, and passes over words and known values.

Whatever is planted is put together here, so that the scan of this repository does not find it in this file.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.contract.pages import ROOT

SCANNER = Path(sys.executable).with_name("kingfisher")
# Bytes that look random and are the same in every run: a value with too few digits would be found in some runs only.
DIGEST = hashlib.sha256(b"a planted secret").digest()
HEX = DIGEST.hex()
BASE64 = base64.b64encode(DIGEST).decode()
URL_SAFE = base64.urlsafe_b64encode(DIGEST).decode()
MIXED = "".join(one for one in base64.b64encode(hashlib.sha512(DIGEST).digest()).decode() if one.isalnum())
PEM = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)

PLANTED = {
    "small.pem": PEM.decode(),
    "client.md": f"Client {HEX[:8]}-{HEX[:4]}-4{HEX[:3]}-8{HEX[:3]}-{HEX[:12]} has the secret\n`{URL_SAFE[:43]}`.\n",
    "service.env": f"GENESYS_CLIENT_SECRET={URL_SAFE[:43]}\n",
    "fernet.py": f'vault("{URL_SAFE}")\n',
    "ledger.env": f"LEDGER_KEYS={URL_SAFE}\n",
    "callers.env": f"API_KEYS=flow:{MIXED[:32]}\n",
    "zendesk.toml": f'ZENDESK_SECRET = "{MIXED[:44]}"\n',
    "github-webhook.env": f"GITHUB_WEBHOOK_SECRET={HEX}\n",
    "github.yaml": f"deploy_with: ghp_{MIXED[:36]}\n",
    "crm.env": f"CRM_SECRET=whsec_{BASE64}\n",
}
NONE = {
    "words.md": f"client {HEX[:8]} with the secret `not-much-of-one`; API_KEYS=name:key\n",
    "known.env": "CRM_SECRET=whsec_" + base64.b64encode(b"sandbox-only-crm-secret").decode() + "\n",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The files in which something was found."""
    folder = tmp_path_factory.mktemp("planted")
    for name, text in {**PLANTED, **NONE}.items():
        (folder / name).write_text(text)
    how = re.search(r"(?m)^SCAN = (.*)$", (ROOT / "Makefile").read_text())[1].split()
    done = subprocess.run(
        [SCANNER, "scan", folder, *how, "--format", "jsonl"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 200, done.stderr  # its status for "found something"
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(one["finding"]["path"]).name for one in told if "finding" in one}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_found(found, name):
    assert name in found


def test_words_and_known_values_are_passed_over(found):
    assert found & NONE.keys() == set()
