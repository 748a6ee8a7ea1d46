"""`python -m tools.api_reference [--check]`: write the generated files of deploy/, or name those that are stale."""

import argparse
import sys
import tomllib
from pathlib import Path

import orjson

from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.registry import Senders, load_senders
from tools.api_reference import postman
from tools.api_reference.data_action import actions
from tools.api_reference.openapi import document

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "senders.example.toml"


def sandbox_secrets() -> dict[str, str]:
    """A secret for each variable of the example file: public, and of use against a sandbox only."""
    found = {}
    for row in tomllib.loads((ROOT / EXAMPLE).read_text("utf-8"))["senders"].values():
        scheme = SCHEMES[row["signature"]]
        form = scheme.secret_form({**scheme.preset, **row})
        for name in (reference.removeprefix("$") for reference in row.get("secrets", ())):
            found[name] = form.sample(f"sandbox-only-{name.lower().replace('_', '-')}")
    return found


def example_senders() -> Senders:
    """The senders of the example file, with those secrets."""
    return load_senders(ROOT / EXAMPLE, sandbox_secrets(), public_base_url=postman.PUBLIC_URL)


def render() -> dict[str, str]:
    """Each generated file's path from the root, with its text."""
    made, senders, secrets = document(), example_senders(), sandbox_secrets()
    variables = {"SENDERS_FILE": EXAMPLE, "PUBLIC_BASE_URL": postman.PUBLIC_URL, "END_MEDIA_SESSIONS": "true"} | secrets
    folder = "deploy/postman"
    files = {
        "deploy/openapi.json": made,
        **actions(made),
        f"{folder}/cobrowse-bridge.postman_collection.json": postman.collection(made, senders),
        f"{folder}/cobrowse-bridge.postman_environment.json": postman.environment(senders, sandbox=False),
        f"{folder}/sandbox.postman_environment.json": postman.environment(senders, sandbox=True),
    }
    form = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    texts = {path: orjson.dumps(content, option=form).decode() for path, content in files.items()}
    title = "# What a service on a sandbox needs to answer the whole Postman collection. Public: no real secrets."
    lines = (title, *(f"{name}={value}" for name, value in variables.items()), "")
    return texts | {f"{folder}/sandbox.env": "\n".join(lines)}


def write(root: Path, *, check: bool = False) -> list[str]:
    """The paths below `root` whose file is absent or differs; they are written unless `check`."""
    texts = render()
    stale = [one for one in texts if not (root / one).is_file() or (root / one).read_text("utf-8") != texts[one]]
    for path in () if check else stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts[path], "utf-8")
    return stale


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.api_reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    check = parser.parse_args().check
    paths = write(ROOT, check=check)
    for path in paths:
        print(f"stale: {path}; run make generate" if check else f"wrote {path}")
    sys.exit(1 if check and paths else 0)
