"""The scan for secrets finds what must never be committed, and what it passes over is said value by value.

Whatever is planted is put together here, so that the scan of this repository does not find it in this file.
"""

import base64
import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from supply.scan import KNOWN, Finding, committed, findings, in_repository, known_values, unknown

# Bytes that look random and are the same in every run: a value with too few digits would be found in some runs only.
DIGEST = hashlib.sha256(b"a planted secret").digest()
HEX = DIGEST.hex()
BASE64 = base64.b64encode(DIGEST).decode()
URL_SAFE = base64.urlsafe_b64encode(DIGEST).decode()
LETTERS = base64.b32encode(hashlib.sha512(DIGEST).digest()).decode()
MIXED = "".join(one for one in base64.b64encode(hashlib.sha512(DIGEST).digest()).decode() if one.isalnum())


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


PLANTED = {
    "aws.env": f"AWS_ACCESS_KEY_ID=AKIA{LETTERS[:16]}\nAWS_SECRET_ACCESS_KEY={(BASE64 + MIXED)[:40]}\n",
    "server.pem": pem(rsa.generate_private_key(65537, 2048)),
    "small.pem": pem(ed25519.Ed25519PrivateKey.generate()),
    "client.md": f"Client {HEX[:8]}-{HEX[:4]}-4{HEX[:3]}-8{HEX[:3]}-{HEX[:12]} has the secret\n`{URL_SAFE[:43]}`.\n",
    "service.env": f"GENESYS_CLIENT_SECRET={URL_SAFE[:43]}\n",
    "fernet.py": f'vault("{URL_SAFE}")\n',
    "ledger.env": f"LEDGER_KEYS={URL_SAFE}\n",
    "callers.env": f"API_KEYS=flow:{MIXED[:32]}\n",
    "zendesk.toml": f'ZENDESK_SECRET = "{MIXED[:44]}"\n',
    "github-webhook.env": f"GITHUB_WEBHOOK_SECRET={HEX}\n",
    "github.yaml": f"deploy_with: ghp_{MIXED[:36]}\n",
    "crm.env": f"CRM_SECRET=whsec_{BASE64}\n",
    "shopify.json": f'{{"shared": "shpss_{HEX[:32]}"}}\n',
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The files in which something was found."""
    folder = tmp_path_factory.mktemp("planted")
    for name, text in PLANTED.items():
        (folder / name).write_text(text)
    (folder / "words.md").write_text(f"client {HEX[:8]} with the secret `not-much-of-one`; API_KEYS=name:key\n")
    return {one.path for one in unknown(findings(folder), known_values())}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_found(planted, name):
    assert name in planted


def test_words_about_secrets_are_none(planted):
    assert "words.md" not in planted


def test_it_looks_at_what_git_has_and_would_take_and_passes_over_what_it_ignores(tmp_path):
    for name in ("new.env", "ignored.env"):
        (tmp_path / name).write_text(PLANTED["service.env"])
    (tmp_path / ".gitignore").write_text("ignored.env\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert {str(path) for path in committed(tmp_path)} == {".gitignore", "new.env"}
    assert [(one.path, one.line) for one in in_repository(tmp_path)] == [("new.env", 1)]


def test_nothing_is_found_in_this_repository_and_each_known_value_is_still_in_it():
    found = in_repository()
    assert [one[:3] for one in unknown(found, known_values())] == []
    elsewhere = {one.value for one in found if one.path != str(KNOWN.relative_to(KNOWN.parents[1]))}
    assert known_values().keys() - elsewhere == set()


def test_a_value_is_known_as_a_whole_and_not_by_its_beginning():
    [value, *_] = known_values()
    found = Finding("a.env", 1, "cobrowse.variable", value)
    assert unknown([found], [value]) == []
    assert unknown([found], [value[:-1]]) == [found]
