"""The fees a node sees, from what it serves of the calls that tell of them."""

from __future__ import annotations

from distributor.chain.rpc_responses import RpcResponses, json_object, quantity, reading
from distributor.chain_types import FeeQuote
from distributor.units import Wei


def read_fees(answers: RpcResponses) -> FeeQuote:
    """
    Return the fees a node sees.

    A head without base fee is a chain without base fee. The base fee is the next block's; a node
    without ``eth_feeHistory``, or with nothing in it, gives the head's own. Without a suggested tip it
    is 0: the floor of our limits holds. A gas price is needed only on a chain without base fee.

    Raises:
        NodeUnavailable: An answer cannot be read; it names the call.
    """
    head, history, tip = answers.required("head"), answers.optional("history"), answers.optional("tip")
    with reading("base fee of the head"):
        base = json_object(head).get("baseFeePerGas")
    with reading("eth_feeHistory"):
        coming = json_object(history).get("baseFeePerGas") if base is not None and history is not None else None
        base_fee_wei = None if base is None else Wei(quantity(coming[-1] if coming else base))
    with reading("eth_maxPriorityFeePerGas"):
        tip_wei = Wei(0 if tip is None else quantity(tip))
    with reading("eth_gasPrice"):
        known = base_fee_wei is not None and answers.optional("gas_price") is None
        gas_price = (base_fee_wei or 0) + tip_wei if known else quantity(answers.required("gas_price"))
    return FeeQuote(base_fee_wei=base_fee_wei, tip_wei=tip_wei, gas_price_wei=Wei(gas_price))
