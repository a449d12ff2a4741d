"""
The work behind the queues and the timer.

A message only wakes a handler, so a handler that cannot go on logs why and finishes: the order waits
and the sweep wakes it. Only a bug lets a message fail; after five failures it is in the poison queue.

The host accepts letters and digits in a binding's name, and no underscore.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable

import azure.functions as func
from azure.functions.warmup import WarmUpContext

from distributor.functions.queues import STORAGE
from distributor.ports import Alarm
from distributor.queue_names import DISTRIBUTIONS, POISON, SETTLEMENTS, WAKE
from distributor.state import WaitingReason
from distributor.wiring import container
from foundation import logs
from foundation.backup.ports import BackupIncomplete, NoBackup
from foundation.errors import ConfigurationError, InvariantBroken, ServiceError, Transient
from foundation.invocation import invocation

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare

_log = logging.getLogger("distributor.functions")


@blueprint.function_name("distribute")
@blueprint.queue_trigger("message", DISTRIBUTIONS, STORAGE)
@blueprint.queue_output("settlements", SETTLEMENTS, STORAGE)
async def distribute(message: func.QueueMessage, settlements: func.Out[str], context: func.Context) -> None:
    """Pay what waits."""

    async def drain() -> None:
        try:
            distribution = await container().payouts.distribution()
        except ConfigurationError as error:
            await _let_wait(error)
            raise
        drained = await distribution.drain()
        if drained.open:
            settlements.set(WAKE)

    await _finished(context, lambda: _with_alarms(drain))


async def _with_alarms(job: Callable[[], Awaitable[None]]) -> None:
    """Do *job*, and then send alarms where the sweep, which does it, has not run for minutes."""
    try:
        await job()
    finally:
        try:
            await (await container().stand_in()).run()
        except (Transient, ConfigurationError) as error:  # what the job raised counts
            logs.warning(_log, "alarms_not_looked_at", cause=type(error).__name__, detail=str(error))


async def _let_wait(error: ConfigurationError) -> None:
    """Record why orders wait, for their status; the round that can run again clears it."""
    ledger = await container().ledger()
    await ledger.service.set_waiting(WaitingReason.NOT_CONFIGURED, str(error))


@blueprint.function_name("settlement")
@blueprint.queue_trigger("message", SETTLEMENTS, STORAGE)
@blueprint.queue_output("settlements", SETTLEMENTS, STORAGE)
async def settlement(message: func.QueueMessage, settlements: func.Out[str], context: func.Context) -> None:
    """Follow open transactions until they are final; wakes itself before the host's time-out."""

    async def follow() -> None:
        following = await container().payouts.settlement()
        followed = await following.follow()
        if followed.again:
            settlements.set(WAKE)

    await _finished(context, lambda: _with_alarms(follow))


@blueprint.function_name("sweep")
@blueprint.timer_trigger("timer", "0 * * * * *", run_on_startup=False, use_monitor=False)
@blueprint.queue_output("settlements", SETTLEMENTS, STORAGE)
@blueprint.queue_output("distributions", DISTRIBUTIONS, STORAGE)
async def sweep(
    timer: func.TimerRequest,
    settlements: func.Out[str],
    distributions: func.Out[str],
    context: func.Context,
) -> None:
    """Wake stalled work and send alarms; now and then check reserve, allowance and gas."""

    async def wake() -> None:
        sweeping = await container().sweep()
        try:
            wakes = await sweeping.run()
        except InvariantBroken:  # people get the alarm of what broke all the same, and the other alarms
            await (await container().alarm_sweep()).run()
            raise
        if wakes.settle:
            settlements.set(WAKE)
        if wakes.distribute:
            distributions.set(WAKE)
        alarm_sweep = await container().alarm_sweep()
        await alarm_sweep.run()
        if not wakes.monitor or await _watched():
            await container().heartbeat()
        if wakes.index:
            await (await container().order_indexing()).run()
        if wakes.monitor:  # last: it is no payout's concern
            await _emptied()

    await _finished(context, wake)


async def _emptied() -> None:
    """Empty a slice of words whose time is over; a row that is wrong there stops no payout."""
    try:
        await (await container().retention()).run()
    except InvariantBroken as error:
        await _raise(
            Alarm(
                code="row_unreadable",
                summary=str(error),
                action="Have the row looked at. Orders are paid; words are kept longer than RETENTION_DAYS meanwhile.",
                subject="retention",
            )
        )


