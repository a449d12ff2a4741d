"""One suite for the fake chain and for the real adapter on a real node: what passes here may stand for the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest

from devstack.contracts import OPERATOR_KEY
from distributor.chain_types import Call, Claim, RevertKind
from distributor.model import Fees, Hash, SubmitOutcome
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.signing.signer import LocalSigner
from distributor.units import TokenUnits, Wei
from foundation.errors import InvariantBroken
from tests.contract.chains import ONE_TOKEN, FakeWorld, World, an_order, anvil_world
from tests.factories import a_hash
from tests.fakes.chain import Behaviour

if TYPE_CHECKING:
    from devstack.contracts import Devchain

GWEI = 10**9
FEES = Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(30 * GWEI))
HIGHER = Fees(max_fee_wei=Wei(68 * GWEI), tip_wei=Wei(34 * GWEI))
LEGACY = Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(60 * GWEI), dynamic=False)
NOWHERE = Hash("0x" + "ab" * 32)

SIGNER = LocalSigner(OPERATOR_KEY)


@pytest.fixture(params=["fake", "anvil"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A chain that mines only when asked to."""
    if request.param == "fake":
        yield FakeWorld()
        return
    devchain: Devchain = request.getfixturevalue("devchain")
    async with anvil_world(devchain) as real:
        yield real


async def signed(world: World, call: Call, *, nonce: int | None = None, fees: Fees = FEES) -> SignedTransaction:
    """Sign *call* with the operator's real key, with its next nonce when none is given."""
    if nonce is None:
        nonce = (await world.chain.pre_bind_snapshot(world.places.operator)).nonce
    unsigned = UnsignedTransaction(chain_id=world.places.chain_id, nonce=nonce, call=call, gas_limit=300_000, fees=fees)
    return await SIGNER.sign(unsigned)


async def paying(
    world: World, *, nonce: int | None = None, fees: Fees = FEES, order_id: str = "1001"
) -> SignedTransaction:
    """Sign the payment of an order."""
    call = world.chain.pay(an_order(world.places.customer, order_id=order_id))
    return await signed(world, call, nonce=nonce, fees=fees)


async def submit(world: World, *transactions: SignedTransaction) -> list[SubmitOutcome]:
    """Hand transactions to the node; return what it said to each."""
    return [said.outcome for said in await world.chain.submit([one.raw for one in transactions])]


# survey ------------------------------------------------------------------------------------------


async def test_a_survey_tells_what_a_round_must_know(world: World) -> None:
    """Balances, allowance, nonce, code, fees and finality, from one node."""
    world.set_reserve(TokenUnits(7 * ONE_TOKEN))
    world.set_allowance(TokenUnits(5 * ONE_TOKEN))
    world.set_gas(Wei(3 * 10**18))
    world.mine(3)

    snapshot = await world.chain.pre_bind_snapshot(world.places.operator)

    assert snapshot.node == world.chain.nodes[0]
    assert snapshot.reserve_units == 7 * ONE_TOKEN
    assert snapshot.allowance_units == 5 * ONE_TOKEN
    assert snapshot.gas_balance_wei == 3 * 10**18
    assert snapshot.token_has_code
    assert snapshot.decimals == 18
    assert snapshot.authority_has_code
    assert snapshot.finalized_number == snapshot.head.number - 2
    assert snapshot.market.base_fee_wei is not None
    assert snapshot.market.gas_price_wei > 0


async def test_a_survey_counts_what_is_mined_and_not_what_waits(world: World) -> None:
    """The nonce is the one at the latest block."""
    before = await world.chain.pre_bind_snapshot(world.places.operator)
    await submit(world, await paying(world))
    waiting = await world.chain.pre_bind_snapshot(world.places.operator)
    world.mine()
    mined = await world.chain.pre_bind_snapshot(world.places.operator)

    assert [before.nonce, before.nonce, before.nonce + 1] == [before.nonce, waiting.nonce, mined.nonce]
    assert before.reserve_units == waiting.reserve_units == mined.reserve_units + ONE_TOKEN
    assert mined.gas_balance_wei < before.gas_balance_wei


async def test_a_pool_is_counted_apart_from_the_blocks(world: World) -> None:
    """What waits behind a gap is not counted: the sign does not show it."""
    first = await paying(world, order_id="1001")
    before = (await world.chain.pool_views([world.places.operator]))[0].counts[world.places.operator]
    gapped = await paying(world, nonce=before.pending + 2, order_id="1003")
    await submit(world, first, gapped)

    (view,) = await world.chain.pool_views([world.places.operator])

    counts = view.counts[world.places.operator]
    assert (counts.latest, counts.pending) == (before.latest, before.pending + 1)


