"""The container of blobs, on the storage emulator and against servers that misbehave."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from devstack.servers import Azurite
from foundation import blobs as storage_blobs
from foundation.blobs import BLOCK_BYTES, Blobs, connect_blobs
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.settings.storage import Storage
from foundation.storage_account import ServiceAccount, account_of


async def _chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _at_once(_seconds: float) -> None: ...


@pytest.fixture
async def blobs(azurite: Azurite) -> AsyncIterator[Blobs]:
    """A container of this test's own."""
    found = Blobs(account=account_of(azurite.connection_string, "blob"), container=f"b{secrets.token_hex(8)}")
    yield found
    await found.aclose()


async def test_a_blob_of_several_blocks_comes_back_byte_for_byte(blobs: Blobs) -> None:
    """And is read in pieces."""
    whole = secrets.token_bytes(BLOCK_BYTES * 2 + 7)
    await blobs.write("a/b-1.gz", _chunks(whole[:5], whole[5:]))

    assert b"".join([piece async for piece in blobs.read("a/b-1.gz")]) == whole
    assert await blobs.names("a/") == ["a/b-1.gz"]


async def test_a_writer_that_is_cut_leaves_the_blob_of_before(blobs: Blobs) -> None:
    """The last call makes it appear."""
    await blobs.write("x", _chunks(b"old"))

    async def cut() -> AsyncIterator[bytes]:
        yield b"n" * BLOCK_BYTES
        raise StoreUnavailable("cut")

    with pytest.raises(StoreUnavailable, match="cut"):
        await blobs.write("x", cut())

    assert await blobs.get("x") == b"old"


async def test_what_is_not_there(blobs: Blobs) -> None:
    """Neither container nor blob is an error where it is asked for; reading one needs it."""
    assert await blobs.names("") == []
    assert await blobs.get("x") is None
    await blobs.delete("x")
    with pytest.raises(ConfigurationError, match="no blob x"):
        [piece async for piece in blobs.read("x")]


async def test_a_small_blob_is_put_read_and_deleted(blobs: Blobs) -> None:
    """An empty one too."""
    await blobs.put("m", b"{}")
    await blobs.put("e", b"")
    assert await blobs.get("m") == b"{}"
    assert await blobs.get("e") == b""
    assert [piece async for piece in blobs.read("e")] == []
    await blobs.delete("m")
    assert await blobs.names("") == ["e"]


async def test_long_lists_go_on_behind_a_marker(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the service says."""
    monkeypatch.setattr(storage_blobs, "_LISTED_MAX", 2)
    for name in ("1", "2", "3", "4", "5"):
        await blobs.put(name, b"x")
    assert await blobs.names("") == ["1", "2", "3", "4", "5"]


async def test_a_wrong_key_is_a_setting_that_is_wrong(blobs: Blobs) -> None:
    """And never tried again."""
    good = blobs.account
    other = Blobs(account=ServiceAccount(url=good.url, account=good.account, key="eA=="), container="c-1")
    with pytest.raises(ConfigurationError, match="refuses"):
        await other.put("x", b"")
    await other.aclose()


async def test_a_silent_service_is_asked_four_times() -> None:
    """Then it is the caller's trouble."""
    paused = list[float]()

    async def note(seconds: float) -> None:
        paused.append(seconds)

    away = Blobs(account=ServiceAccount(url="http://127.0.0.1:9/x", account="x", key="eA=="), container="c", sleep=note)
    with pytest.raises(StoreUnavailable):
        await away.get("x")
    assert paused == list(storage_blobs.PAUSES_S)
    await away.aclose()


async def test_an_account_by_name_needs_its_blobs() -> None:
    """By the setting, or beside the tables."""
    with pytest.raises(ConfigurationError, match="blobServiceUri"):
        connect_blobs(Storage(table_endpoint="https://proxy.example"), "c")
    found = connect_blobs(Storage(blob_endpoint="https://x.blob.core.windows.net", credential="default"), "c")
    assert found.account.url == "https://x.blob.core.windows.net"
    await found.aclose()
