"""The doctor on the [listen] table: names, topics, catching up, and whether a process listens."""

import pytest

from integrations import ledger as ledgers
from sandbox.directory import QUEUE, USER
from tests.integration.patient import SENDERS, patient

__all__ = ["patient"]

TOPIC = f"v2.routing.queues.{QUEUE}.conversations"


@pytest.fixture
def listening(patient):
    """The checks of an installation with this table."""

    def checks(table='queues = ["Support"]\nusers = ["alice@sandbox.example"]'):
        (patient.directory / "senders.toml").write_text(f"{SENDERS}\n[listen]\n{table}\n")
        return patient.checks()

    return checks


def test_without_the_table_nothing_is_asked(patient, box):
    assert patient.checks()["listening"].ok is None
    assert box.channels.made == 0


def test_each_name_and_topic_and_catching_up_are_tried(listening, box):
    checks = listening()
    assert (checks["listening"].ok, checks["listening"].found) == (True, "Genesys permits all topics (2)")
    assert checks["catching up"].ok
    assert checks["listener"].ok is None
    assert "cobrowse-bridge listen" in checks["listener"].hint
    assert (len(box.calls("queues")), len(box.calls("users")), box.channels.made) == (1, 1, 1)
    assert (box.channels.listening(), box.invitations()) == (0, 0)


def test_ids_are_not_looked_up(listening, box):
    assert listening(f'queues = ["{QUEUE}"]\nusers = ["{USER}"]')["listening"].ok
    assert box.calls("queues") == box.calls("users") == []


def test_a_name_that_genesys_does_not_know_is_named_and_the_others_are_tried(listening):
    checks = listening('queues = ["Support", "Nobody\'s"]')
    assert checks["listen: Nobody's"].ok is False
    assert checks["listening"].found == "Genesys permits all topics (1)"


def test_a_rejected_topic_is_named_with_its_permission(listening, box):
    box.options.rejected_topics = (TOPIC,)
    check = listening()["listening"]
    assert check.ok is False
    assert TOPIC in check.found
    assert "routing:queue:view" in check.found


def test_a_permission_for_catching_up_that_is_missing_is_told_and_not_asked_for_where_it_is_off(listening, box):
    box.faults.add(operation="details", kind="status", status=403, times="always")
    check = listening()["catching up"]
    assert check.ok is False
    assert "catch_up = false" in check.hint
    assert "catching up" not in listening('queues = ["Support"]\ncatch_up = false')


def test_who_listens_is_said(listening, patient):
    store = ledgers.connect(patient.settings.ledger_url.reveal(), keys=[], retention_seconds=86_400)
    store.leases.acquire("listener", "host-a:4711:abcd", 60.0)
    store.close()
    check = listening()["listener"]
    assert check.ok
    assert check.found.startswith("host-a:4711 (host:process) listens")


def test_a_senders_file_with_the_table_alone_is_fine(patient):
    (patient.directory / "senders.toml").write_text('[listen]\nqueues = ["Support"]\n')
    checks = patient.checks()
    assert checks["listening"].ok
    assert "senders" not in checks
