"""Call-backs over a real table and to a real HTTPS receiver, which is the example of the page."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import trustme
from aiohttp import web

from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.sender import CallBackTurn
from distributor.ledger import Ledger
from distributor.ledger.call_records import CallBack
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import HoldReason, OrderKey
from foundation.clock import UnixMs, system_clock
from foundation.outgoing.addresses import parse_networks
from foundation.outgoing.guard import Limits, OutgoingGuard
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, OPERATOR, an_order
from tests.fakes.alarms import ListAlarms
from tests.fakes.receiver import OURS
from tests.fakes.receiver_code import python_receiver
from tests.fakes.rows import ListAudit, UnsteadyRows
from tests.fakes.stores import KINDS, store

HOUR_MS = 3_600_000


@dataclass
class Site:
    """A shop's server: the example of the page behind TLS."""

    port: int = 0
    page: str = "en"
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    addresses: Sequence[str] = ("127.0.0.1",)
    resolved: int = 0
    knows: dict[str, str] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request that hangs may end."""

    async def serve(self, request: web.Request) -> web.Response:
        """Take a call-back as the page says."""
        if self.hangs:
            await self.over.wait()
        self.got.append(request.path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        event = python_receiver(self.page)(OURS, headers, await request.read())
        if event is None:
            return web.Response(status=401)
        if self.status == 204 and "order_id" in event["data"]:
            self.knows[event["data"]["order_id"]] = event["data"]["status"]
        return web.Response(status=self.status, headers=self.headers)

    async def resolve(self, _host: str, _port: int) -> Sequence[str]:
        """Answer as a name server would."""
        self.resolved += 1
        return self.addresses


@dataclass
class There:
    """A ledger, its shop, and the real way from one to the other."""

    ledger: Ledger
    site: Site
    tls: ssl.SSLContext
    inside: str = "127.0.0.0/8"
    ahead_ms: int = 0
    deadline_s: float = 15
    alarms: ListAlarms = field(default_factory=ListAlarms)

    def clock(self) -> UnixMs:
        """The time; a test may be ahead of it."""
        return UnixMs(system_clock() + self.ahead_ms)

    async def turn(self) -> None:
        """Do one turn, as the function does."""
        guard = OutgoingGuard(inside=parse_networks(self.inside), resolve=self.site.resolve, tls=self.tls)

        async def send(request: object, limits: Limits) -> object:
            return await guard.send(request, replace(limits, deadline_s=min(limits.deadline_s, self.deadline_s)))  # type: ignore[arg-type]

        receiver = Receiver(source="default", url=f"https://shop.example:{self.site.port}/ballx", secrets=[OURS])
        await CallBackTurn(
            ledger=self.ledger,
            receivers=lambda: {"default": receiver},
            fingerprints=SecretFingerprints(salt=self.ledger.shops.salt),
            posting=Posting(send=send, clock=system_clock),  # type: ignore[arg-type]
            alarms=self.alarms,
            clock=self.clock,
            holder="host-1",
        ).run()

    async def held(self, order_id: str) -> None:
        """Store an order and hold it."""
        order = (await self.ledger.insert(an_order(order_id))).order
        await self.ledger.hold(order, HoldReason.SIMULATION, "refused")

    async def call(self, order_id: str) -> CallBack:
        """Return the only call-back of an order."""
        (found,) = await self.ledger.call_backs.of_order(OrderKey("default", order_id), limit=10)
        return found


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[ssl.SSLContext]:
    """Serve *site* under the name ``shop.example``; give what trusts its certificate."""
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("shop.example").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    application = web.Application()
    application.router.add_route("POST", "/{path:.*}", site.serve)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls).start()
    site.port = runner.addresses[0][1]
    try:
        yield client_tls
    finally:
        site.over.set()
        await runner.cleanup()


@pytest.fixture(params=KINDS)
async def rows(request: pytest.FixtureRequest, table_name: str) -> AsyncIterator[MemoryRows | UnsteadyRows]:
    """An empty partition."""
    async with store(request, table_name) as found:
        yield found


@pytest.fixture
async def there(rows: MemoryRows | UnsteadyRows) -> AsyncIterator[There]:
    """A ledger that was initialised, and a shop with an address."""
    site = Site()
    async with served(site) as tls:
        there = There(Ledger(rows, ListAudit(), clock=system_clock), site, tls)
        await there.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
        yield there


@pytest.mark.parametrize("page", ["en", "pt"])
async def test_a_shop_that_copied_the_example_is_told_over_https(there: There, page: str) -> None:
    """The name's certificate, the pinned address, the signature, one row after the other."""
    there.site.page = page
    await there.held("ORD1")
    await there.turn()
    order = await there.ledger.order(OrderKey("default", "ORD1"))
    assert order is not None
    await there.ledger.admin.cancel(order, "ana", "refunded")
    await there.turn()
    await there.turn()

    assert there.site.knows == {"ORD1": "cancelled"}
    assert there.site.got == ["/ballx", "/ballx"]
    found = await there.ledger.call_backs.of_order(order.key, limit=10)
    assert [(str(each.status), str(each.state), each.answer) for each in found] == [
        ("held", "told", "HTTP 204"),
        ("cancelled", "told", "HTTP 204"),
    ]
    assert await there.ledger.call_backs.count_due("default", limit=10) == 0
    newest = await there.ledger.call_backs.newest("default", limit=10)
    assert [each.status for each in newest if isinstance(each, CallBack)] == ["cancelled", "held"]


async def test_a_receiver_that_redirects_is_not_followed(there: There) -> None:
    """To an inside address or to any other."""
    there.site.status, there.site.headers = 307, {"Location": f"https://shop.example:{there.site.port}/other"}
    await there.held("ORD1")
    await there.turn()

    assert there.site.got == ["/ballx"]
    assert (await there.call("ORD1")).answer == "HTTP 307: a redirect is not followed"


async def test_a_receiver_whose_name_resolves_inside_is_not_asked(there: There) -> None:
    """One inside address among public ones is enough; the shop's row says no address."""
    there.site.addresses = ["93.184.216.34", "10.0.0.7"]
    await there.held("ORD1")
    await there.turn()

    assert there.site.got == []
    call = await there.call("ORD1")
    assert call.answer == "not allowed"
    assert "10.0" not in repr(call)


async def test_this_machine_is_not_told_unless_the_operator_lists_it(there: There) -> None:
    """No list, no inside address."""
    there.inside = ""
    await there.held("ORD1")
    await there.turn()

    assert (there.site.got, (await there.call("ORD1")).answer) == ([], "not allowed")


async def test_a_receiver_that_hangs_is_left(there: There) -> None:
    """At the deadline of the attempt; when it answers again, it is told."""
    there.site.hangs, there.deadline_s = True, 0.3
    await there.held("ORD1")
    await there.turn()
    assert (await there.call("ORD1")).answer == "no answer within 0.3 s"

    there.site.hangs, there.deadline_s, there.ahead_ms = False, 15, HOUR_MS
    await there.turn()

    assert there.site.knows == {"ORD1": "held"}
