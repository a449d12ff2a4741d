"""
The node behind the proxy: anvil for blocks and state, a Polygon pool for what waits to be mined.

The pool holds every transaction. anvil gets one only while a producer would take it: in the order
of its account's nonces, its tip at least the floor over the next base fee. It is taken from anvil
again when the base fee rises, and handed over anew when a block was lost, so anvil's own kinder
rules never decide.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from aiohttp import ClientSession

from devstack.bor.offer import Refused, read
from devstack.bor.rules import Place, Pool, Rules
from devstack.bor.view import Call, Finality, as_of, known_at

REFUSED_CODE = -32000
"""Code of every error a node's own functions return without one. Source: geth, rpc/errors.go defaultErrorCode."""
INVALID_PARAMS = -32602
NO_HEX = "invalid argument 0: json: cannot unmarshal invalid hex string into Go value of type hexutil.Bytes"
"""Source: geth, common/hexutil/json.go"""
NO_FINALIZED_BLOCK = "finalized block not found"
"""Source: https://github.com/0xPolygon/bor/blob/develop/eth/api_backend.go"""

_log = logging.getLogger(__name__)


class Upstream:
    """anvil, asked in plain JSON-RPC."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url, self._session = url, session

    async def ask(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """Return the answers to *calls* in their order, errors included."""
        batch = [
            {"jsonrpc": "2.0", "id": at, "method": method, "params": params}
            for at, (method, params) in enumerate(calls)
        ]
        async with self._session.post(self._url, json=batch) as response:
            answers: list[dict[str, Any]] = await response.json()
        return sorted(answers, key=lambda answer: int(answer["id"]))

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call. Raises Refused with the node's text when it is an error."""
        (answer,) = await self.ask([(method, list(params))])
        if "error" in answer:
            raise Refused(f"{method}: {answer['error'].get('message')}")
        return answer["result"]


