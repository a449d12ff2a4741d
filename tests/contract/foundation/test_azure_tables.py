"""Azure Tables on a bad day: a proxy before the real storage emulator spoils single answers on the wire."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import ClientSession, web
from azure.data.tables import EdmType
from yarl import URL

from devstack.servers import Azurite
from distributor.ledger import Ledger
from distributor.model import OrderStatus, TransactionStatus
from foundation.clock import UnixMs, system_clock
from foundation.errors import ConfigurationError, InvariantBroken, StoreUnavailable
from foundation.settings.storage import Credential, Storage
from foundation.tablestore import azure_tables
from foundation.tablestore.azure_tables import Tables, connect_tables
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import DeleteRow, InsertRow, OutcomeUnknown, ReplaceRow, Value, Version
from foundation.tablestore.service_clock import ServiceClock
from tests.factories import IDENTITY, NOW_MS, OPERATOR, an_attempt, an_order
from tests.fakes.bench import Bench, a_closing, bind, binding
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit, UnsteadyRows

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
FAULTS = [f"{trouble}, {done}" for trouble in ("busy", "cut", "silent") for done in ("done", "not done")]
SILENCE_S = 0.5


@dataclass
class Proxy:
    """Passes requests on to the emulator; each fault in line spoils the answer to one group."""

    upstream: str
    busy_for_s: int = 0
    """When set, every request is answered with 503 and this as ``Retry-After``."""
    faults: list[str] = field(default_factory=list)
    groups: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, unless the fault in line says otherwise."""
        body, fault = await request.read(), ""
        if self.busy_for_s:
            return web.Response(status=503, headers={"Retry-After": str(self.busy_for_s)})
        if request.path.endswith("/$batch"):
            self.groups += 1
            fault = self.faults.pop(0) if self.faults else ""
        answer = web.Response(status=503) if "not done" in fault else await self._forward(request, body)
        if fault.startswith("cut"):
            assert request.transport is not None
            request.transport.close()
        if fault.startswith("silent"):
            await asyncio.sleep(SILENCE_S)
        if fault == "nonsense":
            return web.Response(status=202, text="<html>")
        return web.Response(status=503) if fault else answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                URL(self.upstream + request.raw_path, encoded=True),  # the signature is over the path as it was sent
                data=body or None,
                headers=headers,
                skip_auto_headers=["Content-Type"],
            ) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


@pytest.fixture
def proxy(azurite: Azurite) -> Proxy:
    """A proxy that is still honest."""
    return Proxy(upstream=f"http://127.0.0.1:{azurite.table_port}")


@pytest.fixture
async def store(
    azurite: Azurite, proxy: Proxy, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Tables]:
    """Real tables behind the proxy, whose client waits no longer than a test may last."""
    monkeypatch.setattr(azure_tables, "READ_TIMEOUT_S", SILENCE_S / 2)
    monkeypatch.setattr(azure_tables, "RESEND_PAUSE_S", 0.01)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    account = azurite.connection_string.replace(f":{azurite.table_port}/", f":{port}/")
    connected = connect_tables(
        Storage(connection_string=account), partition="137", table=table_name, audit_table=f"{table_name}a"
    )
    await connected.ensure()
    yield connected
    await connected.aclose()
    await runner.cleanup()


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_order_goes_its_way_once_whatever_answer_is_spoiled(store: Tables, proxy: Proxy, fault: str) -> None:
    """Each group of an order's life meets the fault; in the end the rows are those of a good day."""
    clock, calm = FrozenClock(NOW_MS), MemoryRows()
    ends = []
    for rows, faults in ((calm, []), (UnsteadyRows(store.rows), [fault])):
        bench = Bench(ledger=Ledger(rows, ListAudit(), clock=clock), rows=rows, audit=ListAudit(), clock=clock)

        def spoil(faults: list[str] = faults) -> None:
            proxy.faults[:] = faults

        spoil()
        assert await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
        spoil()
        inserted = await bench.ledger.insert(an_order())
        assert inserted.new
        binding_state = await bench.binding_state()
        spoil()
        _, bound = await bind(bench.ledger, binding_state, [inserted.order], *binding(7, [inserted.order]))
        spoil()
        bound = await bench.ledger.update(replace(bound, status=TransactionStatus.SUBMITTED))
        spoil()
        bound = await bench.ledger.add_attempt(bound, an_attempt(1))
        spoil()
        await bench.ledger.close(bound, a_closing("ORD1"))
        assert (await bench.order("ORD1")).status is OrderStatus.PAID
        ends.append(await bench.values())

    assert ends[0] == ends[1]
    assert proxy.faults == []


