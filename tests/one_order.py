"""The tests are collected in one order: the processes of ``pytest -n`` compare their lists, and refuse to begin."""

from __future__ import annotations

import pytest


def refuse_sets(metafunc: pytest.Metafunc) -> None:
    """Raise UsageError where a test's parameters are a set, whose order is another one in each process."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        if any(isinstance(given, (set, frozenset)) for given in (*mark.args, *mark.kwargs.values())):
            raise pytest.UsageError(f"{metafunc.definition.nodeid}: its parameters are a set; give them sorted(…)")
