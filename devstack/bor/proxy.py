"""
A JSON-RPC proxy that makes anvil behave like a Polygon node, and lets the wire misbehave.

In a test: ``async with bor_proxy(anvil_url) as proxy: proxy.url``. As a process of its own:
``python -m devstack.bor.proxy --upstream http://127.0.0.1:8545 --port 8546``.

Both are directed at run time: in process by ``proxy.script``, ``proxy.node.finality`` and
``proxy.node.pool``; from outside by JSON-RPC methods, which no fault strikes:

=====================  ===================================================  =======================
``proxy_setFaults``    ``[{"kind": "delay", "after_s": 1, "times": 3}, …]``  the rules that stand now
``proxy_setFinality``  ``{"missing": true}``, ``{"stalled_at": 7}``, ``{}``  the finalized tag
``proxy_setRules``     ``{"crowded": false, "puts_back": false}``            the pool's rules
``proxy_status``                                                           what is held, dropped, struck
=====================  ===================================================  =======================
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from devstack.bor.faults import LOSING, REFUSING, Fault, Kind, Script, parse
from devstack.bor.node import Node, Upstream
from devstack.bor.offer import Refused
from devstack.bor.rules import Rules
from devstack.bor.view import Finality

MAX_BATCH_ITEMS = 100
"""Source: Bor, rpc.batchlimit, and geth, rpc/handler.go ``respondWithBatchTooLarge``."""
SETTLE_EVERY_S = 0.5
"""How often a proxy that runs alone looks at the chain when nobody asks it anything."""
UPSTREAM_TIMEOUT_S = 30.0
NODE_GONE = (ClientError, TimeoutError, Refused)
"""How asking the node behind can fail: it is down, or cannot say what the pool must know."""

_INVALID_REQUEST, _INVALID_PARAMS, _PARSE_ERROR = -32600, -32602, -32700
_NO_LINGER = struct.pack("ii", 1, 0)
_WELCOME = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>Welcome</body></html>"

Item = dict[str, Any]
Lie = Callable[[str, list[Any], Any], Any]
"""What a node says instead, from a method, its parameters, and the true result."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A connection that ends without an answer."""

    reset: bool = False


