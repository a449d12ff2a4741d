"""``audit-chain`` and ``rebuild``: the ledger against the chain, and from it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Collection, Sequence

from distributor.cli import chain_answers
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.cli.past import chosen_history, first_block, history_arguments, known_parties, past_arguments
from distributor.ledger.fence_rows import FenceRows
from distributor.model import Address
from distributor.recovery.audit import Audit, Findings
from distributor.recovery.fence import Fence
from distributor.recovery.from_guard import FromGuard
from distributor.recovery.rebuild import Rebuild
from distributor.recovery.rebuild_report import RebuildReport
from distributor.settings.use_cases import HistorySettings
from foundation.errors import ConfigurationError


async def audit_chain(context: CommandContext) -> int:
    """Compare the ledger with the chain; 1 on any difference."""
    settings = await context.begin(HistorySettings)
    await context.our_ledger()
    findings = await _audited(context, settings)
    context.answer(chain_answers.audit_answer(findings, settings.payout.contracts.decimals))
    whole = context.options.from_block is None
    return REFUSED if findings.differences or (whole and findings.incomplete) else DONE


async def past_obstacles(context: CommandContext, settings: HistorySettings) -> Sequence[str]:
    """
    Return why the ledger does not have all that was paid, each as a sentence; empty when nothing speaks against it.

    A node that has pruned its logs shows no payment, so the past that was read must add up as well.
    """
    findings = await _audited(context, settings)
    found = []
    if findings.differences:
        said = _("audit-chain finds {count} differences: explain them first, or `rebuild` writes what is missing.")
        found.append(said.format(count=len(findings.differences)))
    if findings.incomplete and not context.options.accept_incomplete:
        found.append(
            _("{trouble} If you know why it does not add up, say so: --accept-incomplete.").format(
                trouble=findings.incomplete
            )
        )
    return found


async def _audited(context: CommandContext, settings: HistorySettings) -> Findings:
    audit = Audit(
        rebuild_store=await context.rebuild_store(),
        chain=await context.parts.chain(),
        history=await chosen_history(context),
        policy=settings.payout.settlement,
        known=await known_parties(context, settings, await (await context.rebuild_store()).operators()),
        say=context.say,
    )
    return await audit.run(first_block(context, settings))


async def rebuild(context: CommandContext) -> int:
    """Make the ledger again from the chain; 1 while something is left to explain."""
    settings = await context.begin(HistorySettings)
    if context.options.from_guard:
        return await _from_guard(context, settings)
    first = first_block(context, settings)
    applies = context.applies(
        _(
            "pause, cancel every nonce a lost payout could still use, and write what the chain shows; this is what "
            "it shows"
        )
    )
    if applies:
        await (await context.parts.tables()).ensure()
    remembered = await _remembered(context)
    use_case, came_back = await _rebuild(context, settings, remembered or ()), list[str]()
    if applies:
        was_restored = await (await context.rebuild_store()).restored() is not None
        report = await use_case.run(first, by=context.options.by, why=context.options.why)
        if was_restored and report.ledger_id:  # what was erased after it was paid, and the backup had unpaid
            came_back = await erase_again(context)
        await (await context.ledger()).admin.record(
            "rebuild", chain_answers.verdict(report), context.options.by, context.options.why
        )
    else:
        report = await _look(use_case, first, readable=remembered is not None)
    context.answer({**chain_answers.rebuild_answer(report), "erased_unfinished": came_back})
    if report.ledger_id:
        context.say(
            _("Set LEDGER_ID={ledger_id}. The payouts are paused; run audit-chain, then resume.").format(
                ledger_id=report.ledger_id
            )
        )
    return DONE if report.clear and not came_back else REFUSED


async def erase_again(context: CommandContext) -> list[str]:
    """
    Erase what was erased before the loss, and return the orders that cannot be erased, as they are not finished here.

    They were finished when they were erased. Those the chain did not pay were cancelled, and nothing else may know it.
    """
    unfinished = [str(key) for key in (await context.parts.replay_purges()).unfinished]
    if unfinished:
        context.say(
            _(
                "{count} orders whose data was erased are not finished here: their data is back. Those that wait were "
                "cancelled before they were erased: `cancel` them before you resume, then run `purge --replay`."
            ).format(count=len(unfinished))
        )
    return unfinished


async def _from_guard(context: CommandContext, settings: HistorySettings) -> int:
    ledger = await context.our_ledger()
    identity = await ledger.identity()
    if identity is None or identity.guard is None:
        raise CommandRefused(_("This ledger pays through no guard; run `rebuild` without --from-guard."))
    use_case = FromGuard(
        rebuild_store=await context.rebuild_store(),
        ledger=ledger,
        chain=await context.parts.chain(),
        guard=await context.parts.guard(),
        address=identity.guard,
        policy=settings.payout.settlement,
    )
    by, why = context.options.by, context.options.why
    if context.applies(_("pause, and write what the guard has recorded and this ledger does not have")):
        report = await use_case.run(by=by, why=why)
        await ledger.admin.record("rebuild", "from guard", by, why)
        context.say(_("The payouts are paused; run audit-chain, then resume."))
    else:
        report = await use_case.look()
    fates = {str(fate): count for fate, count in sorted(report.restored.items())}
    context.answer({"guard": identity.guard, "last_block": report.last_block, "payouts": fates})
    return DONE


async def _look(use_case: Rebuild, first_block: int, *, readable: bool) -> RebuildReport:
    """Return what a rebuild would find; a lost table is not made for it."""
    if readable:
        await use_case.check()
    return await use_case.look(first_block)


async def _rebuild(context: CommandContext, settings: HistorySettings, remembered: Collection[Address]) -> Rebuild:
    chain, policy = await context.parts.chain(), settings.payout.settlement
    known = await known_parties(context, settings, remembered)
    fence = Fence(
        chain=chain,
        signs=(await context.ledger()).signs,
        rows=FenceRows((await context.parts.tables()).rows),
        signers=await context.parts.operator_keys.signers(settings.payout.signing),
        guard=await context.parts.guard(),
        guards=known.guards,
        authorities=known.former_authorities or (None if await _is_lost(context) else ()),
        chain_id=settings.payout.contracts.chain_id,
        limits=settings.payout.fees,
        policy=policy,
        clock=context.clock,
        sleep=asyncio.sleep,
        block_time_s=settings.payout.lane.block_time_s,
        say=context.say,
    )
    return Rebuild(
        rebuild_store=await context.rebuild_store(),
        ledger=await context.ledger(),
        chain=chain,
        history=await chosen_history(context),
        fence=fence,
        policy=policy,
        identity=settings.payout.contracts.identity,
        known=known,
        audit=(await context.parts.tables()).audit,
        accept_incomplete=context.options.accept_incomplete,
        accept_guard=context.options.accept_guard,
        say=context.say,
    )


async def _is_lost(context: CommandContext) -> bool:
    """Say whether the ledger has no identity any more; then which Authorities there were is lost with it."""
    try:
        return await (await context.ledger()).identity() is None
    except ConfigurationError:
        return True


async def _remembered(context: CommandContext) -> Collection[Address] | None:
    """Return the operators the ledger knows; None if it cannot be read, which stops only --apply."""
    try:
        return await (await context.rebuild_store()).operators()
    except ConfigurationError as error:
        if context.options.apply:
            raise
        context.say(_("The ledger cannot be read: {error}").format(error=error))
        return None


def _audit_arguments(command: argparse.ArgumentParser) -> None:
    history_arguments(command)
    command.set_defaults(apply=False)


def _rebuild_arguments(command: argparse.ArgumentParser) -> None:
    past_arguments(command)
    command.add_argument(
        "--accept-guard",
        default="",
        metavar="WHY",
        help=_("the ledger is lost, and you know that GUARD_ADDRESS is its guard although it lacks payments"),
    )
    command.add_argument(
        "--from-guard",
        action="store_true",
        help=_("write only what the guard has recorded and this ledger does not have; spends no nonce"),
    )


COMMANDS = (
    Command(
        name="audit-chain",
        summary=N_("compare the ledger with the chain"),
        description=N_(
            "Compare the ledger with the chain: every paid order must have its transfer, every transfer its order."
        ),
        run=audit_chain,
        arguments=_audit_arguments,
    ),
    Command(
        name="rebuild",
        summary=N_("rebuild a lost ledger from the chain"),
        description=N_(
            "Rebuild a lost ledger: pause, cancel every nonce a lost payout could still use, wait until that is final, "
            "then write what the chain shows. Payouts stay paused. If it is interrupted, run it again."
        ),
        run=rebuild,
        arguments=_rebuild_arguments,
        changes=True,
    ),
)
