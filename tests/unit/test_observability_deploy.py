"""The dashboard and the alert rules speak of metrics, labels and values that the service really has."""

import json
import re
from pathlib import Path

import pytest
import yaml

from cobrowse.errors import error_types_by_code
from cobrowse.model import Status
from integrations.genesys.flows import FLOWS
from integrations.genesys.operations import ATTACH, COBROWSE, CONVERSATION, CREATE, LIST, TOKEN
from integrations.observability import metrics as service_metrics
from integrations.observability.background_metrics import CALLBACK_ROWS
from web.error_responses import ERROR_RESPONSES

ROWS, STATUSES = (*service_metrics.ROWS, *CALLBACK_ROWS), service_metrics.STATUSES
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())

RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]] + [rule["expr"] for rule in RULES]

# The samples of each metric as Prometheus has them, with their labels.
SAMPLES = {
    f"{row.name}{suffix}": {*row.labels, *({"le"} if suffix == "_bucket" else ())}
    for row in ROWS
    for suffix in (("_bucket", "_sum", "_count") if row.buckets else ("",))
}
VALUES = {
    "outcome": {*error_types_by_code(), *Status, "replayed"},
    "success": {"true", "false"},
    "operation": {one.name for one in (TOKEN, LIST, CONVERSATION, CREATE, ATTACH, COBROWSE)},
    "status": {*STATUSES.values(), *(str(row.status) for row in ERROR_RESPONSES.values()), "200"},
    "flow": {row.name for row in FLOWS},
    "job": {"cobrowse-bridge"},
    "sender": {"$sender"},
    "result": {"delivered", "failed", "given_up"},
}


def metrics(expression):
    return set(re.findall(r"\bcobrowse_\w+", expression))


def grouped_by(expression):
    return {label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(", ")}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_knows_the_service(expression):
    used = metrics(expression)
    assert used <= SAMPLES.keys()
    labels = set().union({"job"}, *(SAMPLES[name] for name in used))
    for label, values in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', expression):
        assert label in labels
        assert set(values.split("|")) <= VALUES[label]
    assert grouped_by(expression) <= labels
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_every_metric_is_on_the_dashboard():
    shown = set().union(*(metrics(target["expr"]) for panel in PANELS for target in panel["targets"]))
    assert {
        name for name in SAMPLES if name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
    } >= shown
    for row in ROWS:
        assert any(name.startswith(row.name) for name in shown), row.name


def test_every_alert_says_what_is_wrong_and_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert used <= grouped_by(rule["expr"]) | {"instance"}


def test_panels_are_described_by_one_id_each_and_do_not_overlap():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_legends_use_labels_that_their_expression_keeps():
    for panel in PANELS:
        for target in panel["targets"]:
            grouped = {
                label for group in re.findall(r"\bby \(([^)]*)\)", target["expr"]) for label in group.split(", ")
            }
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped
