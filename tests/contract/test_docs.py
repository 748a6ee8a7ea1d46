"""The documentation, held to the code: what it lists is what there is, and what it shows is read as it says."""

import io
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import click
from packaging.version import Version

from app import create_app
from cli import program
from cobrowse.errors import error_types_by_code
from cobrowse.initiation import LEASE_MARGIN
from cobrowse.model import Command, Outcome, Secret, Span, Status
from integrations.genesys.circuit_breaker import FAIL_MAX, RESET_TIMEOUT
from integrations.genesys.flows import FLOWS, MODES
from integrations.ledger.database import POOL_SIZE
from integrations.ledger.purge import EVERY_CLAIMS, EVERY_SECONDS
from integrations.observability.logging import LogObserver, configure_logging
from schemas.answers import AnswerSchema
from schemas.environment import rows
from settings import Settings
from tests.contract.pages import FENCE, NAMED_TEST, PAGES, ROOT, blocks, table
from tests.robustness.matrix import cells
from tools import reference_tables
from web.client_socket import READ_SECONDS
from web.error_responses import ERROR_RESPONSES

# What there is


def test_the_tables_of_the_settings_and_of_the_error_codes_are_those_of_the_code():
    told = {path: (ROOT / path).read_text() for path in reference_tables.render()}
    assert told == reference_tables.render(), "run make generate"
    assert all(f"| `{name}` |" in told["docs/operations.md"] for name in Settings.NAMES)
    assert all(f"| `{code}` | {row.status} |" in told["docs/genesys-setup.md"] for code, row in ERROR_RESPONSES.items())


def test_every_error_code_is_met_in_troubleshooting_or_is_the_callers_to_fix():
    told = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in table(PAGES["operations.md"], "## Troubleshooting"))))
    theirs = {"idempotency_key_malformed", "not_found", "method_not_allowed", "body_too_large", "latest_not_allowed"}
    theirs |= {"rate_limited", "conversation_not_active", "no_active_conversation"}
    assert error_types_by_code().keys() - told == theirs


def test_every_command_is_documented_and_no_other():
    def leaves(group, before):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from leaves(command, f"{before} {name}")
            if not isinstance(command, click.Group) or command.invoke_without_command:
                yield f"{before} {name}"

    told = {row[0].strip("`") for row in table(PAGES["operations.md"], "## Commands")}
    assert told == set(leaves(program, "cobrowse-bridge"))


def test_every_endpoint_is_documented_and_no_other(tmp_path):
    url = "http://127.0.0.1:9"
    ledger = Secret(f"sqlite:///{tmp_path}/ledger.sqlite3")
    settings = Settings(sandbox=True, genesys_api_url=url, genesys_login_url=url, ledger_url=ledger, log_format="json")
    app = create_app(replace(settings, console_oidc_issuer=url))
    there = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.endpoint.endswith("static")
    }
    assert {row[0].strip("`") for row in table(PAGES["operations.md"], "## Endpoints")} == there


def test_every_key_of_the_answer_is_documented_and_the_examples_have_them_all():
    fields = AnswerSchema().fields
    expected = [
        [f"`{name}`", type(field).__name__.lower(), field.metadata["description"]] for name, field in fields.items()
    ]
    assert table(PAGES["genesys-setup.md"], "## The answer") == expected
    examples = [
        json.loads(block) for page in ("README.md", "genesys-setup.md") for block in blocks(PAGES[page], "json")
    ]
    assert examples
    for example in examples:
        assert list(example) == list(fields)
        assert AnswerSchema().validate(example) == {}
    assert ", ".join(f"`{status}`" for status in Status) in PAGES["genesys-setup.md"]


def test_every_flow_is_named_where_it_is_chosen_and_where_it_is_answered():
    told = [row[0].split("`")[1] for row in table(PAGES["genesys-setup.md"], "## Which flow your org has")]
    assert sorted(told) == sorted(MODES)
    chosen = rows(Settings)["COBROWSE_FLOW"].text
    answered = AnswerSchema().fields["flow"].metadata["description"]
    assert [row.name for row in FLOWS if f"`{row.name}`" not in chosen or row.name not in answered] == []


def test_every_field_of_the_log_is_documented_and_no_other():
    command = Command(sender="architect", correlation_id="c", deadline_seconds=1)
    attempt, written = SimpleNamespace(command=command, initiation_id="i"), io.StringIO()
    configure_logging("INFO", "json", written)
    LogObserver().on_outcome(command, Outcome(Status.INITIATED, "i", "c"))
    LogObserver().on_span_end(attempt, Span("call", "create", 0.0, 1.0, "503"))
    rows = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table(PAGES["operations.md"], "## Logs")}
    for line in map(json.loads, written.getvalue().splitlines()):
        assert rows[line.pop("event")] | {"level", "timestamp"} == line.keys()


