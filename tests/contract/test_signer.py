"""One suite for every signer, and what only a real key must prove."""

from __future__ import annotations

from dataclasses import replace

import pytest
import rlp  # type: ignore[import-untyped]  # ships no types

from devstack.contracts import OPERATOR_KEY
from distributor.adapters.signer import LocalSigner
from distributor.addresses import keccak256
from distributor.errors import ConfigurationError
from distributor.model import Address, Fees
from distributor.ports import Signer, Unsigned
from distributor.sightings import Call
from distributor.units import Wei
from tests.fakes.signer import FakeSigner, read_signed

OPERATOR = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
AUTHORITY = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
GWEI = 10**9
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

DYNAMIC = Unsigned(
    chain_id=137,
    nonce=7,
    call=Call(to=AUTHORITY, data=b"\x01\x02"),
    gas_limit=300_000,
    fees=Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(30 * GWEI)),
)
LEGACY = replace(DYNAMIC, fees=Fees(max_fee_wei=Wei(31 * GWEI), tip_wei=Wei(31 * GWEI), dynamic=False))


@pytest.fixture(params=["fake", "local"])
def signer(request: pytest.FixtureRequest) -> Signer:
    """The same operator by a fake and by a real key."""
    return FakeSigner(OPERATOR) if request.param == "fake" else LocalSigner(OPERATOR_KEY)


def test_a_signer_knows_its_address(signer: Signer) -> None:
    """With the EIP-55 checksum, as the ledger writes it."""
    assert signer.address == OPERATOR


@pytest.mark.parametrize("unsigned", [DYNAMIC, LEGACY], ids=["dynamic", "legacy"])
async def test_what_was_signed_is_what_a_node_reads(signer: Signer, unsigned: Unsigned) -> None:
    """Every field goes in, the sender comes out, and the hash is the hash of the bytes."""
    signed = await signer.sign(unsigned)

    sent = read_signed(signed.raw)
    assert unsigned == sent.unsigned
    assert sent.sender == OPERATOR
    assert signed.tx_hash == sent.tx_hash == f"0x{keccak256(signed.raw).hex()}"


@pytest.mark.parametrize("unsigned", [DYNAMIC, LEGACY], ids=["dynamic", "legacy"])
async def test_the_same_input_gives_the_same_bytes(signer: Signer, unsigned: Unsigned) -> None:
    """So that a crash between signing and storing cannot make two transactions of one attempt."""
    assert await signer.sign(unsigned) == await signer.sign(unsigned)


async def test_another_nonce_gives_another_hash(signer: Signer) -> None:
    """The hash tells attempts apart."""
    signed, other = await signer.sign(DYNAMIC), await signer.sign(replace(DYNAMIC, nonce=8))

    assert signed.tx_hash != other.tx_hash


def test_two_keys_are_two_operators() -> None:
    """The address comes from the key, with or without 0x and blanks around it."""
    bare = LocalSigner(f" {OPERATOR_KEY[2:]}\n")

    assert bare.address == OPERATOR
    assert LocalSigner("0x" + "11" * 32).address != OPERATOR


async def test_a_transaction_has_the_type_its_fees_ask_for() -> None:
    """Type 2 on a chain with base fee; a plain list, which begins at 0xc0, on one without."""
    signer = LocalSigner(OPERATOR_KEY)
    dynamic, legacy = await signer.sign(DYNAMIC), await signer.sign(LEGACY)

    assert dynamic.raw[0] == 2
    assert legacy.raw[0] >= 0xC0


@pytest.mark.parametrize("nonce", range(20))
async def test_signatures_are_low_s(nonce: int) -> None:
    """A node refuses the upper half of the curve (EIP-2)."""
    signed = await LocalSigner(OPERATOR_KEY).sign(replace(DYNAMIC, nonce=nonce))

    s_value = int.from_bytes(rlp.decode(signed.raw[1:])[-1], "big")
    assert 0 < s_value <= CURVE_ORDER // 2


@pytest.mark.parametrize(
    "key",
    [
        "",
        "0x",
        "hunter2",
        "0x" + "00" * 32,
        "0x" + "ff" * 32,
        "11" * 31,
        "11" * 33,
        "0xzz" + "11" * 31,
        f"{CURVE_ORDER:x}",
    ],
)
def test_a_bad_key_names_its_setting_and_is_never_repeated(key: str) -> None:
    """What looks like a typing error may be most of a real key."""
    with pytest.raises(ConfigurationError) as raised:
        LocalSigner(key)

    assert "OPERATOR_PK" in str(raised.value)
    assert len(key) < 3 or key not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_signer_never_shows_its_key() -> None:
    """Neither as text nor in what a log of its attributes would print."""
    signer = LocalSigner(OPERATOR_KEY)

    shown = f"{signer} {signer!r} {signer._account!r}"
    assert OPERATOR in shown
    assert OPERATOR_KEY[2:].lower() not in shown.lower()
