"""
Two versions of the whole code on one ledger, as while a deployment rolls and rolls back: each payment is mailed once.

The older ones are what this repository was, not what a test believes it was; each worker is a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path

import pytest

from devstack import paths, servers
from foundation.errors import Contention
from payflow import resources
from payflow.ledger import schema
from tests.integration.payflow.test_whole_way import COMPANY, World, _command, _look_now, a_document, connected, world
from tests.soak.older import version

__all__ = ["world"]

EARLIER = {"before the row schema": "f75c5ca", "before Azure Communication Services": "661607e"}
"""Versions of the code by what they lack, the newest first."""
PLAYED = list(EARLIER) if os.environ.get("EARLIER_VERSIONS") == "all" else list(EARLIER)[:1]
"""The newest one in the build, which is the one that a deployment meets; ``EARLIER_VERSIONS=all`` plays each."""
WORKER = """
import asyncio, os
from foundation.clock import system_clock
from foundation.errors import ServiceError
from payflow.progress import due_entries
from payflow.wiring import Container

async def main():
    container = Container(os.environ, clock=system_clock)
    while True:
        entries = await container.entries()
        for entry in due_entries(await entries.all(), system_clock()):
            try:
                print(entry.company, await (await container.lane(entry.company)).run(), flush=True)
            except ServiceError as trouble:
                print(type(trouble).__name__, flush=True)
        await asyncio.sleep(0.1)

asyncio.run(main())
"""
PAYMENTS = 3
WITHIN_S = 120.0


@pytest.fixture
def azurite() -> Iterator[servers.Azurite]:
    """A storage emulator that nobody else uses: an older version opens the tables by their real names."""
    with servers.azurite() as server:
        yield server


@asynccontextmanager
async def worker(code: Path) -> AsyncIterator[None]:
    """Run what is due with the code in a folder, until the block ends; it must be alive then."""
    environ = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, cwd=code, env=environ, stdout=asyncio.subprocess.DEVNULL, stderr=None
    )
    try:
        yield
        assert started.returncode is None
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def mailed(world: World, first: int) -> None:
    """Book payments, each of a payer of its own, and wait until all are mailed."""
    wanted = len(world.mail.accepted) + PAYMENTS
    for number in range(first, first + PAYMENTS):
        payer = world.books.person(f"Dra. {number}", email=f"p{number}@example.org")
        payment = world.books.pay(world.books.bill(payer, 1000 + number, due=date(2026, 1, 1)))
        world.books.attach(payment, a_document(1000 + number))
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while len(world.mail.accepted) < wanted:
        assert asyncio.get_running_loop().time() < deadline, f"{len(world.mail.accepted)} of {wanted}"
        with suppress(Contention):  # a worker wrote the cursor first: it looks anyway
            await _look_now()


@pytest.mark.soak
@pytest.mark.parametrize("lacks", PLAYED)
async def test_an_earlier_version_beside_this_one_mails_each_payment_once(
    world: World, lacks: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Forward, both at once, back, and forward again; every row fits afterwards, and the schema can be raised."""
    monkeypatch.setattr(resources, "LEDGER_TABLE", "payflow")
    monkeypatch.setattr(resources, "SECOND_TABLE", "payflowsentlog")
    older = version(EARLIER[lacks], tmp_path)
    await connected(world, capsys)

    async with worker(older):
        await mailed(world, 0)
        async with worker(paths.ROOT):
            await mailed(world, 100)
    async with worker(paths.ROOT):
        await mailed(world, 200)
    async with worker(older):
        await mailed(world, 300)

    assert len({mail.message_id for mail in world.mail.accepted}) == len(world.mail.accepted) == 4 * PAYMENTS
    await _command("migrate", "--apply")
    await _command("verify", COMPANY)
    assert f"schema level {schema.LEVEL}" in capsys.readouterr().out
