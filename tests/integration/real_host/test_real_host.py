"""
The table of what the real Functions host was seen to do, each line done to ours.

Observed on one Linux machine in November 2026: host v4.1037 (github.com/Azure/azure-functions-host, commit
89dc438) on .NET 10, Microsoft.Azure.WebJobs.Extensions.Storage.Queues 5.3.10, timers extension 5.1, Python
worker 4.34.0 with Python 3.11, Azurite 3.35, and a host.json with routePrefix "", visibilityTimeout 30 s,
maxDequeueCount 5. Not there, and so not here: easy auth, Azure's front end, scaling, the extension bundle.

A line is removed or softened only when the real host is seen to do otherwise: what ours forgives, the tests
that run on it cannot find.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.servers import Azurite
from tests.integration.hosted import Hosted
from tests.integration.real_host import rows_http, rows_keys, rows_life, rows_queues, rows_settings
from tests.integration.real_host.bench import ROWS, Row, trial

TABLE = (rows_http, rows_keys, rows_life, rows_queues, rows_settings)
"""The modules that fill it."""


@pytest.fixture(scope="module")
def shared(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """One host for the rows that leave it as it was."""
    with trial(azurite, tmp_path_factory.mktemp("shared")) as begun, begun.host() as running:
        yield running


@pytest.mark.parametrize("line", ROWS, ids=lambda line: f"{line.topic}: {line.given}")
def test_the_local_host_does_what_the_real_one_was_seen_to_do(
    line: Row, azurite: Azurite, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No kinder, in one line of the table after the other."""
    if line.wants == "host":
        line.check(request.getfixturevalue("shared"))
        return
    with trial(azurite, tmp_path) as begun:
        line.check(begun)


def test_no_line_is_there_twice() -> None:
    """Each has its own words, and its check."""
    names = [(line.topic, line.given, line.observed) for line in ROWS]

    assert len(names) == len(set(names))
    assert len(names) > 100