async def test_the_librarys_own_second_sending_is_known_as_our_success(store: Tables, proxy: Proxy) -> None:
    """It met a 503 after the group was done, sent again, and calls the result a conflict."""
    proxy.faults[:] = ["busy, done"]

    inserted = await Ledger(store.rows, store.audit, clock=FrozenClock(NOW_MS)).insert(an_order())

    assert inserted.new
    assert proxy.groups == 2


async def test_a_service_that_stays_busy_is_no_answer(store: Tables, proxy: Proxy) -> None:
    """Neither done nor not done is claimed."""
    proxy.faults[:] = ["busy, not done"] * (1 + azure_tables.RESENDS_MAX)

    with pytest.raises(OutcomeUnknown, match="503"):
        await store.rows.commit([InsertRow(key="a", values={})])


async def test_nonsense_in_place_of_an_answer_is_no_answer(store: Tables, proxy: Proxy) -> None:
    """A gateway that says 202 to everything has not stored a row for all we know, nor refused one."""
    proxy.faults[:] = ["nonsense"]

    with pytest.raises(OutcomeUnknown, match="no usable answer"):
        await store.rows.commit([InsertRow(key="a", values={})])


async def test_a_row_is_stored_as_the_client_library_stores_it(store: Tables) -> None:
    """Every kind of value, in a key that an address must quote; what one wrote the other reads, and replaces."""
    key = "order:it's:100% é"
    values: dict[str, Value] = {"text": "é\r\n€", "number": -(2**53), "flag": False, "bytes": bytes(range(256))}
    theirs = store.service.get_table_client(store.names[0])
    library = {**values, "number": (values["number"], EdmType.INT64)}
    await theirs.submit_transaction([("create", {"PartitionKey": "library", "RowKey": key, **library})])
    await store.rows.commit([InsertRow(key=key, values=values)])

    ours, known = await store.rows.get(key), await store.rows_of("library").get(key)

    assert ours is not None
    assert known is not None
    assert ours.values == known.values == values
    await store.rows_of("library").commit([ReplaceRow(key=key, values={"flag": True}, version=known.version)])
    assert (await theirs.get_entity("library", key))["flag"] is True
    await store.rows_of("library").commit([DeleteRow(key=key)])
    assert await store.rows_of("library").get(key) is None


