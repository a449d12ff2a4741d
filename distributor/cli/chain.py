"""``audit-chain`` and ``rebuild``: the ledger against the chain, and from it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from distributor.cli.desk import DONE, REFUSED, Desk, Refused
from distributor.ledger.fence_rows import FenceRows
from distributor.model import Address
from distributor.recovery.audit import Audit, Findings
from distributor.recovery.fence import Fence
from distributor.recovery.payouts import Known
from distributor.recovery.rebuild import Rebuild, Report
from distributor.settings import Settings, Use
from distributor.terms import identity_of, limits_of, policy_of
from distributor.units import format_units
from foundation.errors import ConfigurationError


async def audit_chain(desk: Desk) -> int:
    """Hold the ledger against the chain; 1 on any difference."""
    settings = await desk.begin(Use.HISTORY)
    await desk.our_ledger()
    audit = Audit(
        archive=await desk.archive(),
        chain=await desk.parts.chain(),
        history=await desk.parts.history(),
        policy=policy_of(settings),
        known=await _known(desk, settings, await (await desk.archive()).operators()),
        say=desk.say,
    )
    findings = await audit.run(_first_block(desk, settings))
    desk.answer(_found(findings, settings.token_decimals))
    return REFUSED if findings.differences else DONE


async def rebuild(desk: Desk) -> int:
    """Make the ledger again from the chain; 1 while something is left to explain."""
    settings = await desk.begin(Use.HISTORY)
    first_block = _first_block(desk, settings)
    applies = desk.applies("pause, fence the operators' nonces, and write what the chain shows; this is what it shows")
    if applies:
        await (await desk.parts.tables()).ensure()
    remembered = await _remembered(desk)
    use_case = await _rebuild(desk, settings, remembered or ())
    if applies:
        report = await use_case.run(first_block, by=desk.options.by, why=desk.options.why)
        await (await desk.ledger()).record("rebuild", _verdict(report), desk.options.by, desk.options.why)
    else:
        report = await _look(use_case, first_block, readable=remembered is not None)
    desk.answer(_told(report))
    if report.ledger_id:
        desk.say(f"Set LEDGER_ID={report.ledger_id}. The payouts are paused; run audit-chain, then resume.")
    return DONE if report.clear else REFUSED


async def _look(use_case: Rebuild, first_block: int, *, readable: bool) -> Report:
    """Return what a rebuild would find; a lost table is not made for it."""
    if readable:
        await use_case.check()
    return await use_case.look(first_block)


async def _rebuild(desk: Desk, settings: Settings, remembered: Collection[Address]) -> Rebuild:
    chain, policy = await desk.parts.chain(), policy_of(settings)
    fence = Fence(
        chain=chain,
        signs=(await desk.ledger()).signs,
        rows=FenceRows((await desk.parts.tables()).rows),
        signers=await desk.parts.signers(settings),
        chain_id=settings.chain_id,
        limits=limits_of(settings),
        policy=policy,
        clock=desk.clock,
        sleep=asyncio.sleep,
        block_time_s=settings.block_time_s,
        say=desk.say,
    )
    return Rebuild(
        archive=await desk.archive(),
        ledger=await desk.ledger(),
        chain=chain,
        history=await desk.parts.history(),
        fence=fence,
        policy=policy,
        identity=identity_of(settings),
        known=await _known(desk, settings, remembered),
        say=desk.say,
    )


async def _known(desk: Desk, settings: Settings, remembered: Collection[Address]) -> Known:
    """Return every operator there ever was: whose key is configured, whom the ledger knows, whom the person names."""
    operators = {*await desk.parts.signers(settings), *remembered, *desk.options.operator}
    return Known(authority=settings.authority, operators=operators, accepted=desk.options.accept_transfer)


async def _remembered(desk: Desk) -> Collection[Address] | None:
    """Return whom the ledger knows; None where it cannot be read, which stops only the doing."""
    try:
        return await (await desk.archive()).operators()
    except ConfigurationError as error:
        if desk.options.apply:
            raise
        desk.say(f"The ledger cannot be read: {error}")
        return None


def _first_block(desk: Desk, settings: Settings) -> int:
    chosen = desk.options.from_block if desk.options.from_block is not None else settings.first_block
    if chosen is None:
        raise Refused("Where does the token's past begin? Set FIRST_BLOCK, or give --from-block.")
    return int(chosen)


def _found(findings: Findings, decimals: int) -> dict[str, Any]:
    return {
        "first_block": findings.first_block,
        "last_block": findings.last_block,
        "orders_paid": findings.orders,
        "payouts_on_chain": findings.payouts,
        "paid": format_units(findings.paid_units, decimals),
        "differences": [
            {"kind": str(each.kind), "subject": each.subject, "transaction": each.tx_hash, "detail": each.detail}
            for each in findings.differences
        ],
    }


def _told(report: Report) -> dict[str, Any]:
    return {
        "first_block": report.first_block,
        "last_block": report.last_block,
        "payouts": {str(fate): count for fate, count in sorted(report.restored.items())},
        "to_explain": [
            {
                "transaction": each.outflow.tx_hash,
                "block": each.outflow.block.number,
                "sender": each.sender,
                "wallet": each.outflow.wallet,
                "amount_units": str(each.outflow.amount_units),
                "why": str(each.why),
            }
            for each in report.strangers
        ],
        "conflicts": [
            {
                "order": str(each.payout.key or each.payout.ref_id),
                "transaction": each.payout.tx_hash,
                "verdict": str(each.verdict),
            }
            for each in report.conflicts
        ],
        "ledger_id": report.ledger_id or None,
    }


def _verdict(report: Report) -> str:
    return "finished" if report.ledger_id else "blocked"