class Node:
    """One Polygon node."""

    def __init__(self, upstream: Upstream, chain_id: int, rules: Rules) -> None:
        self.pool = Pool(rules, chain_id)
        self.finality = Finality()
        self._upstream = upstream
        self._pool_busy = asyncio.Lock()

    async def answer(self, call: Call, *, behind: int = 0) -> dict[str, Any]:
        """Return ``result`` or ``error`` of one call, as a node *behind* so many blocks has it."""
        try:
            own = await self._own(call, behind)
        except Refused as refused:
            return _error(REFUSED_CODE, str(refused))
        return own if own is not None else await self._passed_on(call, behind)

    async def settle(self) -> None:
        """Bring pool and anvil in line with the head; done with every request, and before every block."""
        async with self._pool_busy:
            await self._settle()

    async def mine(self, blocks: int = 1) -> None:
        """Make blocks as a producer would: each holds what pays enough at its base fee."""
        for _ in range(blocks):
            await self.settle()
            await self._upstream.call("anvil_mine", "0x1")
        await self.settle()

    # what a Polygon node does in its own way ---------------------------------------------------

    async def _own(self, call: Call, behind: int) -> dict[str, Any] | None:
        """Return our own answer; None when anvil's is as good."""
        match call:
            case ("eth_sendRawTransaction", [str(raw)]):
                data = _data(raw)
                return _error(INVALID_PARAMS, NO_HEX) if data is None else {"result": await self._submit(data)}
            case ("eth_getBlockByNumber", ["finalized" | "safe", details]):
                return await self._finalized(details, behind)
            case ("eth_getTransactionCount", [str(address), "pending"]):
                place = (await self._places({address.lower()}))[address.lower()]
                return {"result": hex(place.nonce + len(self.pool.executable(address.lower(), place)))}
            case ("anvil_mine" | "evm_mine" as method, params):
                await self.mine(_count(params) if method == "anvil_mine" else 1)
                return {"result": None}
            case ("anvil_dropTransaction", [tx_hash]):
                self.pool.drop(tx_hash)
            case ("anvil_dropAllTransactions", _):
                self.pool.clear()
        return None

    async def _submit(self, raw: bytes) -> str:
        offer = read(raw)
        async with self._pool_busy:
            await self._settle()
            block = await self._upstream.call("eth_getBlockByNumber", "latest", False)
            places = await self._places({offer.sender})
            self.pool.admit(offer, places[offer.sender], int(block["gasLimit"], 16))
            await self._settle()
        return offer.tx_hash

    async def _finalized(self, details: Any, behind: int) -> dict[str, Any]:
        true = await self._upstream.call("eth_getBlockByNumber", "finalized", False)
        shown = self.finality.shown(max(0, int(true["number"], 16) - behind))
        if shown is None:
            raise Refused(NO_FINALIZED_BLOCK)
        return {"result": await self._upstream.call("eth_getBlockByNumber", hex(shown), details)}

    async def _passed_on(self, call: Call, behind: int) -> dict[str, Any]:
        if not behind:
            (answer,) = await self._upstream.ask([call])
            return self._with_pooled(call, answer)
        head = max(0, int(await self._upstream.call("eth_blockNumber"), 16) - behind)
        (answer,) = await self._upstream.ask([as_of(call, head)])
        return {**answer, "result": known_at(call, answer["result"], head)} if "result" in answer else answer

    def _with_pooled(self, call: Call, answer: dict[str, Any]) -> dict[str, Any]:
        """Show a transaction that only the pool has, and anvil not yet."""
        if call[0] != "eth_getTransactionByHash" or answer.get("result") is not None:
            return answer
        offer = self.pool.find(str(call[1][0]))
        if offer is None:
            return answer
        known = {"hash": offer.tx_hash, "from": offer.sender, "nonce": hex(offer.nonce)}
        return {"result": {**known, "blockHash": None, "blockNumber": None, "transactionIndex": None}}

    # pool and producer -------------------------------------------------------------------------

    async def _places(self, senders: set[str]) -> dict[str, Place]:
        named = sorted(senders)
        calls: list[Call] = [("eth_getTransactionCount", [sender, "latest"]) for sender in named]
        calls += [("eth_getBalance", [sender, "latest"]) for sender in named]
        numbers = [int(answer["result"], 16) for answer in await self._upstream.ask(calls)] if calls else []
        return {
            sender: Place(nonce=nonce, balance_wei=balance)
            for sender, nonce, balance in zip(named, numbers, numbers[len(named) :], strict=False)
        }

    async def _settle(self) -> None:
        senders = self.pool.senders
        if not senders:
            return
        places = await self._places(senders)
        self.pool.follow(places)
        coming = await self._upstream.call("eth_getBlockByNumber", "pending", False)
        base_fee_wei = int(coming["baseFeePerGas"], 16)
        minable = {
            offer.tx_hash: offer
            for sender in sorted(senders)
            for offer in self.pool.minable(sender, places[sender], base_fee_wei)
        }
        handed = await self._handed_over()
        calls: list[Call] = [
            ("anvil_dropTransaction", [offer.tx_hash])
            for offer in self.pool
            if offer.tx_hash in handed and offer.tx_hash not in minable
        ]
        calls += [
            ("eth_sendRawTransaction", [f"0x{offer.raw.hex()}"])
            for tx_hash, offer in minable.items()
            if tx_hash not in handed
        ]
        for answer in await self._upstream.ask(calls) if calls else []:
            if "error" in answer:  # mined or replaced through another proxy meanwhile: the next look tells
                _log.info("not handed over: %s", answer["error"].get("message"))

    async def _handed_over(self) -> set[str]:
        """Return the hashes of what anvil's pool holds."""
        content = await self._upstream.call("txpool_content")
        return {tx["hash"] for side in content.values() for lane in side.values() for tx in lane.values()}


def _data(text: str) -> bytes | None:
    """Return the bytes *text* encodes; None if it is not hex."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return None


def _count(params: Sequence[Any]) -> int:
    """Return how many blocks are asked for: a number, or one in hex."""
    asked = params[0] if params else 1
    return asked if isinstance(asked, int) else int(asked, 16)


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
