"""Worlds for the fault tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devstack.contracts import Devchain
from tests.faults.polygon_world import PolygonWorld, polygon_world


@pytest.fixture
async def world(devchain: Devchain) -> AsyncIterator[PolygonWorld]:
    """One Polygon node, the ledger in memory."""
    async with polygon_world(devchain) as opened:
        yield opened


@pytest.fixture
async def two_nodes(devchain: Devchain) -> AsyncIterator[PolygonWorld]:
    """Two Polygon nodes of one chain, each with a pool of its own."""
    async with polygon_world(devchain, nodes=2) as opened:
        yield opened
