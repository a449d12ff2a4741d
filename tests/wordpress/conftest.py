"""A shop and a distributor on one machine: real WordPress, real functions host, real storage, real chain."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from devstack import paths, runs, stack
from devstack.console import Console
from devstack.contracts import Devchain
from devstack.runs import Run
from devstack.servers import Azurite
from devstack.stack import MASTER_KEY, FunctionsHost, Services
from devstack.wordpress import database as wordpress_database
from devstack.wordpress import parts as wordpress_parts
from devstack.wordpress import site as wordpress_site
from devstack.wordpress.database import Database
from devstack.wordpress.parts import Parts
from devstack.wordpress.shop import Shop
from tests.wordpress.admin import Administrator

STAND_IN = Path(__file__).parent / "woocommerce-stand-in.php"


class Distributor:
    """The functions host, which a test may end and start again at the same address."""

    def __init__(self, run: Run, services: Services) -> None:
        self.services = services
        self.chain = Devchain(services.deployment)
        self._run = run
        self._port = stack.free_port()
        self._running = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/webhook"

    @property
    def secret(self) -> str:
        return self.services.settings["WEBHOOK_SECRET"]

    def start(self) -> FunctionsHost:
        host = stack.functions_host(self._run, self.services.settings, "ours", self._port)
        return self._running.enter_context(host)

    def stop(self) -> None:
        self._running.close()

    def sweep(self) -> None:
        """Let the sweep run now: a distributor that never swept is not ready."""
        address = self.url.replace("/webhook", "/admin/functions/sweep")
        headers = {"x-functions-key": MASTER_KEY, "Content-Type": "application/json"}
        with urlopen(Request(address, b'{"input": ""}', headers), timeout=30):  # noqa: S310 -- loopback
            pass


@pytest.fixture(scope="session")
def parts() -> Parts:
    """WordPress, PHP and MariaDB; downloaded at the first use."""
    try:
        return wordpress_parts.prepare()
    except paths.NotInstalled as missing:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(str(missing))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Where this suite's processes and logs are kept."""
    with runs.begin(tmp_path_factory.mktemp("runs")) as begun:
        yield begun


@pytest.fixture(scope="session")
def database(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One MariaDB for all sites."""
    with wordpress_database.database(parts, tmp_path_factory.mktemp("mariadb")) as started:
        yield started


@pytest.fixture(scope="session")
def distributor(run: Run, azurite: Azurite) -> Iterator[Distributor]:  # noqa: ARG001 -- skips where there is no Node
    """Storage, chain and the functions host for this suite."""
    with stack.services(Console(io.StringIO()), run, fixed_ports=False) as services:
        started = Distributor(run, services)
        started.start()
        yield started
        started.stop()


@pytest.fixture(scope="session")
def installed_shop(parts: Parts, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One WordPress for all tests, the plugin active and not configured."""
    folder = tmp_path_factory.mktemp("shop")
    with wordpress_site.site(parts, database, folder, additions=[STAND_IN]) as site:
        yield Shop(site=site)


@pytest.fixture
def shop(installed_shop: Shop, distributor: Distributor) -> Iterator[Shop]:
    """The shop, nothing placed yet, with its distributor's address, secret and key; our code raises no PHP notice."""
    installed_shop.set(
        {
            "ballx_webhook_url": distributor.url,
            "ballx_webhook_secret": distributor.secret,
        }
    )
    yield installed_shop
    installed_shop.forget()
    ours = [line for line in installed_shop.site.debug_log.splitlines() if "/ballx-distributor/" in line]
    assert ours == []


@pytest.fixture
def administrator(installed_shop: Shop) -> Iterator[Administrator]:
    """The shop's owner, logged in."""
    with Administrator(installed_shop.site.url, installed_shop.site.password) as logged_in:
        yield logged_in
