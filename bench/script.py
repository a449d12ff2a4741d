"""
The script that anybody would write first: for each order ask, sign, send, and wait for the receipt.

It keeps nothing: killed between two lines, it pays an order again or never. What it costs is the baseline.
"""

from __future__ import annotations

import time

import psutil
from eth_account import Account
from web3 import HTTPProvider, Web3

from bench.figures import Counts, Latency, Paid, cpu_s
from bench.ground import Script
from bench.shop import posts
from devstack.evm import artifact

_UNITS = 10**18


def pay(ground: Script, orders: int) -> Paid:
    """Pay *orders* one after the other at the Authority itself; an order is final when its block is."""
    web3 = Web3(HTTPProvider(ground.rpc_url))
    account = Account.from_key(ground.deployment.operator_key)
    authority = web3.eth.contract(
        Web3.to_checksum_address(ground.deployment.authority), abi=artifact("Authority")["abi"]
    )
    process = psutil.Process()
    before, computed, began = Counts.at(ground.counter_url), cpu_s(process), time.monotonic()
    submitted, mined, gas_used = list[float](), list[tuple[int, float]](), 0
    for post in posts("script", orders, ""):
        reference = post.order_id.encode().ljust(32, b"\0")
        call = authority.functions.distribute(Web3.to_checksum_address(post.wallet), _UNITS, reference, post.order_id)
        unsigned = call.build_transaction(
            {"from": account.address, "nonce": web3.eth.get_transaction_count(account.address)}
        )
        sent = web3.eth.send_raw_transaction(account.sign_transaction(unsigned).raw_transaction)
        submitted.append(time.monotonic() - began)
        receipt = web3.eth.wait_for_transaction_receipt(sent)
        if receipt["status"] != 1:
            raise RuntimeError(f"{post.order_id} reverted")
        mined.append((receipt["blockNumber"], time.monotonic() - began))
        gas_used += receipt["gasUsed"]
    counted, app = Counts.at(ground.counter_url) - before, cpu_s(process) - computed
    _until_final(web3, mined[-1][0])
    to_final = time.monotonic() - began
    lag = to_final - mined[-1][1]
    return Paid(
        name="script",
        orders=orders,
        transactions=orders,
        in_a_block=1.0,
        seconds_to_submitted=submitted[-1],
        seconds_to_final=to_final,
        submitted=Latency.of(submitted),
        final=Latency.of([at + lag for _, at in mined]),
        requests=dict(counted.requests),
        rpc_calls=counted.calls["rpc"].total(),
        app_cpu_s=app,
        host_cpu_s=0.0,
        memory_mib=0.0,
        gas_used=gas_used,
        kinds={"rpc": dict(counted.calls["rpc"].most_common())},
    )


def _until_final(web3: Web3, number: int) -> None:
    while web3.eth.get_block("finalized")["number"] < number:
        time.sleep(0.1)
