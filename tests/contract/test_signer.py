"""One suite for every signer, and what only a real key must prove."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import rlp  # type: ignore[import-untyped]  # ships no types

from devstack.contracts import OPERATOR_KEY
from distributor.addresses import keccak256
from distributor.chain_types import Call
from distributor.errors import SignerUnavailable
from distributor.model import Address, Fees
from distributor.payout.batch_signer import SIGNING_MS
from distributor.payout.distribution import LEASE_MS
from distributor.ports import Signer, UnsignedTransaction
from distributor.signing.signer import LocalSigner
from distributor.signing.vault_signer import VaultSigner, connect_vault_signer
from distributor.units import Wei
from foundation.errors import ConfigurationError
from foundation.secrets import vault_client
from foundation.secrets.sign_in import azure_credential
from foundation.settings.references import VaultItem
from tests.fakes.signer import FakeSigner, read_signed
from tests.integration.vault import URL, Peers, signed_in

OPERATOR = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
AUTHORITY = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
GWEI = 10**9
KEY = VaultItem(vault_url=URL, name="operator")
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

DYNAMIC = UnsignedTransaction(
    chain_id=137,
    nonce=7,
    call=Call(to=AUTHORITY, data=b"\x01\x02"),
    gas_limit=300_000,
    fees=Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(30 * GWEI)),
)
LEGACY = replace(DYNAMIC, fees=Fees(max_fee_wei=Wei(31 * GWEI), tip_wei=Wei(31 * GWEI), dynamic=False))


@pytest.fixture
async def azure(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peers]:
    """A vault that holds the operator's key."""
    async with signed_in(monkeypatch) as running:
        running.vault.keys.hold("operator", OPERATOR_KEY)
        yield running


@pytest.fixture(params=["fake", "local", "vault", "vault with high s"])
async def signer(request: pytest.FixtureRequest, azure: Peers) -> AsyncIterator[Signer]:
    """The same operator by a fake, by a key in this process, and by one in a vault."""
    if request.param == "fake":
        yield FakeSigner(OPERATOR)
    elif request.param == "local":
        yield LocalSigner(OPERATOR_KEY)
    else:
        azure.vault.keys.change("operator", high_s=request.param.endswith("high s"))
        vault_signer = await connected(azure)
        yield vault_signer
        await vault_signer.aclose()


async def connected(azure: Peers, key: VaultItem = KEY) -> VaultSigner:
    """Open a key of the vault with the real client."""
    return await connect_vault_signer("OPERATOR_KEY_ID", key, credential=azure_credential(), transport=azure.transport)


def test_a_signer_knows_its_address(signer: Signer) -> None:
    """With the EIP-55 checksum, as the ledger writes it."""
    assert signer.address == OPERATOR


@pytest.mark.parametrize("unsigned", [DYNAMIC, LEGACY], ids=["dynamic", "legacy"])
async def test_what_was_signed_is_what_a_node_reads(signer: Signer, unsigned: UnsignedTransaction) -> None:
    """Every field goes in, the sender comes out, and the hash is the hash of the bytes."""
    signed = await signer.sign(unsigned)

    sent = read_signed(signed.raw)
    assert unsigned == sent.unsigned
    assert sent.sender == OPERATOR
    assert signed.tx_hash == sent.tx_hash == f"0x{keccak256(signed.raw).hex()}"


@pytest.mark.parametrize("unsigned", [DYNAMIC, LEGACY], ids=["dynamic", "legacy"])
async def test_the_same_input_gives_the_same_bytes(signer: Signer, unsigned: UnsignedTransaction) -> None:
    """Of keys in this process; the vault of the tests draws its numbers the same way."""
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


# Keys of a vault ---------------------------------------------------------------------------------


@pytest.mark.parametrize("high_s", [False, True], ids=["low s", "high s"])
@pytest.mark.parametrize("unsigned", [DYNAMIC, LEGACY], ids=["dynamic", "legacy"])
async def test_a_vault_signs_the_very_bytes_a_local_key_signs(
    azure: Peers, unsigned: UnsignedTransaction, high_s: bool
) -> None:
    """Over twenty nonces, so that both parities occur; whichever half of the curve the vault answers with."""
    azure.vault.keys.change("operator", high_s=high_s)
    local, in_vault = LocalSigner(OPERATOR_KEY), await connected(azure)
    drafts = [replace(unsigned, nonce=nonce) for nonce in range(20)]

    assert [await local.sign(draft) for draft in drafts] == [await in_vault.sign(draft) for draft in drafts]
    await in_vault.aclose()


