"""The product with a part taken out of what makes it once: each must break a promise, or the simulation is weak."""

from collections.abc import Callable
from dataclasses import replace

from cobrowse.flow import Flow
from cobrowse.ledger import Claim, Claimed, Progress, State, Won
from cobrowse.model import Outcome
from tests.simulation.ledger import Row, SimulatedLedger
from tests.simulation.scenario import Mutant


class _Rowwise:
    """Flows whose steps are rewritten."""

    def __init__(self, flows) -> None:
        self._flows = flows
        self.newest_webchat = flows.newest_webchat
        self.live_sessions = flows.live_sessions

    def flow(self, name: str = "") -> Flow:
        flow = self._flows.flow(name)
        return replace(flow, steps=tuple(self.rewritten(step) for step in flow.steps))

    def rewritten(self, step):
        return step


class _Blind(_Rowwise):
    """No look before a repeat: the probe says that nothing has happened."""

    def rewritten(self, step):
        return replace(step, probe=lambda _attempt: None) if step.probe else step


class _Hasty(_Rowwise):
    """A lost answer is taken for a failure that is certain, and whatever may have been begun is just done again."""

    def rewritten(self, step):
        return replace(step, probe=None)


class _Unmindful(_Rowwise):
    """A keyless repeat does not look at the conversation first."""

    def __init__(self, flows) -> None:
        super().__init__(flows)
        self.live_sessions = lambda _attempt: ()


class _AnyHolder(SimulatedLedger):
    """No lease check: whoever once held a row may write to it."""

    def _held(self, initiation_id: str, holder: str) -> Row | None:
        return self.by_id.get(initiation_id)


class _NoUniqueKey(SimulatedLedger):
    """A key may be claimed by everybody."""

    def _holding(self, slot: str) -> Row | None:
        return None


class _NoCommitBeforeCall(SimulatedLedger):
    """Only the end of an attempt is put on record."""

    def _claim(self, claim: Claim) -> Claimed:
        return super()._claim(replace(claim, progress=Progress()))

    def _begin(self, initiation_id: str, holder: str, progress: Progress) -> bool:
        return self._held(initiation_id, holder) is not None


class _NeverOnDisk(SimulatedLedger):
    """No commit waits for the disk, not even the one that an invitation waits for."""

    def committing(self, effect: Callable[[], object], *, durable: bool) -> Callable[[], object]:
        return super().committing(effect, durable=False)


class _NoWindow(SimulatedLedger):
    """What happened to a conversation before is nobody's business."""

    def _claim(self, claim: Claim) -> Claimed:
        claimed = super()._claim(claim)
        return replace(claimed, previous=None) if isinstance(claimed, Won) else claimed


class _ShortLease(SimulatedLedger):
    """A lease ends before its holder's deadline does."""

    def _claim(self, claim: Claim) -> Claimed:
        return super()._claim(replace(claim, lease_seconds=claim.command.deadline_seconds / 4))


class _Forgetful(SimulatedLedger):
    """The answer is not kept as it was given."""

    def _settle(self, initiation_id: str, holder: str, state: State, progress: Progress, outcome: Outcome) -> bool:
        return super()._settle(initiation_id, holder, state, progress, replace(outcome, upstream_calls=0))


MUTANTS = (
    Mutant("no look before a repeat", "invited again", disguise=_Blind),
    Mutant("a lost answer is a failure", "invited again", disguise=_Hasty),
    Mutant("no lease check", "another answer than", _AnyHolder),
    Mutant("no unique key", "invited again", _NoUniqueKey),
    Mutant("no commit before the call", "invited again", _NoCommitBeforeCall),
    Mutant("no wait for the disk", "invited again", _NeverOnDisk),
    Mutant("no look at the conversation", "was live", disguise=_Unmindful),
    Mutant("no window", "was live", _NoWindow),
    Mutant("a lease shorter than the deadline", "though it had", _ShortLease),
    Mutant("an answer kept otherwise than it was given", "another answer than", _Forgetful),
)
