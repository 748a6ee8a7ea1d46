"""What must hold after every run, read off what Genesys did, what the ledger kept and what the callers were told."""

from collections.abc import Iterator

from cobrowse.errors import Overloaded
from tests.simulation import answers, invitations
from tests.simulation.callers import Callers
from tests.simulation.evidence import Evidence
from tests.simulation.service import Service

# Seconds: no run lasts longer.
LIVES_LONG = 3600.0


def violations(service: Service, callers: Callers) -> list[str]:
    """Each broken promise, a line each.

    A power cut may take an answer back that was just given, and what an unattached session is known by. Then a repeat
    finds the session by looking, which is not the same answer byte for byte; nobody is invited twice even so. And
    workers that died fetch another token.
    """
    evidence = Evidence(service, callers)
    found = [f"internal error: {fault}" for fault in service.faults]
    always = (
        invitations.one_attachment_a_key,
        invitations.never_two_live_invitations,
        invitations.nobody_is_invited_before_an_agent_answers,
        invitations.nobody_who_has_left_is_invited,
        invitations.no_session_for_nothing,
        no_more_at_once_than_are_admitted,
        answers.a_wanted_delivery_is_never_ignored,
        answers.a_dry_run_changes_nothing,
        answers.links_are_for_who_started_it,
        answers.every_request_ends,
        answers.success_is_real,
        answers.answers_come_in_time,
    )
    with_power = (
        answers.an_end_is_one,
        answers.a_status_is_true,
        answers.nobody_gets_what_was_known_as_ended,
        answers.the_ledger_is_blamed_for_its_own_faults_only,
        answers.repeats_get_the_same_answer,
        invitations.one_created_session_a_key,
        one_token_for_all,
    )
    for check in always if service.ledger.cuts else (*always, *with_power):
        found += check(evidence)
    return found


def no_more_at_once_than_are_admitted(evidence: Evidence) -> Iterator[str]:
    """In each worker; and a request that is refused for it has touched nothing."""
    admits = evidence.service.admits
    if not admits:
        return
    began = {
        correlation: min(win.at for win in wins)
        for correlation, wins in evidence.wins.items()
        if evidence.by_correlation[correlation].ended >= 0
    }
    for correlation, when in began.items():
        process = evidence.by_correlation[correlation].process
        beside = [
            other
            for other, since in began.items()
            if since <= when < evidence.by_correlation[other].ended
            and evidence.by_correlation[other].process is process
        ]
        if len(beside) > admits:
            yield f"{correlation}: {len(beside)} at once in {process.name}"
    for delivery in evidence.deliveries:
        failure, who = delivery.outcome.failure if delivery.outcome else None, delivery.command.correlation_id
        refused = failure is not None and failure.code == Overloaded.code
        if refused and (evidence.platform.calls.get(who) or who in evidence.wins):
            yield f"{who}: refused for load after it had begun"


def one_token_for_all(evidence: Evidence) -> Iterator[str]:
    """Workers that share tokens fetch one that lives long once, unless something goes wrong."""
    service, platform = evidence.service, evidence.platform
    if service.store is None or not service.untroubled or platform.token_life < LIVES_LONG:
        return
    asked = [body for _, body in platform.issued]
    if len(asked) > len(set(asked)):
        yield f"{len(asked)} tokens were fetched"
