"""The table in memory, in what only tests ask of it."""

from __future__ import annotations

import pytest

from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows


async def test_a_table_that_is_put_back_has_the_rows_of_then_and_none_of_their_versions() -> None:
    """As after a restore: what came since is gone, and who read before it cannot write."""
    rows = MemoryRows()
    rows.put("a", {"n": 1})
    read = await rows.get("a")
    assert read is not None
    rows.put("b", {"n": 2})

    rows.restore({"a": {"n": 1}})

    found = await rows.scan("!", "~", limit=10)
    assert [(row.key, row.values) for row in found] == [("a", {"n": 1})]
    group = AtomicWrite()
    group.replace("a", {"n": 3}, read.version)
    with pytest.raises(Contention):
        await commit(rows, group, marker_row="a")
