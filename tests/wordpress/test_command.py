"""``python3 -m devstack wordpress`` as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from devstack import paths
from devstack.servers import Child, child, wait_until_said
from tests.integration.hosted import until
from tests.wordpress.admin import Administrator

TAKEN = "hand-1 .* (Accepted|On its way|In a block|Paid) "
LIST = "/wp-admin/admin.php?page=ballx-deliveries"
pytestmark = pytest.mark.usefixtures("azurite", "parts")  # skips at a desk without Node or Debian


@contextmanager
def wordpress(log: Path, *arguments: str) -> Iterator[Child]:
    """Run the command until the block ends."""
    command = [sys.executable, "-m", "devstack", "wordpress", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    with child("devstack", command, log=log, environment=environment) as started:
        yield started


def test_once_pays_one_order_and_ends(tmp_path: Path) -> None:
    """Each word of the plugin's list, and the wallet's change; exit code 0."""
    with wordpress(tmp_path / "once.log", "--once") as started:
        code = started.process.wait(240)
        said = started.log.read_text("utf-8")

    assert code == 0, said
    told = re.findall(r"^ +[\d.]+ s  (\w+)", said, re.MULTILINE)
    assert (told[0], told[-1]) == ("waiting", "paid")
    assert "0 -> 12.5 BALLX, exactly" in said


def test_it_takes_orders_by_hand_until_ctrl_c_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """What it prints is enough to log in and place an order; WordPress's cron runs by itself."""
    with wordpress(tmp_path / "wordpress.log") as started:
        said = wait_until_said(
            started, r"(http://localhost:\d+)/wp-admin/ +\(user: (\w+), password: (\S+)\)", timeout_s=120
        )
        with Administrator(said[1], said[3], user=said[2]) as person:
            person.open("/wp-admin/tools.php?page=devstack-order")
            placed = person.send("form:has(input[name=wallet])", {"order_id": "hand-1"})
            assert "Placed order hand-1." in placed.text
            until(lambda: re.search(TAKEN, person.open(LIST).text), timeout_s=240)
        everything = [me := psutil.Process(started.process.pid), *me.children(recursive=True)]
        os.kill(started.process.pid, signal.SIGINT)
        code = started.process.wait(30)

    assert code == 0
    assert not [one for one in everything if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
