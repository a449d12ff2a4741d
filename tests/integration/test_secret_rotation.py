"""A secret is rotated in the vault while orders come; the real host, real clients of Azure, nothing restarted."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from devstack.servers import Azurite
from tests.integration.hosted import Hosted
from tests.integration.shop_front import an_order, front
from tests.integration.tunnel import tunnel
from tests.integration.vault import HOST, URL, Vault, peers

OLD, NEW = "the secret of the shop until today", "the secret of the shop from now on"
THEIRS = "the secret of the second shop here"
ORDERS_PER_S = 50
CONNECTIONS = 100


@dataclass
class Shop:
    """A shop that sends fifty orders a second, whatever comes back, signed with the secret it was given."""

    url: str
    client: aiohttp.ClientSession
    secret: str = OLD
    statuses: list[int] = field(default_factory=list)
    _sent: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def sell(self, secret: str) -> int:
        """Send one new order and return the answer's status."""
        self._sent += 1
        body = an_order(f"R-{self._sent}")
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "X-WP-Signature": signature}
        async with self.client.post(f"{self.url}/webhook", data=body, headers=headers) as reply:
            await reply.read()
            return reply.status

    @asynccontextmanager
    async def sells(self) -> AsyncIterator[None]:
        """Send orders until the block ends, and wait for the answers to all of them."""
        selling = asyncio.create_task(self._sell_on())
        try:
            yield
        finally:
            selling.cancel()
            await asyncio.wait({selling, *self._open})

    async def change_to(self, secret: str) -> None:
        """Sign with *secret* from now on, and wait for the answers to what was signed before."""
        self.secret = secret
        await asyncio.wait(set(self._open))

    async def _sell_on(self) -> None:
        """Send orders at their times, whatever the answers take, until as many are open as a shop has connections."""
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            task = asyncio.create_task(self._sell_and_note(self.secret))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            if len(self._open) == CONNECTIONS:
                await asyncio.wait(self._open, return_when=asyncio.FIRST_COMPLETED)
            due_s += 1 / ORDERS_PER_S
            await asyncio.sleep(max(0.0, due_s - clock()))

    async def _sell_and_note(self, secret: str) -> None:
        self.statuses.append(await self.sell(secret))


@dataclass(frozen=True)
class Town:
    """The vault, the host that reads it, and the shop."""

    vault: Vault
    host: Hosted
    shop: Shop

    async def hears(self, event: str, *, times: int = 1) -> None:
        """Wait until the host's log has *event* as often."""
        await _until(lambda: self.host.log.count(f'"event": "{event}"') >= times, event)

    async def orders(self, count: int) -> None:
        """Wait until the shop has got as many more answers."""
        wanted = len(self.shop.statuses) + count
        await _until(lambda: len(self.shop.statuses) >= wanted, f"{wanted} answers")

    async def ready(self) -> Mapping[str, object]:
        async with self.shop.client.get(f"{self.shop.url}/ready") as reply:
            found: Mapping[str, object] = json.loads(await reply.read())
            return found


async def _until(seen: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if seen():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{what}: not seen in half a minute")


@pytest.fixture
async def town(azurite: Azurite, table_name: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A host whose webhook secrets are in a vault, read by name every half second; a second shop is only named."""
    authority = tmp_path / "authority.pem"
    async with AsyncExitStack() as stack:
        azure = await stack.enter_async_context(peers())
        azure.vault.secrets["WEBHOOK-SECRET"] = {"v1": OLD}
        azure.authority.cert_pem.write_to_path(str(authority))
        settings = {
            **azure.environ,
            "HTTPS_PROXY": await stack.enter_async_context(tunnel(HOST, azure.port)),
            "SSL_CERT_FILE": str(authority),
            "KEYVAULT_URI": URL,
            "BALLX_USE_KV": "1",
            "SECRETS_REFRESH_S": "0.5",
            "WEBHOOK_SECRET": "",
            "WEBHOOK_SECRET__SHOP_B": "",
            "OPERATOR_PK": "11" * 32,
        }
        with ExitStack() as processes:
            running = front(azurite, table_name, tmp_path, settings)
            host = await asyncio.to_thread(processes.enter_context, running)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            yield Town(azure.vault, host, Shop(host.url, client))


async def test_a_secret_is_rotated_while_fifty_orders_a_second_come(town: Town) -> None:
    """No order is refused, the vault may fail in between, and the old secret stops when it is taken away."""
    vault, shop = town.vault, town.shop
    vault.secrets["WEBHOOK-SECRET--SHOP-B"] = {"v1": THEIRS}
    async with shop.sells():
        await town.orders(ORDERS_PER_S)

        # Given a vault that does not tell, the last good secret goes on.
        vault.refusals["WEBHOOK-SECRET"] = (403, "ForbiddenByFirewall")
        await town.hears("secret_kept")
        vault.refusals.clear()

        # When the old secret is stored as the previous one, and a new one as the current,
        vault.secrets["WEBHOOK-SECRET-PREVIOUS"] = {"v1": OLD}
        vault.secrets["WEBHOOK-SECRET"]["v2"] = NEW
        await town.orders(ORDERS_PER_S)
        await town.hears("secret_renewed", times=2)

        # then both count, and the shop changes over when it likes,
        assert (await shop.sell(OLD), await shop.sell(NEW)) == (202, 202)
        await shop.change_to(NEW)
        await town.orders(ORDERS_PER_S)

        # and the old one ends without a restart once nothing comes that it signed.
        vault.refusals["WEBHOOK-SECRET-PREVIOUS"] = (403, "SecretDisabled")
        await town.hears("secret_withdrawn")
        await town.orders(ORDERS_PER_S)

    assert Counter(shop.statuses) == {202: len(shop.statuses)}
    assert (await shop.sell(OLD), await shop.sell(NEW), await shop.sell(THEIRS)) == (401, 202, 202)
    assert town.host.log.count('"secret": "previous"') > 0
    assert not [secret for secret in (OLD, NEW, THEIRS) if secret in town.host.log]


async def test_a_service_whose_only_secret_was_withdrawn_is_not_configured(town: Town) -> None:
    """503, so that the shop sends again; /ready names the setting; a new secret in the vault is enough."""
    before = await town.shop.sell(OLD)

    del town.vault.secrets["WEBHOOK-SECRET"]
    await town.hears("secret_withdrawn")
    withdrawn, named = await town.shop.sell(OLD), (await town.ready())["settings"]
    town.vault.secrets["WEBHOOK-SECRET"] = {"v2": NEW}
    await town.hears("secret_renewed")

    assert (before, withdrawn, named) == (202, 503, ["WEBHOOK_SECRET"])
    assert (await town.shop.sell(OLD), await town.shop.sell(NEW)) == (401, 202)