async def test_a_vault_sees_only_hashes(azure: Peers) -> None:
    """One digest for each transaction, and its public half asked for once."""
    signer = await connected(azure)
    await signer.sign(DYNAMIC)
    await signer.sign(LEGACY)

    assert [len(digest) for digest in azure.vault.keys.signed] == [32, 32]
    assert azure.vault.keys.asked == ["get", "sign", "sign"]
    assert repr(signer) == f"VaultSigner({OPERATOR})"
    await signer.aclose()


async def test_a_signer_stays_with_the_version_it_read(azure: Peers) -> None:
    """A newer version is another operator: it must be let in by hand, and never slip in between."""
    signer = await connected(azure)
    azure.vault.keys.hold("operator", "22" * 32)
    azure.vault.keys.change("operator", version="v2")

    signed = await signer.sign(DYNAMIC)
    assert read_signed(signed.raw).sender == OPERATOR
    await signer.aclose()
    newer = await connected(azure)
    assert newer.address != OPERATOR
    await newer.aclose()


@pytest.mark.parametrize(
    "garbled",
    [b"", b"\0" * 63, b"\0" * 64, b"\xff" * 64, b"\x11" * 64],
    ids=["none", "short", "zero", "over", "foreign"],
)
async def test_a_signature_that_is_not_the_operators_is_never_used(azure: Peers, garbled: bytes) -> None:
    """Whatever a broken vault or a proxy between answers."""
    signer = await connected(azure)
    azure.vault.keys.change("operator", garbled=garbled)

    with pytest.raises(SignerUnavailable, match="not the operator's"):
        await signer.sign(DYNAMIC)
    await signer.aclose()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "ForbiddenByRbac", "role Key Vault Crypto User"),
        (403, "KeyDisabled", "is disabled"),
        (404, "", "is not in the vault"),
        (429, "", "answered 429"),
    ],
)
async def test_a_vault_that_does_not_sign_is_told_with_its_remedy(
    azure: Peers, status: int, code: str, said: str
) -> None:
    """Not now: orders wait, and the sentence says what to do."""
    signer = await connected(azure)
    azure.vault.keys.refusals["sign"] = (status, code)

    with pytest.raises(SignerUnavailable, match=f"OPERATOR_KEY_ID.*{said}"):
        await signer.sign(DYNAMIC)
    await signer.aclose()


@pytest.mark.parametrize("trouble", ["hangs", "429 for a minute"])
async def test_a_vault_never_decides_how_long_a_signature_takes(
    azure: Peers, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found-faults A19: it hangs, or says "again in a minute", while the payouts hold a lease of 30 seconds."""
    signer = await connected(azure)
    monkeypatch.setattr(vault_client, "CALL_S_MAX", 0.5)
    if trouble == "hangs":
        azure.vault.hangs_on = "sign"
    else:
        azure.vault.busy_for_s = 60
    async with asyncio.timeout(30):  # the library's own patience is longer
        with pytest.raises(SignerUnavailable, match="does not answer"):
            await signer.sign(DYNAMIC)
    await signer.aclose()


def test_the_signatures_of_one_round_end_well_under_its_lease() -> None:
    """The last one may begin when the round may only just go on signing; ten seconds are left for the node."""
    assert SIGNING_MS + vault_client.CALL_S_MAX * 1000 + 10_000 <= LEASE_MS


async def test_a_vault_that_may_not_be_asked_is_found_at_the_start(azure: Peers) -> None:
    """With the role that is missing."""
    azure.vault.keys.refusals["get"] = (403, "ForbiddenByRbac")

    with pytest.raises(ConfigurationError, match="OPERATOR_KEY_ID may not be used: give this identity the role"):
        await connected(azure)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"curve": "P-256"}, "--curve P-256K"),
        ({"operations": ("verify",)}, "may not sign"),
        ({"enabled": False}, "is disabled"),
    ],
)
async def test_a_key_that_cannot_sign_for_the_chain_is_refused(
    azure: Peers, changes: dict[str, object], said: str
) -> None:
    """Found when the service starts, not at the first payment."""
    azure.vault.keys.change("operator", **changes)

    with pytest.raises(ConfigurationError, match=f"OPERATOR_KEY_ID.*{said}"):
        await connected(azure)


async def test_a_key_that_is_not_there_is_named(azure: Peers) -> None:
    """With the vault it should be in."""
    with pytest.raises(ConfigurationError, match=f"OPERATOR_KEY_ID is not in the vault: no other in {URL}, version v9"):
        await connected(azure, VaultItem(vault_url=URL, name="other", version="v9"))