async def _watched() -> bool:
    """Look at balances and nodes; a bug there must not fail the function, which then wakes nobody."""
    try:
        await (await container().payouts.balance_monitor()).run()
    except ServiceError:
        raise  # its alarm has its own words; what was found to wake is woken
    except Exception:  # noqa: BLE001 -- a bug: the alarm watch_missing stays active until it is corrected
        logs.error(_log, "watch_failed", detail=traceback.format_exc(limit=-4))
        return False
    return True


@blueprint.function_name("call_backs")
@blueprint.timer_trigger("timer", "20 * * * * *", run_on_startup=False, use_monitor=False)
async def call_backs(timer: func.TimerRequest, context: func.Context) -> None:
    """Tell the shops what became of their orders; a row that is wrong there stops no payout."""

    async def tell() -> None:
        try:
            await (await container().call_backs()).run()
        except InvariantBroken as error:
            await _raise(
                Alarm(
                    code="row_unreadable",
                    summary=str(error),
                    action="Have the row looked at. The other shops are told, and orders are paid.",
                    subject="call_backs",
                )
            )

    await _finished(context, tell)


@blueprint.function_name("back_up")
@blueprint.timer_trigger("timer", "40 0 * * * *", run_on_startup=False, use_monitor=False)
async def back_up(timer: func.TimerRequest, context: func.Context) -> None:
    """Copy the ledger into another account once a day; the age of the last good copy reports a failure."""

    async def copy() -> None:
        try:
            await (await container().ledger_backup()).run_if_due()
        except (BackupIncomplete, NoBackup, ConfigurationError, InvariantBroken) as error:  # no payout stops for it
            logs.warning(_log, "not_backed_up", cause=type(error).__name__, detail=str(error))

    await _finished(context, copy)


@blueprint.function_name("distribute_poisoned")
@blueprint.queue_trigger("message", DISTRIBUTIONS + POISON, STORAGE)
async def distribute_poisoned(message: func.QueueMessage, context: func.Context) -> None:
    """Say that distribution failed with a bug; the orders are untouched and still wait."""
    await _poisoned(message, context, "distribute")


@blueprint.function_name("settlement_poisoned")
@blueprint.queue_trigger("message", SETTLEMENTS + POISON, STORAGE)
async def settlement_poisoned(message: func.QueueMessage, context: func.Context) -> None:
    """Say that settlement failed with a bug; the transactions are untouched and stay open."""
    await _poisoned(message, context, "settlement")


async def _poisoned(message: func.QueueMessage, context: func.Context, function: str) -> None:
    alarm = Alarm(
        code="poison_message",
        summary=f"{function} failed five times in a row on one wake-up; no order was touched by that.",
        action=f"Look up the exceptions of {function} in the logs: it is a bug. The sweep goes on waking it.",
        subject=message.id or "",
    )
    await _finished(context, lambda: _raise(alarm))


@blueprint.function_name("warmup")
@blueprint.warm_up_trigger("warming")
async def warmup(warming: WarmUpContext, context: func.Context) -> None:
    """Build the intake before the first order comes."""

    async def build() -> None:
        await container().intake()

    await _finished(context, build)


# How every handler here ends ---------------------------------------------------------------------


async def _finished(context: func.Context, job: Callable[[], Awaitable[None]]) -> None:
    """Do *job*; a temporary failure or a wrong setting is logged or raised as an alarm, and the message is done."""
    name = context.function_name
    with invocation(_log, context, context.invocation_id):
        try:
            await job()
        except Transient as error:
            logs.warning(_log, "deferred", cause=type(error).__name__, detail=str(error))
        except ConfigurationError as error:
            await _not_configured(name, str(error))
        except InvariantBroken as error:
            await _broken(name, str(error))


async def _broken(function: str, found: str) -> None:
    """
    Say so, then stop all binding: a rule that cannot break did. What is in flight is followed on.

    Said first: paused, no drain would find it again, and a crash in between would keep silent.
    """
    action = "Payouts are paused. Find the cause, a bug or a key used by someone else; then resume."
    await _raise(Alarm(code="invariant_broken", summary=found, action=action, subject=function))
    try:
        ledger = await container().ledger()
        await ledger.admin.pause("distributor", f"{function}: {found}")
    except (Transient, ConfigurationError) as error:
        action = f"Pause payouts and find the cause; pausing by itself failed: {error}"
        await _raise(Alarm(code="invariant_broken", summary=found, action=action, subject=function))


async def _not_configured(function: str, found: str) -> None:
    """Raise the alarm each time it is found, so that it is sent for as long as it is so."""
    action = "Correct the setting; /ready names what is wrong. Orders wait and nothing is lost."
    await _raise(Alarm(code="not_configured", summary=found, action=action, subject=function))


async def _raise(alarm: Alarm) -> None:
    alarms = await container().alarms()
    await alarms.raise_(alarm)
