"""What a person has for a ledger that is lost: the fence and the rebuild, with the ports of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributor.ledger.fence_rows import FenceRows
from distributor.ledger.rebuild_store import RebuildStore, RestoreResult
from distributor.recovery.fence import Fence
from distributor.recovery.payouts import KnownParties
from distributor.recovery.rebuild import Rebuild
from tests.fakes.chain import AUTHORITY, FakeSigner
from tests.fakes.chain_state import GUARD
from tests.fakes.history import FakeHistory
from tests.properties.machine_ports import SteppedChain, SteppedGuard, SteppedRows
from tests.properties.machine_rules import BLOCK_MS

if TYPE_CHECKING:
    from tests.properties.machine_host import Host


def a_rebuild(host: Host) -> Rebuild:
    """Return a rebuild that waits at the gates of *host*, and sleeps as it does."""
    world, turns = host.world, host.turns
    rows = SteppedRows(post=world.post, turns=turns)
    chain = SteppedChain(chain=world.chain, turns=turns)
    guards = (GUARD,) if world.guarded else ()
    fence = Fence(
        chain=chain,
        signs=host.ledger.signs,
        rows=FenceRows(rows),
        signers={operator: FakeSigner(operator) for operator in world.operators},
        guard=SteppedGuard(guard=world.guard, turns=turns),
        guards=guards,
        authorities=(),
        chain_id=world.identity.chain_id,
        limits=world.rulebook.limits,
        policy=world.rulebook.policy,
        clock=world.clock,
        sleep=turns.sleep,
        block_time_s=BLOCK_MS / 1000,
        say=lambda _: None,
    )
    return Rebuild(
        rebuild_store=RebuildStore(rows, world.clock),
        ledger=host.ledger,
        chain=chain,
        history=FakeHistory(world.chain),
        fence=fence,
        policy=world.rulebook.policy,
        identity=world.identity,
        known=KnownParties(
            authority=AUTHORITY,
            operators=world.operators,
            guards=guards,
            accepted=dict.fromkeys(world.found.explained),
        ),
        audit=world.audit,
        say=lambda _: None,
    )


async def rebuild(host: Host) -> None:
    """Rebuild; where an order came again with other content than was paid, accept that payment in the next run."""
    report = await a_rebuild(host).run(0, by="a person", why="the table is gone")
    differing = [each.payout.tx_hash for each in report.conflicts if each.verdict is RestoreResult.DIFFERS]
    host.world.found.explained.update(differing)
