"""A mail server for each module, and a clinic that mails through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clinic import Clinic
from tests.fakes.mail_server import FaultyServer, mail_server


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module: starting one takes a while."""
    with mail_server() as server:
        yield server


@pytest.fixture
def server(shared: FaultyServer) -> FaultyServer:
    """The server with nothing accepted and no faults."""
    shared.accepted.clear()
    shared.faults = type(shared.faults)()
    return shared


@pytest.fixture
def clinic(server: FaultyServer) -> Clinic:
    """A clinic with one payer."""
    return Clinic(server)
