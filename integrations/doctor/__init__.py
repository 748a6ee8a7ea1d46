"""The doctor: a table of questions about this installation, each answered with what was found and what helps."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from cobrowse.clock import Clock
from integrations.doctor import here, network
from integrations.doctor.case import Case, Check, Told
from integrations.doctor.org import Org
from integrations.doctor.reach import Reach

__all__ = ["QUESTIONS", "Check", "Reach", "Told", "diagnose", "passed", "unsettled"]


@dataclass(frozen=True, slots=True)
class Question:
    """One line of the table. It is not asked while one that it `needs` has failed: its answer would be the same."""

    name: str
    ask: Callable[[Case, Org], Iterator[Check]]
    needs: tuple[str, ...] = ()


_STRAIGHT = Reach()
_GENESYS = ("api host", "login host", "credentials")
QUESTIONS = (
    Question("settings", lambda _case, _org: iter([Check("settings", True, "every variable has a usable form")])),
    Question("region", lambda case, _: network.region(case)),
    Question("api host", lambda case, _: network.api(case)),
    Question("login host", lambda case, _: network.login(case)),
    Question("clock", lambda case, _: network.clock(case), ("api host",)),
    Question("credentials", lambda _, org: org.credentials(), ("login host",)),
    Question("scopes", lambda _, org: org.scopes(), ("login host", "credentials")),
    Question("reading", lambda _, org: org.reading(), _GENESYS),
    Question("flow", lambda _, org: org.flow(), _GENESYS),
    Question("conversation", lambda _, org: org.conversation(), _GENESYS),
    Question("API keys", lambda case, _: here.api_keys(case)),
    Question("senders", lambda case, _: here.senders(case)),
    Question("rates", lambda case, _: here.rates(case)),
    Question("ledger", lambda case, _: here.ledger(case)),
    Question("public URL", lambda case, _: here.public_url(case)),
)


def diagnose(
    settings: Told,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    new_id: Callable[[], str],
    conversation_id: str = "",
    reach: Reach = _STRAIGHT,
) -> Iterator[Check]:
    """The checks, one by one as they are made. Nothing in them is seen by a customer.

    `environ` holds the senders' secrets; with a `conversation_id` that conversation is looked at too.
    """
    case = Case(settings, environ, clock, new_id, reach, conversation_id)
    with closing(Org(case)) as org:
        for question in QUESTIONS:
            missing = [name for name in question.needs if name in case.failed]
            if missing:
                yield Check(question.name, None, f"not before “{missing[0]}” is in order")
                continue
            for check in question.ask(case, org):
                if check.ok is False:
                    case.failed.add(question.name)
                yield check


def unsettled(faults: Iterable[str]) -> Iterator[Check]:
    """The checks where the settings themselves are wrong, a line for each: nothing else can be looked at then."""
    for fault in faults:
        name, _, what = fault.partition(":")
        remedy = f"Correct {name} in the environment or .env; .env.example explains each variable."
        yield Check("settings", False, f"{name}:{what}", remedy)


def passed(checks: Iterable[Check]) -> bool:
    """Whether nothing is wrong. What was not looked at is not wrong."""
    return all(check.ok is not False for check in checks)
