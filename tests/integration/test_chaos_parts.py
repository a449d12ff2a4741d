"""The parts of a soak: killed, frozen, and back with what they had."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psutil
import pytest
from azure.data.tables import TableServiceClient

from devstack import servers
from devstack.chaos.faults import FLUSHED_S, Script
from devstack.chaos.parts import Part, on_disk
from devstack.runs import Run

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL and SIGSTOP are POSIX"),
    pytest.mark.usefixtures("azurite"),  # skips at a desk without Node
]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Part[servers.Azurite]]:
    """Storage on disk that runs."""
    run = Run(tmp_path)
    part = Part("storage", on_disk(run), run)
    part.start()
    yield part
    part.stop()


def write(azurite: servers.Azurite, key: str) -> None:
    """Write one row and wait for the answer."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        service.create_table_if_not_exists("rows").upsert_entity({"PartitionKey": "1", "RowKey": key})


def keys(azurite: servers.Azurite) -> list[str]:
    """Return the rows that are there."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        return [row["RowKey"] for row in service.get_table_client("rows").list_entities()]


def test_a_killed_storage_has_what_it_answered(storage: Part[servers.Azurite]) -> None:
    """Killed as the soak kills it, it comes back on the same ports with the rows it had answered."""
    before = storage.running
    write(before, "first")
    write(before, "second")
    time.sleep(FLUSHED_S)

    storage.kill()
    after = storage.start()

    assert after.process.pid != before.process.pid
    assert after.connection_string == before.connection_string
    assert keys(after) == ["first", "second"]
    assert (storage.kills, storage.lives) == (1, 2)


def test_a_restarted_storage_has_what_it_answered_a_moment_ago(storage: Part[servers.Azurite]) -> None:
    """Ended gently it writes everything, so nobody needs to wait."""
    write(storage.running, "last")

    storage.stop()

    assert keys(storage.start()) == ["last"]


def test_a_frozen_part_does_nothing_and_goes_on(storage: Part[servers.Azurite]) -> None:
    """It is stopped, not ended; the same process answers afterwards."""
    process = psutil.Process(storage.running.process.pid)
    with storage.frozen():
        while process.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)

    write(storage.running, "after")
    assert keys(storage.running) == ["after"]


def test_the_same_seed_gives_the_same_faults() -> None:
    """So that a soak that failed can be played again."""

    def played(seed: int) -> list[str]:
        told, over, sizes = list[str](), threading.Event(), Random(seed)  # noqa: S311 -- no secret

        def tell(what: str) -> None:
            told.append(what)
            if len(told) == 20:
                over.set()

        Script("any", [lambda: f"a {sizes.random()}", lambda: "b", lambda: "c"], (0, 0), seed).play(over, tell)
        return told

    assert played(1) == played(1)
    assert played(1) != played(2)