def test_every_line_that_the_pages_and_endpoints_log_is_documented():
    told = {name for row in table(PAGES["operations.md"], "## Logs") for name in row[0].split("`")[1::2]}
    logged = {
        event
        for folder in ("web", "console")
        for path in (ROOT / folder).glob("*.py")
        for event in re.findall(r'(?<![.\w])log\.(?:info|warning|error)\(\s*"([^"]+)"', path.read_text())
    }
    assert {"request refused", "callback sent again from the console"} <= logged
    assert logged - told == set()


def test_the_sizes_come_from_the_limit():
    for row in table(PAGES["operations.md"], "## Sizing"):
        assert int(row[1].partition(":")[0]) * int(row[2]) == 300


def test_the_numbers_in_the_text_are_those_of_the_code():
    said = {
        "operations.md": (
            f"have failed {FAIL_MAX} times in a row",
            f"no more for {RESET_TIMEOUT:g} seconds",
            f"{READ_SECONDS:g} seconds for a request's head",
            f"up to {POOL_SIZE} connections",
            f"after every {EVERY_CLAIMS:,} requests of a worker, or {EVERY_SECONDS / 60:g} minutes",
            f"`deadline + {LEASE_MARGIN:g}` s",
        ),
        "senders.md": (f"the deadline plus {LEASE_MARGIN:g} s",),
        "security.md": (f"within {READ_SECONDS:g} seconds", f"| {sum(1 for _ in cells()):,} cases"),
    }
    for page, phrases in said.items():
        assert [phrase for phrase in phrases if phrase not in PAGES[page]] == [], page


def test_each_package_is_at_least_what_the_page_demands():
    pinned = dict(
        re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    )
    pinned = {name.lower(): Version(version) for name, version in pinned.items()}
    rows = table(PAGES["security.md"], "## What it runs on")
    assert {package for package, least, _ in rows if pinned[package] < Version(least)} == set()


# All pages


def test_every_test_that_is_named_exists():
    gone = []
    for page, text in PAGES.items():
        for path, name in NAMED_TEST.findall(text):
            file = ROOT / "tests" / path
            if not file.exists() or f"def {name}(" not in file.read_text():
                now = [
                    str(one.relative_to(ROOT / "tests")) for one in _test_files() if f"def {name}(" in one.read_text()
                ]
                gone.append(f"{page}: {path}::{name} {'is in ' + now[0] if now else 'is nowhere'}")
    assert gone == []


def _test_files():
    return sorted((ROOT / "tests").rglob("test_*.py"))


def test_each_promise_names_the_test_that_holds_it():
    for page, heading in (
        ("senders.md", "## Idempotency and retries"),
        ("security.md", "## OWASP API Security Top 10 (2023)"),
        ("security.md", "## ASVS 5.0"),
        ("security.md", "## Mistakes seen elsewhere"),
        ("security.md", "## Penetration tests"),
        ("security.md", "## Attacks that had no effect"),
        ("operations.md", "## When the machine fails"),
    ):
        for row in table(PAGES[page], heading):
            assert NAMED_TEST.search(row[-1]), row


def test_every_link_leads_somewhere():
    lost = []
    for page, text in PAGES.items():
        here = ROOT if (ROOT / page).exists() else ROOT / "docs"
        for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            file = (here / path).resolve() if path else here / page
            if not file.exists() or (anchor and anchor not in _anchors(file.read_text())):
                lost.append(f"{page}: {target}")
    assert lost == []


def _anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_block_of_data_can_be_parsed():
    wrong = []
    for page, text in PAGES.items():
        parsers = {"json": lambda block: json.loads(re.sub(r"\{\{[\w.]+\}\}", "", block)), "toml": tomllib.loads}
        for kind, parse in parsers.items():
            for block in blocks(text, kind):
                try:
                    parse(block)
                except ValueError as error:
                    wrong.append(f"{page}: {error}: {block}")
    assert wrong == []


def test_nothing_is_left_to_do_and_no_machine_is_named():
    for page, text in PAGES.items():
        assert not re.search(r"\b(TODO|FIXME|TBD|XXX)\b", text), page
        assert not re.search(r"(?<![\w.])/(work|root|home)/", text), page


def test_every_page_is_reached_from_another():
    linked = {
        Path(target.partition("#")[0]).name for text in PAGES.values() for target in re.findall(r"\]\(([^)]+)\)", text)
    }
    assert PAGES.keys() - linked - {"README.md"} == set()


def test_the_pages_are_plain_text_of_a_readable_width():
    """Tables, links and code may be longer."""
    for page, text in PAGES.items():
        prose = [
            line
            for line in FENCE.sub("", text).splitlines()
            if "|" not in line and "](" not in line and "`" not in line
        ]
        assert [line for line in prose if len(line) > 130] == [], page