class BorProxy:
    """One Polygon node behind a wire that may misbehave."""

    def __init__(self, node: Node, *, seed: int = 0) -> None:
        self.node = node
        self.script = Script(seed)
        self.url = ""
        self.calls: Counter[str] = Counter()
        """How often each method reached the node, faults counted as they struck."""
        self.lie: Lie | None = None
        """In process only: what this node says instead of the truth."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        body = await request.read()
        try:
            said = json.loads(body)
        except ValueError:
            return web.json_response(_item(None, {"error": {"code": _PARSE_ERROR, "message": "parse error"}}))
        calls = said if isinstance(said, list) else [said]
        methods = [str(call.get("method")) for call in calls if isinstance(call, dict)]
        if methods and all(method.startswith("proxy_") for method in methods):
            answers = [_item(call.get("id"), self._control(call)) for call in calls]
            return web.json_response(answers if isinstance(said, list) else answers[0])
        try:
            outcome = await self._served(calls, self.script.strike(methods), batch=isinstance(said, list))
        except NODE_GONE as error:
            return web.Response(status=502, text=f"upstream: {type(error).__name__}")
        return _hung_up(request, reset=outcome.reset) if isinstance(outcome, _Ended) else outcome

    async def mine(self, blocks: int = 1) -> None:
        """Make blocks; each holds what pays enough."""
        await self.node.mine(blocks)

    # the wire ----------------------------------------------------------------------------------

    async def _served(
        self, calls: Sequence[Any], faults: Sequence[Fault], *, batch: bool
    ) -> web.StreamResponse | _Ended:
        """Let *faults* strike on the way to the node, at the node, and on the way back."""
        delay_s = sum(fault.after_s for fault in faults if fault.kind is Kind.DELAY)
        await asyncio.sleep(delay_s)
        refusing = next((fault for fault in faults if fault.kind in REFUSING), None)
        if refusing is not None:
            return await _refusal(refusing)
        answers = await self._answers(calls, faults)
        text = json.dumps(answers if batch else answers[0])
        losing = next((fault for fault in faults if fault.kind in LOSING), None)
        if losing is None:
            return web.json_response(text=text)
        if losing.kind is Kind.TRUNCATED:
            return web.json_response(text=text[: len(text) // 2])
        await asyncio.sleep(losing.after_s)
        return _Ended()

    async def _answers(self, calls: Sequence[Any], faults: Sequence[Fault]) -> list[Item]:
        """Do the calls one after the other."""
        if len(calls) > MAX_BATCH_ITEMS:
            return [_item(calls[0].get("id"), _error(_INVALID_REQUEST, "batch too large"))]
        if not calls:
            return [_item(None, _error(_INVALID_REQUEST, "empty batch"))]
        kinds = {fault.kind for fault in faults}
        behind = max((fault.blocks for fault in faults if fault.kind is Kind.STALE), default=0)
        order = list(calls)[::-1] if Kind.REORDER in kinds else list(calls)
        await self.node.settle()
        return [await self._answer(call, behind) for call in (order * 2 if Kind.DUPLICATE in kinds else order)]

    async def _answer(self, call: Any, behind: int) -> Item:
        match call:
            case {"method": str(method)}:
                self.calls[method] += 1
                params = list(call.get("params") or [])
                answer = await self.node.answer((method, params), behind=behind)
                if self.lie is not None and "result" in answer:
                    answer = {"result": self.lie(method, params, answer["result"])}
                return _item(call.get("id"), answer)
            case _:
                return _item(None, _error(_INVALID_REQUEST, "invalid request"))

    # what it is set to do ---------------------------------------------------------------------------

    def _control(self, call: Item) -> Item:
        try:
            return {"result": self._told(call["method"], call.get("params") or [])}
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            return _error(_INVALID_PARAMS, f"{call['method']}: {error}")

    def _told(self, method: str, params: Sequence[Any]) -> Any:
        match method:
            case "proxy_setFaults":
                self.script.set(*(parse(written) for written in params[0]))
            case "proxy_setFinality":
                self.node.finality = Finality(**params[0])
            case "proxy_setRules":
                self.node.pool.rules = replace(self.node.pool.rules, **params[0])
            case "proxy_status":
                pool = self.node.pool
                held = [offer.tx_hash for offer in pool]
                return {"held": held, "dropped": pool.dropped, "struck": self.script.struck, "calls": self.calls}
            case _:
                raise ValueError("no such method")
        return None


@asynccontextmanager
async def bor_proxy(
    upstream_url: str, *, port: int = 0, rules: Rules | None = None, seed: int = 0
) -> AsyncIterator[BorProxy]:
    """Serve a proxy in front of the anvil at *upstream_url* on loopback until the block ends; *port* 0: a free one."""
    async with ClientSession(timeout=ClientTimeout(total=UPSTREAM_TIMEOUT_S), raise_for_status=True) as session:
        upstream = Upstream(upstream_url, session)
        chain_id = int(await upstream.call("eth_chainId"), 16)
        proxy = BorProxy(Node(upstream, chain_id, rules or Rules()), seed=seed)
        app = web.Application(client_max_size=0)
        app.router.add_post("/{tail:.*}", proxy.handle)
        # No cancellation: a request that was delayed reaches the node even when its client has given up.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield proxy
        finally:
            await runner.cleanup()


async def _refusal(fault: Fault) -> web.StreamResponse | _Ended:
    """Return what comes back of a request that the node never sees."""
    await asyncio.sleep(fault.after_s)
    match fault.kind:
        case Kind.RATE_LIMITED:
            return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": "1"})
        case Kind.SERVER_ERROR:
            return web.Response(status=fault.status, text="upstream connect error")
        case Kind.HTML:
            return web.Response(text=_WELCOME, content_type="text/html")
        case _:
            return _Ended(reset=fault.kind is Kind.RESET)


def _hung_up(request: web.Request, *, reset: bool) -> web.StreamResponse:
    """End the connection under the answer: as a router does (reset), or as a server that is going away."""
    transport = request.transport
    if transport is None:
        return web.Response()  # the client did not wait for it
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    return web.Response()


def _item(call_id: object, answer: Item) -> Item:
    kept: Item = {name: answer[name] for name in ("result", "error") if name in answer}
    return {"jsonrpc": "2.0", "id": call_id, **kept}


def _error(code: int, message: str) -> Item:
    return {"error": {"code": code, "message": message}}


async def _serve(upstream_url: str, port: int) -> None:
    async with bor_proxy(upstream_url, port=port) as proxy:
        print(f"Listening on {proxy.url}", flush=True)
        while True:
            with suppress(*NODE_GONE):  # down for now: the next look finds it again
                await proxy.node.settle()
            await asyncio.sleep(SETTLE_EVERY_S)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m devstack.bor.proxy", description="anvil, as a Polygon node.")
    parser.add_argument("--upstream", required=True, help="URL of the anvil behind it")
    parser.add_argument("--port", type=int, default=0, help="a free one when 0")
    chosen = parser.parse_args()
    asyncio.run(_serve(chosen.upstream, chosen.port))


if __name__ == "__main__":
    main()
