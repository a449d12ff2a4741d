from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from devstack.contracts import Deployment, Devchain
from distributor.chain.rpc import Nonces, Rpc
from tests.factories import an_address


@asynccontextmanager
async def node(text: str, status: int = 200) -> AsyncIterator[str]:
    """A node that gives one answer to everything."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status, headers={"Location": "http://127.0.0.1:1"})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(*urls: str) -> AsyncIterator[Rpc]:
    """Ask these nodes, and close in the end."""
    rpc = Rpc(urls, timeout_s=2)
    try:
        yield rpc
    finally:
        await rpc.aclose()


async def test_a_node_says_where_it_is_and_where_an_operator_is(deployment: Deployment, devchain: Devchain) -> None:
    """Chain, newest block, and transactions in blocks and in the pool."""
    async with asking(deployment.url) as rpc:
        before = (await rpc.heads())[0]
        devchain.mine(2)
        after = (await rpc.heads())[0]
        nonces = await rpc.nonces(deployment.operator)

    assert (before.chain_id, after.number - before.number) == (deployment.chain_id, 2)
    assert nonces == [Nonces(*[devchain.nonce_of(deployment.operator)] * 2)]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 200),
        ("<html>busy</html>", 503),
        ("\udcff".encode("utf-8", "surrogatepass").decode("latin-1"), 200),
        ("[]", 200),
        ('{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"busy"}}', 200),
        ('{"jsonrpc":"2.0","id":1,"result":null}', 200),
        ('{"jsonrpc":"2.0","id":1,"result":"many"}', 200),
        ('{"jsonrpc":"2.0","id":1,"result":137}', 200),
        ("", 307),
    ],
)
async def test_an_answer_that_is_none_says_nothing(text: str, status: int) -> None:
    """It is left out, like silence; it is never a zero."""
    async with node(text, status) as url, asking(url, "http://127.0.0.1:1") as rpc:
        assert (await rpc.heads(), await rpc.nonces(an_address("operator"))) == ([], [])


async def test_a_good_node_beside_bad_ones_is_heard(deployment: Deployment) -> None:
    """They are asked side by side; each answers for itself."""
    async with node("busy") as url, asking(url, deployment.url) as rpc:
        assert [(head.chain_id, head.place) for head in await rpc.heads()] == [(deployment.chain_id, 1)]