async def test_a_token_without_code_is_seen_and_no_failure(world: World) -> None:
    """TOKEN_ADDRESS names a wallet, or the node another network of the same id."""
    world.remove_token()

    snapshot = await world.chain.pre_bind_snapshot(world.places.operator)

    assert not snapshot.token_has_code
    assert (snapshot.reserve_units, snapshot.allowance_units) == (0, 0)
    assert snapshot.authority_has_code


async def test_an_authority_without_code_is_seen(world: World) -> None:
    """A call to it would succeed and pay nobody."""
    world.remove_authority()
    pay = world.chain.pay(an_order(world.places.customer))

    assert not (await world.chain.pre_bind_snapshot(world.places.operator)).authority_has_code
    assert (await world.chain.simulate(world.places.operator, [pay]))[0].revert is None


# simulate ----------------------------------------------------------------------------------------


async def test_a_good_payment_simulates_with_its_gas(world: World) -> None:
    """Well under the limit for one order, and without judging the operator's own balance."""
    world.set_gas(Wei(0))
    pay = world.chain.pay(an_order(world.places.customer))

    (simulation,) = await world.chain.simulate(world.places.operator, [pay])

    assert simulation.revert is None
    assert 21_000 < simulation.gas < 300_000


TROUBLES: dict[RevertKind, Callable[[World], None]] = {
    RevertKind.ROLE_MISSING: lambda world: world.revoke(),
    RevertKind.AUTHORITY_PAUSED: lambda world: world.pause(),
    RevertKind.ALLOWANCE_SHORT: lambda world: world.set_allowance(TokenUnits(ONE_TOKEN - 1)),
    RevertKind.RESERVE_SHORT: lambda world: world.set_reserve(TokenUnits(ONE_TOKEN - 1)),
}


@pytest.mark.parametrize("kind", TROUBLES)
async def test_a_refused_payment_says_why(world: World, kind: RevertKind) -> None:
    """A refusal is an answer; its kind tells what to wait for."""
    TROUBLES[kind](world)
    pay = world.chain.pay(an_order(world.places.customer))

    (simulation,) = await world.chain.simulate(world.places.operator, [pay], node=world.chain.nodes[0])

    assert simulation.revert is not None
    assert (simulation.revert.kind, simulation.gas) == (kind, 0)
    assert simulation.revert.text


async def test_each_call_is_tried_alone(world: World) -> None:
    """A big order that cannot be paid says nothing about a small one beside it."""
    world.set_reserve(TokenUnits(3 * ONE_TOKEN))
    amounts = [TokenUnits(2 * ONE_TOKEN), TokenUnits(4 * ONE_TOKEN), TokenUnits(3 * ONE_TOKEN)]
    calls = [world.chain.pay(an_order(world.places.customer, amount_units=amount)) for amount in amounts]

    simulations = await world.chain.simulate(world.places.operator, calls)

    assert [one.revert.kind if one.revert else None for one in simulations] == [None, RevertKind.RESERVE_SHORT, None]


async def test_the_probe_tells_a_sick_authority_from_a_bad_order(world: World) -> None:
    """One unit to the operator itself passes while the Authority is well, and only then."""
    probe = world.chain.probe(world.places.operator)
    (well,) = await world.chain.simulate(world.places.operator, [probe])
    world.pause()
    (sick,) = await world.chain.simulate(world.places.operator, [probe])

    assert well.revert is None
    assert sick.revert is not None
    assert sick.revert.kind == RevertKind.AUTHORITY_PAUSED


# submit ------------------------------------------------------------------------------------------


async def test_bytes_are_accepted_once_and_known_after(world: World) -> None:
    """Handing the same bytes over again is how a lost answer is mended."""
    pay = await paying(world)

    assert await submit(world, pay) == [SubmitOutcome.ACCEPTED]
    assert await submit(world, pay) == [SubmitOutcome.ALREADY_KNOWN]
    world.mine()
    assert await submit(world, pay) == [SubmitOutcome.NONCE_TOO_LOW]


