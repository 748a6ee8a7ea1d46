"""The OpenAPI document is valid, complete and served, and so is the page that shows it."""

import re
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from cobrowse.errors import error_types_by_code
from integrations.senders.response_policies import RESPONSE_POLICIES, batch_status
from schemas.answers import AnswerSchema
from schemas.data_action import StartRequestSchema
from tests.contract.described import DOCUMENT, OPERATIONS, ROOT, app, box, build
from tools.api_reference.__main__ import render, write
from web.error_responses import ERROR_RESPONSES, status_of

__all__ = ["app", "box", "build"]

REQUEST = [str(field.data_key or name) for name, field in StartRequestSchema().fields.items()]


# --- the document itself ----------------------------------------------------------------------------------------------


def test_it_is_valid():
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_route_of_the_service_is_in_it_and_no_other(app):
    own = ("/docs/static/", "/console", "/static/")
    served = {
        re.sub(r"<(?:\w+:)?name>", "{sender}", rule.rule).replace("<initiation_id>", "{initiationId}")
        for rule in app.url_map.iter_rules()
        if rule.rule != "/" and not rule.rule.startswith(own)
    }
    assert served == set(DOCUMENT["paths"])


def test_the_service_serves_it(app):
    answer = app.test_client().get("/openapi.json")
    assert answer.content_type == "application/json"
    assert answer.json == DOCUMENT


def test_the_generated_files_are_what_the_code_makes():
    assert write(ROOT, check=True) == []


def test_a_stale_file_is_found_and_written(tmp_path):
    assert write(tmp_path, check=True) == write(tmp_path) == list(render())
    assert write(tmp_path, check=True) == []
    (tmp_path / "deploy" / "openapi.json").write_text("{}")
    assert write(tmp_path) == ["deploy/openapi.json"]


def test_every_field_of_a_request_is_described():
    assert [
        field.data_key for field in StartRequestSchema().fields.values() if not field.metadata.get("description")
    ] == []
    assert set(DOCUMENT["components"]["schemas"]["StartRequest"]["properties"]) == set(REQUEST)


def test_every_key_of_the_answer_is_in_it_and_needed():
    answer = DOCUMENT["components"]["schemas"]["Answer"]
    assert list(answer["properties"]) == list(AnswerSchema().fields)
    assert set(answer["required"]) == set(answer["properties"])


def examples():
    for operation in (*OPERATIONS.values(), DOCUMENT["webhooks"]["outcome"]["post"]):
        for place in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in place.get("content", {}).values():
                for name, example in content.get("examples", {}).items():
                    shown = DOCUMENT["components"]["examples"][name] if "$ref" in example else example
                    yield content["schema"], shown["value"]


@pytest.mark.parametrize("code", list(error_types_by_code()))
def test_every_error_kind_is_described(code):
    kind = error_types_by_code()[code]
    [told] = [told for told in DOCUMENT["x-error-kinds"] if told["code"] == code]
    assert (told["status"], told["retryable"], told["hint"]) == (
        status_of(kind),
        kind.retryable,
        ERROR_RESPONSES[kind.code].hint,
    )
    named = [
        status
        for one in OPERATIONS.values()
        for status, response in one["responses"].items()
        if f"`{code}`" in response["description"]
    ]
    assert set(named) == ({str(status_of(kind))} if code != "method_not_allowed" else set())


def test_every_example_fits_its_schema():
    count = 0
    for schema, value in examples():
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)
        count += 1
    assert count > 80


@pytest.mark.parametrize("response_policy", list(RESPONSE_POLICIES.values()), ids=list(RESPONSE_POLICIES))
def test_every_status_that_a_sender_may_be_told_is_in_it(response_policy):
    never = {"method_not_allowed", "latest_not_allowed", "no_active_conversation"}
    met = [kind for code, kind in error_types_by_code().items() if code not in never]
    told = {batch_status(response_policy, [(status_of(kind), kind.retryable)]) for kind in met}
    assert {str(status) for status in told} <= set(OPERATIONS["receiveDelivery"]["responses"])


# --- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page loads, links to and names."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.styled = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        self.tags.append(tag)
        self.ids += [held["id"]] if "id" in held else []
        self.links += [held[name] for name in ("href", "src") if name in held]
        self.styled += [name for name in held if name == "style" or name.startswith("on")]


@pytest.fixture(scope="module")
def docs(app):
    return app.test_client().get("/docs")


def test_the_page_tells_of_everything(docs):
    text = docs.get_data(as_text=True)
    names = [
        *OPERATIONS,
        *error_types_by_code(),
        *AnswerSchema().fields,
        *REQUEST,
        *DOCUMENT["components"]["securitySchemes"],
    ]
    assert [name for name in names if name not in text] == []


def test_the_page_loads_one_style_sheet_of_ours_and_nothing_else(app, docs):
    page = Page(docs.get_data(as_text=True))
    assert not {"script", "style", "iframe", "img"} & set(page.tags)
    assert page.styled == []
    foreign = [link for link in page.links if not link.startswith(("#", "/", "data:,"))]
    assert foreign == []
    policy = docs.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for link in page.links:
        if link.startswith("/"):
            with app.test_client().get(link) as answer:
                assert answer.status_code == 200


def test_every_link_on_the_page_leads_somewhere(docs):
    page = Page(docs.get_data(as_text=True))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
