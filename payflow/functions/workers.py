"""
The work behind the queue and the timer.

A message is the id of a company and only wakes its lane; what is to be done is in the rows. A lane that cannot go on
logs why and finishes: its entry is due again, and the timer wakes it. Only a bug lets a message fail.

The host accepts letters and digits in a binding's name, and no underscore.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

import azure.functions as func

from foundation import logs
from foundation.clock import system_clock
from foundation.errors import ConfigurationError, Transient
from foundation.invocation import invocation
from payflow.model import CompanyId
from payflow.progress import due_entries
from payflow.wiring import container

STORAGE = "AzureWebJobsStorage"
LANES = "payflow-lanes"
OFFICE = "payflow-office"

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # the library leaves this one bare

_log = logging.getLogger("payflow.functions")


@blueprint.function_name("wake_lanes")
@blueprint.timer_trigger("timer", "0 * * * * *", run_on_startup=False, use_monitor=False)
@blueprint.queue_output("lanes", LANES, STORAGE)
@blueprint.queue_output("mails", OFFICE, STORAGE)
async def wake_lanes(
    timer: func.TimerRequest, lanes: func.Out[str], mails: func.Out[str], context: func.Context
) -> None:
    """Wake every company whose lane is due, tell the alarms that stand, and wake the offices' mails that are due."""

    async def wake() -> None:
        parts = container()
        entries = await parts.entries()
        due = due_entries(await entries.all(), system_clock())
        if due and not await parts.is_held():
            lanes.set(json.dumps([entry.company for entry in due]))  # the host makes a message of each
        await parts.tell_alarms()
        if due_offices := await (await parts.office_digests()).due():
            mails.set(json.dumps(due_offices))

    await finished(context, wake)


@blueprint.function_name("back_up")
@blueprint.timer_trigger("timer", "40 0 * * * *", run_on_startup=False, use_monitor=False)
async def back_up(timer: func.TimerRequest, context: func.Context) -> None:
    """Copy each company into the second account once a day, then empty what is old; a metric tells the copy's age."""

    async def copy() -> None:
        await (await container().backups()).run_due()
        await (await container().retentions()).run_due()

    await finished(context, copy)


@blueprint.function_name("lane")
@blueprint.queue_trigger("message", LANES, STORAGE)
async def lane(message: func.QueueMessage, context: func.Context) -> None:
    """Run one company's lane."""

    async def run() -> None:
        company = CompanyId(message.get_body().decode())
        if await (await container().entries()).get(company) is None:
            logs.warning(_log, "unknown_company")
            return
        if await container().is_held():
            logs.info(_log, "held", company=company)  # its entry stays due
            return
        running = await container().lane(company)
        logs.info(_log, "lane_ended", company=company, how=await running.run())

    await finished(context, run)


@blueprint.function_name("lane_poisoned")
@blueprint.queue_trigger("message", f"{LANES}-poison", STORAGE)
async def lane_poisoned(message: func.QueueMessage, context: func.Context) -> None:
    """Note that a lane failed with a bug; the timer goes on waking it."""

    async def note() -> None:
        register = await container().register()
        await register.note("poison_message", message.get_body().decode(errors="replace")[:100], "")

    await finished(context, note)


async def finished(context: func.Context, job: Callable[[], Awaitable[None]]) -> None:
    """Do *job*; trouble that passes or that a person must end is reported, and the message is done."""
    with invocation(_log, context, context.invocation_id):
        try:
            await job()
        except Transient as error:
            logs.warning(_log, "deferred", cause=type(error).__name__, detail=str(error))
        except ConfigurationError as error:
            logs.error(_log, "not_configured", function=context.function_name, detail=str(error))
