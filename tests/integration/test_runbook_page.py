"""The runbook's page on a lost ledger, its commands taken from the page and run in order on real storage and a node."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from devstack.contracts import Devchain
from distributor.resources import Resources
from tests.integration.test_commands import Desk
from tests.runbook import pages


def commands_of(page: str) -> Sequence[str]:
    """Return the lines of the first block of commands on that page."""
    block = re.search(r"```sh\n(.*?)```", pages()[page], re.DOTALL)
    assert block, f"the page {page} has no commands"
    return block.group(1).splitlines()


@contextmanager
def blocks_pass(devchain: Devchain) -> Iterator[None]:
    """Let blocks be made, as they are on a chain whatever a person does."""
    done = threading.Event()

    def mine() -> None:
        while not done.wait(0.1):
            devchain.mine()

    miner = threading.Thread(target=mine)
    miner.start()
    try:
        yield
    finally:
        done.set()
        miner.join()


def follow(desk: Desk, lines: Sequence[str]) -> None:
    """Type each line as it is written; what a person fills in is what the command before printed."""
    printed = ""
    for line in lines:
        words = shlex.split(line)
        if words[0] == "export":
            name, _, _ = words[1].partition("=")
            found = re.search(rf"Set {name}=(\S+?)\.\s", printed)
            assert found, printed
            desk.environ[name] = found.group(1)
            continue
        assert words[:3] == ["python", "-m", "distributor"], line
        printed = desk.run(*words[3:])


@pytest.fixture(params=["without guard", "through a guard"])
def desk(
    request: pytest.FixtureRequest, environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """A person with a ledger; the service pays straight to the Authority, or through a guard."""
    settings = dict(environ)
    if request.param == "through a guard":
        settings["GUARD_ADDRESS"] = devchain.new_guard()
        devchain.revoke(devchain.deployment.operator)
        devchain.grant(settings["GUARD_ADDRESS"])  # type: ignore[arg-type]  # an address, as text
    own = Desk(settings, devchain, capsys)
    own.run("init", "--apply")
    return own


def test_a_lost_ledger_is_made_again_by_the_commands_of_its_page(desk: Desk) -> None:
    """Paid orders stay paid, the cancelled one is barred again, and a webhook that was never paid is paid."""
    desk.pay("A-1", "A-2")
    desk.send("C-1")
    desk.do("cancel", "C-1")
    desk.send("W-1")
    empty(desk)

    with blocks_pass(desk.devchain):
        follow(desk, commands_of("The ledger is lost"))

    assert desk.send("A-1", "A-2", "C-1") == ["paid", "paid", "cancelled"]
    desk.pay("W-1", "B-1")
    assert [desk.ask("order", name)["status"] for name in ("A-1", "A-2", "W-1", "B-1")] == ["paid"] * 4
    assert len(desk.payouts()) == 4
    assert desk.ask("audit-chain")["differences"] == []


def empty(desk: Desk) -> None:
    """Delete every row of the ledger; the audit trail is a table of its own."""

    async def delete(parts: Resources) -> None:
        client = (await parts.tables()).service.get_table_client(desk.environ["LEDGER_TABLE"])
        async for entity in client.list_entities():
            await client.delete_entity(entity["PartitionKey"], entity["RowKey"])

    desk.parts(delete)
