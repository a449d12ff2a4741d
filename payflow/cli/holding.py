"""``pause --all`` and ``resume --all``: hold every company for a deployment, with the storage account and no key."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs, system_clock
from foundation.tablestore.leases import Leases
from foundation.tablestore.ports import Rows
from payflow.cli.context import local_time, say
from payflow.ledger import control, keys
from payflow.ledger.entries import Entries
from payflow.model import CompanyId
from payflow.wiring import Container

POLL_S: Final = 2.0


async def hold(container: Container, chosen: argparse.Namespace) -> None:
    """Let no lane begin any more; wait for those that have, if that is asked for."""
    tables = await container.ledger_tables()
    was = await control.read_control(tables.rows)
    if was.held_ms:
        say(f"Every company was held already, since {local_time(was.held_ms)} by {was.by}.")
        if not chosen.hold:  # a person's hold outlasts that of the deployment which it finds
            await control.write(tables.rows, replace(was, by=chosen.by))
    else:
        await control.write(tables.rows, replace(was, held_ms=system_clock(), by=chosen.hold or chosen.by))
        say("Every company is held: nothing is looked for and nothing is mailed until `resume --all`.")
    if chosen.wait:
        for entry in await Entries(tables.rows_of(keys.COMPANIES)).all():
            await until_still(tables.rows_of(keys.partition(entry.company)), entry.company)
        say("No lane runs any more.")


async def let_go(container: Container, chosen: argparse.Namespace) -> None:
    """
    End the hold, or with ``--hold`` only the one of this name; a company's own pause stays.

    1. A person holds every company, because something is wrong.
    2. A deployment begins, finds them held, and ends: were the hold ended with it, what is wrong would be mailed.
    """
    rows = (await container.ledger_tables()).rows
    was = await control.read_control(rows)
    if was.held_ms and chosen.hold not in ("", was.by):
        say(f"Every company stays held, since {local_time(was.held_ms)} by {was.by}: `resume --all` ends it.")
        return
    await control.write(rows, replace(was, held_ms=UnixMs(0), by=""))
    say("No company is held any more. What was paused by itself still is (`companies`).")


async def until_still(rows: Rows, company: CompanyId) -> None:
    """Wait for the lane's lease to be free: a lane that has begun ends between two steps, five minutes at most."""
    while await lane_runs(rows, company):  # noqa: ASYNC110 -- the lane is another process
        await asyncio.sleep(POLL_S)


async def lane_runs(rows: Rows, company: CompanyId) -> bool:
    """Say whether a lane of the company holds its lease now."""
    lease = await Leases(rows, system_clock).find(f"lane:{company}")
    return lease is not None and lease.is_alive(system_clock())
