"""The recipes for senders say what the code does with their rows and payloads."""

import json
import re
import tomllib

import pytest

from cobrowse.errors import error_types_by_code
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.auth.signature_templates import PARTS
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.requests import SessionRequested
from integrations.senders.response_policies import RESPONSE_POLICIES, status_for
from tests.contract.pages import PAGES, ROOT, blocks, table
from tests.payloads import EXAMPLE, SAMPLES, deliveries, senders
from web.error_responses import status_of

SENDERS = senders()


def _recipes():
    page = PAGES["senders.md"]
    chosen = page[page.index("## Recipes") : page.index("## Adding a sender")]
    return re.split(r"^### ", chosen, flags=re.MULTILINE)[1:]


RECIPES = {re.search(r"^\[senders\.([\w-]+)\]$", recipe, re.MULTILINE)[1]: recipe for recipe in _recipes()}


def test_every_sender_of_the_example_file_has_a_recipe_and_no_other():
    assert list(RECIPES) == [sender.name for sender in SENDERS]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_shows_the_example_files_row(name):
    rows = [tomllib.loads(block) for block in blocks(RECIPES[name], "toml")]
    assert rows == [{"senders": {name: tomllib.loads(EXAMPLE.read_text())["senders"][name]}}]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_delivery_is_read_by_its_row_as_the_page_says(name):
    (shown,) = re.findall(
        r"^(?:```(?:json|text)\n((?:(?!^```).)*?)\n```\n\nRead as|\[A delivery\]\((.+?)\), read as) (.*?)$",
        RECIPES[name],
        re.MULTILINE | re.DOTALL,
    )
    body, link, said = shown
    path = SAMPLES / f"{name}.json"
    if link:
        assert (ROOT / "docs" / link).resolve() == path
    else:
        held = json.loads(path.read_text())
        assert body == held["raw"] if "raw" in held else json.loads(body) == held["body"]
    (delivery,) = [one for one in deliveries() if (one.sender, one.name) == (name, "example")]
    sender = SENDERS.get(name)
    (event,) = sender.parse_events(delivery.signed_by(sender))
    assert said == _in_words(event)


def _in_words(event):
    if not isinstance(event, SessionRequested):
        return f"**ignored**: {event.reason}."
    parts = [f"conversation `{event.conversation_id}`"]
    parts += [f"channel `{event.channel}`"] * bool(event.channel)
    parts += [f"requested by `{event.requested_by}`"] * bool(event.requested_by)
    parts += [f"session settings `{json.dumps(dict(event.session_settings))}`"] * bool(event.session_settings)
    parts.append(f"delivery id `{event.delivery_id}`" if event.delivery_id else "no delivery id")
    return f"**start**: {' · '.join(parts)}."


def test_a_recipe_names_the_secret_and_the_address():
    for sender in SENDERS:
        assert (
            f"https://cobrowse.example.com/webhooks/{sender.name}" in RECIPES[sender.name]
            or sender.name == "salesforce"
        )
        assert all(name in RECIPES[sender.name] for name in sender.auth_config.names)


def test_responses_by_sender_are_what_the_page_says():
    rows = {row[0].strip("`"): row[1:] for row in table(PAGES["senders.md"], "## Responses by sender")}
    assert list(rows) == [sender.name for sender in SENDERS]
    redelivers_on = {}
    for sender in SENDERS:
        signature, envelope, waits, within, again, final, mend = rows[sender.name]
        assert redelivers_on.setdefault(sender.response_policy, again) == again
        assert (signature, envelope) == (f"`{sender.signature}`", f"`{sender.envelope}`")
        assert (waits, within) == (f"{sender.response_policy.timeout_seconds:g} s", f"{sender.deadline_seconds:g} s")
        parts = {False: set(), True: set()}
        for kind in error_types_by_code().values():
            parts[kind.retryable].add(
                200 if sender.always_200 else status_for(sender.response_policy, status_of(kind), kind.retryable)
            )
        assert {int(status) for status in re.findall(r"\b\d{3}\b", mend)} == parts[True]
        if "its own 4xx" in final:
            but = {int(status) for status in re.findall(r"but (\d{3})", final)}
            own = {
                status_of(kind)
                for kind in error_types_by_code().values()
                if not kind.retryable and status_of(kind) < 500
            }
            assert parts[False] == (own - but) | {int(final.rpartition(" ")[2])}
        else:
            assert {int(status) for status in re.findall(r"\b\d{3}\b", final)} == parts[False]


def test_every_scheme_envelope_habit_and_part_of_a_template_is_named():
    page = PAGES["senders.md"]
    for names in (SCHEMES, ENVELOPES, RESPONSE_POLICIES, [f"{{{part}}}" for part in PARTS]):
        assert re.sub(r"\s+", " ", page).count(", ".join(f"`{name}`" for name in names)) == 1