async def test_no_peer_decides_how_long_we_wait(
    store: Tables, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A busy service says "again in 45 s", and the client library would obey: every call ends by our own deadline."""
    monkeypatch.setattr(azure_tables, "CALL_S_MAX", 0.3)
    proxy.busy_for_s = 45
    begun = time.monotonic()

    with pytest.raises(StoreUnavailable, match=r"within 0\.3 s"):
        await store.rows.get("identity")
    with pytest.raises(StoreUnavailable):
        await store.rows.scan("a", "b", limit=1)
    with pytest.raises(OutcomeUnknown):
        await store.rows.commit([InsertRow(key="a", values={})])
    with pytest.raises(StoreUnavailable):
        await store.ensure()
    await store.audit.record("operator:0xA", {})

    assert "audit_not_written" in caplog.text
    assert time.monotonic() - begun < 5


async def test_partitions_share_a_connection_and_no_row(store: Tables) -> None:
    """A company is a partition of its own; its audit trail too."""
    await store.rows.commit([InsertRow(key="a", values={"n": 1})])
    other = store.rows_of("company-1")
    await other.commit([InsertRow(key="a", values={"n": 2})])
    await store.audit_of("company-1").record("connected", {"by": "ana"})

    mine, theirs = await store.rows.get("a"), await other.get("a")
    assert mine is not None
    assert theirs is not None
    assert (mine.values["n"], theirs.values["n"]) == (1, 2)
    entry = await store.service.get_table_client(store.names[1]).get_entity("company-1", "connected")
    assert entry["by"] == "ana"


async def test_an_account_that_is_not_there_is_unavailable() -> None:
    """Reading says so; writing says that the outcome is unknown."""
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/a;"
    store = connect_tables(Storage(connection_string=nowhere), partition="137")

    with pytest.raises(StoreUnavailable):
        await store.rows.get("identity")
    with pytest.raises(StoreUnavailable):
        await store.rows.scan("a", "b", limit=1)
    with pytest.raises(StoreUnavailable):
        await store.ensure()
    with pytest.raises(OutcomeUnknown):
        await store.rows.commit([InsertRow(key="a", values={})])
    await store.aclose()


async def test_a_wrong_key_is_a_setting_to_correct(azurite: Azurite, table_name: str) -> None:
    """Not a ledger that comes back by itself; the key is not repeated."""
    account = azurite.connection_string.replace("AccountKey=Eby8", "AccountKey=AAAA")
    store = connect_tables(Storage(connection_string=account), partition="137", table=table_name)

    for call in (store.rows.get("a"), store.rows.commit([InsertRow(key="a", values={})]), store.ensure()):
        with pytest.raises(ConfigurationError, match="refuses this service's sign-in") as refused:
            await call
        assert "AAAA" not in str(refused.value)
    await store.aclose()


async def test_a_missing_table_is_named_with_its_cure(azurite: Azurite, table_name: str) -> None:
    """An emptied account is not an empty ledger."""
    store = connect_tables(Storage(connection_string=azurite.connection_string), partition="137", table=table_name)

    insert = InsertRow(key="a", values={})
    for call in (store.rows.get("a"), store.rows.scan("a", "b", limit=1), store.rows.commit([insert])):
        with pytest.raises(ConfigurationError, match="does not exist: init makes a new one"):
            await call
    await store.aclose()


async def test_tables_are_made_once(store: Tables) -> None:
    """Making sure again keeps what is in them."""
    await store.rows.commit([InsertRow(key="a", values={"n": 1})])
    await store.ensure()

    kept = await store.rows.get("a")
    assert kept is not None
    assert kept.values == {"n": 1}


async def test_two_chains_share_a_table_and_no_row(azurite: Azurite, store: Tables, table_name: str) -> None:
    """The partition is the chain."""
    await store.rows.commit([InsertRow(key="a", values={"n": 1})])
    other = connect_tables(Storage(connection_string=azurite.connection_string), partition="80002", table=table_name)

    assert await other.rows.get("a") is None
    assert await other.rows.scan("!", "~", limit=9) == []
    await other.aclose()


async def test_an_audit_entry_is_written_once(store: Tables, caplog: pytest.LogCaptureFixture) -> None:
    """The first is kept; a repetition is only logged."""
    caplog.set_level(logging.INFO)
    await store.audit.record("operator:0xA", {"who": "ana", "nonce": 2**40})
    await store.audit.record("operator:0xA", {"who": "eve"})

    entry = await store.service.get_table_client(store.names[1]).get_entity("137", "operator:0xA")
    assert (entry["who"], entry["nonce"].value) == ("ana", 2**40)
    assert [json.loads(record.message)["event"] for record in caplog.records if "audit" in record.message] == [
        "audit_repeated"
    ]


async def test_an_audit_trail_that_is_down_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is best effort: a warning in the log."""
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/a;"
    store = connect_tables(Storage(connection_string=nowhere), partition="137")

    await store.audit.record("operator:0xA", {})

    assert "audit_not_written" in caplog.text
    await store.aclose()


@pytest.mark.parametrize("wrong", ["AccountName=a;Colour=crimson", "", "nonsense"])
def test_a_connection_string_that_is_none_is_refused_unrepeated(wrong: str) -> None:
    """At once, before anything is asked of it."""
    with pytest.raises(ConfigurationError, match="cannot be used") as refused:
        connect_tables(Storage(connection_string=wrong), partition="137")
    assert "crimson" not in str(refused.value)


@pytest.mark.parametrize("credential", ["managedidentity", "default"])
async def test_an_identity_signs_in_where_there_is_no_connection_string(credential: Credential) -> None:
    """Its credential is closed with the tables."""
    endpoint = "https://account.table.core.windows.net"
    store = connect_tables(Storage(table_endpoint=endpoint, credential=credential, client_id="id-1"), partition="137")

    assert store.credential is not None
    assert store.service.url.startswith(endpoint)
    await store.aclose()


def test_the_identity_library_is_not_imported_for_a_connection_string() -> None:
    """It would cost every cold start of the webhook."""
    program = (
        "import sys; from foundation.settings.storage import Storage;"
        "from foundation.tablestore.azure_tables import connect_tables;"
        "connect_tables(Storage(connection_string='UseDevelopmentStorage=true'), partition='137');"
        "print([name for name in sys.modules if name.startswith(('azure.identity', 'msal', 'web3'))])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


async def test_a_request_the_service_calls_malformed_is_a_bug(store: Tables) -> None:
    """A version that never came from it, say: not done, and no conflict either."""
    await store.rows.commit([InsertRow(key="a", values={})])

    with pytest.raises(InvariantBroken, match="malformed"):
        await store.rows.commit([ReplaceRow(key="a", values={}, version=Version("v1"))])


async def test_each_answer_of_the_service_shows_how_wrong_our_clock_is(azurite: Azurite, table_name: str) -> None:
    """The real emulator says its time; a machine an hour ahead of it learns that from its first read or write."""
    service_clock = ServiceClock(lambda: UnixMs(system_clock() + 3_600_000))
    account = Storage(connection_string=azurite.connection_string)
    store = connect_tables(account, partition="137", table=table_name, service_clock=service_clock)
    await store.ensure()
    service_clock.ahead_ms = None
    await store.rows.commit([InsertRow(key="row", values={"text": "x"})])
    assert service_clock.ahead_ms is not None
    assert abs(service_clock.ahead_ms - 3_600_000) < 60_000
    await store.aclose()
