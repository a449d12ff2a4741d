"""A few minutes of orders through the real host while everything under it fails."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from devstack import paths
from devstack.servers import child

MINUTES = 3
GIVEN_UP_AFTER_S = 1500.0


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL and SIGSTOP are POSIX")
@pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does
def test_every_order_is_paid_once_while_everything_fails(tmp_path: Path, soak_figures: list[str]) -> None:
    """Two hosts, storage, two nodes are killed, blocks leave, keys are rotated; then all is counted."""
    command = [sys.executable, "-m", "devstack", "chaos", "--minutes", str(MINUTES), "--seed", "7"]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    with child("chaos", command, log=tmp_path / "chaos.log", environment=environment) as soak:
        code = soak.process.wait(GIVEN_UP_AFTER_S)
    said = (tmp_path / "chaos.log").read_text("utf-8")
    soak_figures.append(said.partition("What happened")[2])

    figures = dict(re.findall(r"^  (\w[\w ]*\w)  +(\d+)", said.partition("What happened")[2], re.MULTILINE))
    assert code == 0, said
    assert (figures["paid twice"], figures["lost"]) == ("0", "0")
    assert figures["paid once"] == figures["orders"]
    assert min(int(figures[name]) for name in ("orders", "kills", "reorganisations")) > 0
    by_key = re.findall(r"(\d+) transactions by the first key, (\d+) by the second", said)
    assert by_key, said
    assert "0" not in by_key[0], "no key was rotated"
    assert int(figures["side lane"]) > 0, "one operator paid alone"