async def test_each_of_several_bytes_has_its_own_outcome(world: World) -> None:
    """In the order in which they were given."""
    first, second = await paying(world), await paying(world, order_id="1002")
    await submit(world, first)
    third = await paying(world, nonce=(await world.chain.pre_bind_snapshot(world.places.operator)).nonce + 1)

    outcomes = await submit(world, first, second, third)

    assert outcomes == [SubmitOutcome.ALREADY_KNOWN, SubmitOutcome.UNDERPRICED, SubmitOutcome.ACCEPTED]


async def test_nothing_submitted_is_nothing_said(world: World) -> None:
    """An empty round costs no request."""
    assert await world.chain.submit([]) == []


async def test_a_replacement_must_bid_more(world: World) -> None:
    """With equal fees the rival stays; with 12.5 % more the new bytes are mined and the old never."""
    pay = await paying(world)
    cancel = Call(to=world.places.operator, data=b"")
    equal, higher = await signed(world, cancel), await signed(world, cancel, fees=HIGHER)

    outcomes = [*await submit(world, pay), *await submit(world, equal), *await submit(world, higher)]
    world.mine()
    seen = await world.chain.snapshot([world.places.operator], [pay.tx_hash, higher.tx_hash], [])

    assert outcomes == [SubmitOutcome.ACCEPTED, SubmitOutcome.UNDERPRICED, SubmitOutcome.ACCEPTED]
    assert list(seen.receipts) == [higher.tx_hash]
    assert seen.receipts[higher.tx_hash].succeeded
    assert seen.receipts[higher.tx_hash].transfers == ()


async def test_an_operator_without_gas_is_told_so(world: World) -> None:
    """The bytes are in no pool; they may be handed over again when there is gas."""
    pay = await paying(world)
    world.set_gas(Wei(1))
    short = await submit(world, pay)
    world.set_gas(Wei(10**18))

    assert short == [SubmitOutcome.GAS_SHORT]
    assert await submit(world, pay) == [SubmitOutcome.ACCEPTED]


async def test_bytes_for_another_chain_are_refused(world: World) -> None:
    """They will never be taken here."""
    call = world.chain.pay(an_order(world.places.customer))
    elsewhere = await SIGNER.sign(UnsignedTransaction(chain_id=80002, nonce=0, call=call, gas_limit=300_000, fees=FEES))

    assert await submit(world, elsewhere) == [SubmitOutcome.REFUSED]


async def test_a_legacy_transaction_pays_as_well(world: World) -> None:
    """For a chain without base fee."""
    pay = await paying(world, fees=LEGACY)
    outcomes = await submit(world, pay)
    world.mine()
    seen = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [])

    assert outcomes == [SubmitOutcome.ACCEPTED]
    assert seen.receipts[pay.tx_hash].gas_price_wei == LEGACY.max_fee_wei
    assert len(seen.receipts[pay.tx_hash].transfers) == 1


async def test_a_nonce_waits_for_the_one_before_it(world: World) -> None:
    """Bytes behind a gap are taken, and mined when the gap is closed."""
    nonce = (await world.chain.pre_bind_snapshot(world.places.operator)).nonce
    first, second = await paying(world, nonce=nonce), await paying(world, nonce=nonce + 1, order_id="1002")
    outcomes = await submit(world, second)
    world.mine()
    gap = await world.chain.snapshot([world.places.operator], [second.tx_hash], [])
    outcomes += await submit(world, first)
    world.mine()
    closed = await world.chain.snapshot([world.places.operator], [first.tx_hash, second.tx_hash], [])

    assert outcomes == [SubmitOutcome.ACCEPTED, SubmitOutcome.ACCEPTED]
    assert (gap.nonces[world.places.operator], gap.receipts) == (nonce, {})
    assert closed.nonces[world.places.operator] == nonce + 2
    assert set(closed.receipts) == {first.tx_hash, second.tx_hash}


# observe -----------------------------------------------------------------------------------------


async def test_a_payment_is_proved_by_the_tokens_transfer(world: World) -> None:
    """From the reserve to the wallet, the exact amount, in the block that is canonical at its number."""
    pay = await paying(world)
    await submit(world, pay)
    world.mine()
    head = (await world.chain.pre_bind_snapshot(world.places.operator)).head

    seen = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [head.number])

    receipt = seen.receipts[pay.tx_hash]
    (transfer,) = receipt.transfers
    assert receipt.succeeded
    assert (receipt.tx_hash, receipt.block) == (pay.tx_hash, head)
    assert seen.canonical == {head.number: head.block_hash}
    assert (transfer.sender, transfer.recipient) == (world.places.reserve, world.places.customer)
    assert transfer.amount_units == ONE_TOKEN
    assert 0 < receipt.gas_used < 300_000
    assert 0 < receipt.gas_price_wei <= FEES.max_fee_wei


