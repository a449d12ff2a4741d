"""What every test may ask for: real servers started once, a clock that stands still, names of its own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

from devstack import paths, servers
from tests.fakes.clock import FrozenClock
from tests.one_order import refuse_sets

if TYPE_CHECKING:
    from devstack.contracts import Deployment, Devchain  # web3 behind it: only for tests that use the chain

# A busy machine is no fault: no example has a deadline, as Hypothesis itself has it where CI is set.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

# What a process needs to run on one of the three systems; a setting of the app is never among it.
_KEPT = {
    *("CI", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "USER", "VIRTUAL_ENV"),
    *("APPDATA", "COMSPEC", "LOCALAPPDATA", "PATHEXT", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE"),
}
_NO_KINDS = SimpleNamespace(params={})
_KEPT_PREFIXES = ("COV", "PYTEST", "PYTHON")


SERVERS = {"azurite", "anvil_server", "redis_url"}
"""Fixtures that start a program of its own."""
SERVER_KINDS = {"azurite", "anvil", "redis"}
"""Parameters of fixtures that ask for one of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the short loop leave out what needs a server."""
    parser.addoption("--no-servers", action="store_true", help="leave out every test that needs a real server")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse parameters that each process would have in another order."""
    refuse_sets(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --no-servers, leave out every test that needs a real server."""
    if config.getoption("--no-servers"):
        left_out = [item for item in items if _needs_server(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _needs_server(item: pytest.Item) -> bool:
    kinds = {str(kind) for kind in getattr(item, "callspec", _NO_KINDS).params.values()}
    return bool(SERVERS & set(getattr(item, "fixturenames", ())) or SERVER_KINDS & kinds)


@pytest.fixture(autouse=True)
def _clean_environ() -> Iterator[None]:
    """No test sees a setting of the developer's shell, and none leaves one behind."""
    before = dict(os.environ)
    for name in before:
        if name.upper() not in _KEPT and not name.upper().startswith(_KEPT_PREFIXES):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that only the test moves."""
    return FrozenClock()


@pytest.fixture
def table_name() -> str:
    """A table name no other test uses: letters and digits only, as Azure Tables wants it."""
    return f"t{secrets.token_hex(8)}"


@pytest.fixture(scope="session")
def azurite() -> Iterator[servers.Azurite]:
    """The real storage emulator, one for all tests; take your own table and queue names."""
    try:
        with servers.azurite() as server:
            yield server
    except paths.NotInstalled as missing:
        _without(missing)


@pytest.fixture(scope="session")
def anvil_server() -> Iterator[servers.Anvil]:
    """A real EVM node that mines each transaction at once, one for all tests."""
    try:
        with servers.anvil() as server:
            yield server
    except paths.NotInstalled as missing:
        _without(missing)


@pytest.fixture(scope="session")
def deployment(anvil_server: servers.Anvil) -> Deployment:
    """Token and Authority on the shared chain, the operator appointed, the reserve's approval given."""
    from devstack import contracts

    return contracts.deploy(anvil_server.url)


@pytest.fixture
def devchain(deployment: Deployment) -> Iterator[Devchain]:
    """The shared chain for one test: whatever it does to it is undone."""
    from devstack import contracts

    chain = contracts.Devchain(deployment)
    before = chain.snapshot()
    yield chain
    chain.revert(before)


def _without(missing: paths.NotInstalled) -> NoReturn:
    """A desk without Node may skip what needs it; the build may not."""
    if os.environ.get("CI"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))
