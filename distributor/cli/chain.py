"""``audit-chain`` and ``rebuild``: the ledger against the chain, and from it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from distributor.cli import chain_answers
from distributor.cli.argument_types import accepted_transfer, address_argument, count_argument
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.ledger.fence_rows import FenceRows
from distributor.model import Address
from distributor.payout.history import History
from distributor.recovery.audit import Audit, Findings
from distributor.recovery.export import ExportedHistory, read_export
from distributor.recovery.fence import Fence
from distributor.recovery.from_guard import FromGuard
from distributor.recovery.payouts import KnownParties
from distributor.recovery.rebuild import Rebuild, RebuildReport
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
        history=await _history(context),
        policy=settings.payout.settlement,
        known=await _known(context, settings, await (await context.rebuild_store()).operators()),
        say=context.say,
    )
    return await audit.run(_first_block(context, settings))


async def rebuild(context: CommandContext) -> int:
    """Make the ledger again from the chain; 1 while something is left to explain."""
    settings = await context.begin(HistorySettings)
    if context.options.from_guard:
        return await _from_guard(context, settings)
    first_block = _first_block(context, settings)
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
        report = await use_case.run(first_block, by=context.options.by, why=context.options.why)
        if was_restored and report.ledger_id:  # what was erased after it was paid, and the backup had unpaid
            came_back = await erase_again(context)
        await (await context.ledger()).admin.record(
            "rebuild", chain_answers.verdict(report), context.options.by, context.options.why
        )
    else:
        report = await _look(use_case, first_block, readable=remembered is not None)
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
    known = await _known(context, settings, remembered)
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
        history=await _history(context),
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


async def _history(context: CommandContext) -> History:
    """Return the reserve's past: by the nodes' logs, or by the receipts of an explorer's export."""
    chain, file = await context.parts.history(), context.options.from_export
    if file is None:
        return chain
    try:
        hashes = read_export(await asyncio.to_thread(file.read_text, encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(_("{file} cannot be read: {error}").format(file=file, error=error)) from None
    context.say(_("{file}: {count} transactions, each read by its receipt.").format(file=file, count=len(hashes)))
    return ExportedHistory(chain, hashes)


async def _known(context: CommandContext, settings: HistorySettings, remembered: Collection[Address]) -> KnownParties:
    """Return every operator there ever was: configured, known to the ledger, or named in the command."""
    operators = {
        *await context.parts.operator_keys.signers(settings.payout.signing),
        *remembered,
        *context.options.operator,
    }
    contracts = settings.payout.contracts
    former = await _former(context)
    return KnownParties(
        authority=contracts.authority,
        operators=operators,
        guards={*([contracts.guard] if contracts.guard else []), *former("guard"), *context.options.former_guard},
        former_authorities={*former("authority"), *context.options.former_authority},
        accepted=dict(context.options.accept_transfer),
    )


async def _former(context: CommandContext) -> Callable[[str], Collection[Address]]:
    """Return what the ledger's identity named before, by kind; nothing of a ledger that cannot be read."""
    store = await context.rebuild_store()
    try:
        found = {kind: [each.address for each in await store.former(kind)] for kind in ("guard", "authority")}
    except ConfigurationError:
        found = {}
    return lambda kind: found.get(kind, [])


async def _remembered(context: CommandContext) -> Collection[Address] | None:
    """Return the operators the ledger knows; None if it cannot be read, which stops only --apply."""
    try:
        return await (await context.rebuild_store()).operators()
    except ConfigurationError as error:
        if context.options.apply:
            raise
        context.say(_("The ledger cannot be read: {error}").format(error=error))
        return None


def _first_block(context: CommandContext, settings: HistorySettings) -> int:
    chosen = context.options.from_block if context.options.from_block is not None else settings.first_block
    if chosen is None:
        raise CommandRefused(
            _("The first block of the token's history is not known. Set FIRST_BLOCK, or give --from-block.")
        )
    return int(chosen)


def _history_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from-block", type=count_argument, metavar="N", help=_("instead of FIRST_BLOCK"))
    command.add_argument(
        "--operator", action="append", default=[], type=address_argument, metavar="ADDRESS", help=_("a former operator")
    )
    command.add_argument(
        "--former-authority",
        action="append",
        default=[],
        type=address_argument,
        metavar="ADDRESS",
        help=_("a former authority"),
    )
    command.add_argument(
        "--former-guard",
        action="append",
        default=[],
        type=address_argument,
        metavar="ADDRESS",
        help=_("a former guard"),
    )
    command.add_argument(
        "--accept-transfer",
        action="append",
        default=[],
        type=accepted_transfer,
        metavar="HASH[=ORDER]",
        help=_("an explained transfer: the payment of ORDER, or of no order"),
    )
    command.add_argument(
        "--from-export",
        type=Path,
        metavar="FILE",
        help=_("an explorer's CSV of the reserve's token transfers, where no node gives the logs; receipts are read"),
    )


def past_arguments(command: argparse.ArgumentParser) -> None:
    """Add what is said of the past: where it is read from, who had a part in it, and what is explained."""
    _history_arguments(command)
    command.add_argument(
        "--accept-incomplete",
        default="",
        metavar="WHY",
        help=_("the history does not add up and you know why; a payment that is not found may be paid again"),
    )


def _audit_arguments(command: argparse.ArgumentParser) -> None:
    _history_arguments(command)
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