async def test_what_a_node_does_not_have_is_absent(world: World) -> None:
    """An unknown hash and a block above the head say nothing, and nothing fails."""
    seen = await world.chain.snapshot([world.places.operator], [NOWHERE], [0, 10**6])

    assert seen.receipts == {}
    assert list(seen.canonical) == [0]
    words = await world.chain.words([Claim(NOWHERE, 0), Claim(a_hash("later"), 10**6)], node=seen.node)
    assert list(words) == [NOWHERE], "below the height, silence is no word"
    assert words[NOWHERE].receipt is None


async def test_finality_follows_the_head(world: World) -> None:
    """A payment is final two blocks later on this chain."""
    pay = await paying(world)
    await submit(world, pay)
    world.mine()
    mined = await world.chain.snapshot([], [pay.tx_hash], [])
    world.mine(2)
    later = await world.chain.snapshot([], [pay.tx_hash], [])

    number = mined.receipts[pay.tx_hash].block.number
    assert mined.finalized_number is not None
    assert mined.finalized_number < number
    assert later.finalized_number == number
    assert later.head.number == number + 2


async def test_a_payment_refused_on_chain_has_a_receipt_without_transfer(world: World) -> None:
    """Its nonce is spent and no token moved."""
    pay = await paying(world)
    world.pause()
    await submit(world, pay)
    world.mine()

    seen = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [])

    assert not seen.receipts[pay.tx_hash].succeeded
    assert seen.receipts[pay.tx_hash].transfers == ()


@pytest.mark.parametrize(
    ("behaviour", "moved"),
    [(Behaviour.SILENT, []), (Behaviour.FORGING, []), (Behaviour.SHORT, [ONE_TOKEN - 1])],
)
async def test_success_alone_proves_nothing(world: World, behaviour: Behaviour, moved: list[int]) -> None:
    """Only the token's own events count: an Authority may succeed and pay nothing, or less, or say it paid."""
    world.misbehave(behaviour)
    pay = await paying(world)
    await submit(world, pay)
    world.mine()

    receipt = (await world.chain.snapshot([], [pay.tx_hash], [])).receipts[pay.tx_hash]

    assert receipt.succeeded
    assert [transfer.amount_units for transfer in receipt.transfers] == moved


async def test_the_named_node_gives_the_same_receipt(world: World) -> None:
    """And a node nobody configured is our mistake."""
    pay = await paying(world)
    await submit(world, pay)
    world.mine()
    seen = await world.chain.snapshot([], [pay.tx_hash], [])

    receipt = seen.receipts[pay.tx_hash]
    claim = Claim(pay.tx_hash, receipt.block.number)

    for mark in (None, seen.mark):
        word = (await world.chain.words([claim], node=seen.node, mark=mark))[pay.tx_hash]
        assert (word.receipt, word.canonical, word.mark) == (receipt, receipt.block.block_hash, seen.mark)
    assert (await world.chain.snapshot([], [pay.tx_hash], [], node=seen.node)).receipts == seen.receipts
    with pytest.raises(InvariantBroken):
        await world.chain.words([claim], node="elsewhere.example")


async def test_a_reorganisation_takes_receipt_and_nonce_back(world: World) -> None:
    """The block at that number is another one, and the same bytes can be mined again."""
    pay = await paying(world)
    await submit(world, pay)
    world.mine()
    before = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [])
    number = before.head.number
    world.reorg(1)
    after = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [number])
    again = await submit(world, pay)
    world.mine()
    healed = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [])

    assert after.receipts == {}
    assert after.nonces[world.places.operator] == before.nonces[world.places.operator] - 1
    assert after.canonical[number] != before.head.block_hash
    assert again == [SubmitOutcome.ACCEPTED]
    assert len(healed.receipts[pay.tx_hash].transfers) == 1


async def test_a_dropped_transaction_can_be_handed_over_again(world: World) -> None:
    """A pool forgets under pressure; the bytes stay good."""
    pay = await paying(world)
    await submit(world, pay)
    world.drop(pay.tx_hash)
    world.mine()
    gone = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [])
    again = await submit(world, pay)
    world.mine()
    healed = await world.chain.snapshot([world.places.operator], [pay.tx_hash], [])

    assert gone.receipts == {}
    assert again == [SubmitOutcome.ACCEPTED]
    assert list(healed.receipts) == [pay.tx_hash]
