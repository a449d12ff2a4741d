"""A ledger is copied whole while it works; what is not whole, or no backup at all, is refused."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import pytest

from foundation.backup import keeping, manifest
from foundation.backup.keeping import KEPT_MS, Keeping
from foundation.backup.lines import BackupLine, packed, unpacked
from foundation.backup.ports import Backup, BackupIncomplete, BackupPart, BackupSource, NoBackup
from foundation.backup.reading import backup_lines, checked
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import UNSTORED, Row, WriteConflict
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.clock import FrozenClock

SOURCE = BackupSource(app="shop", ledger="l-1", prefix="shop/l-1/", schema=3)
DAY_MS = 86_400_000


async def _no_pause(_seconds: float) -> None: ...


@pytest.fixture
def rows() -> MemoryRows:
    """Three orders, one waiting."""
    found = MemoryRows()
    for number in range(3):
        found.put(f"order:{number}", {"n": number, "yes": True, "raw": b"\x00\xff", "text": "ü\n\ud800"})
    found.put("open:2", {})
    return found


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that a test moves."""
    return FrozenClock(1_800_000_000_000)


def kept_by(rows: object, store: MemoryBlobs, clock: FrozenClock) -> Keeping:
    """Return what keeps *rows* in *store*; of theirs, orders alone are never removed."""
    part = BackupPart(name="ledger", rows=rows, growing=frozenset({"order"}))  # type: ignore[arg-type]  # one method of it
    return Keeping(store=store, source=SOURCE, parts=[part], clock=clock, sleep=_no_pause)


async def all_of(store: MemoryBlobs, backup: Backup) -> Sequence[BackupLine]:
    """Return what a backup holds."""
    return [line async for line in backup_lines(store, backup)]


async def test_every_row_comes_back_with_its_types(rows: MemoryRows, clock: FrozenClock) -> None:
    """Bytes, texts and flags to the byte; the manifest counts them by kind."""
    store = MemoryBlobs()
    kept = await kept_by(rows, store, clock).run()

    assert {line.key: line.values for line in await all_of(store, kept)} == rows.dump()
    assert kept.counts == {"ledger": {"open": 1, "order": 3}}
    assert await manifest.load_manifest(store, kept.name, app="shop") == kept
    assert await manifest.backup_names(store, SOURCE.prefix) == [kept.name]


async def test_what_other_programs_write_comes_back_too() -> None:
    """A person with a table editor writes types of which the ledger has none."""
    values = {"float": 0.1, "time": datetime(2026, 1, 2, tzinfo=UTC), "guid": UUID(int=7), "i": 2**62, "no": False}

    async def one() -> AsyncIterator[BackupLine]:
        yield BackupLine("p", "k", values)

    (line,) = [each async for each in unpacked(packed(one()))]
    assert line == BackupLine("p", "k", values)
    assert [type(value) for value in line.values.values()] == [type(value) for value in values.values()]


async def test_a_row_stored_while_it_is_read_is_allowed_and_a_missing_one_is_not(
    rows: MemoryRows, clock: FrozenClock
) -> None:
    """Of the kinds that only grow; of the others rows go by right."""
    store, good = MemoryBlobs(), MemoryBlobs()

    class Moving:
        def __init__(self, *, loses: str, gains: str) -> None:
            self.scans, self.loses, self.gains = 0, loses, gains

        async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
            self.scans += 1
            found = [
                row for row in await rows.scan(first, last, limit=limit) if self.scans < 2 or row.key != self.loses
            ]
            new = [Row(key=self.gains, values={}, version=UNSTORED)] if self.scans > 1 else []
            return [*found, *new]

    kept = await kept_by(Moving(loses="open:2", gains="order:9"), good, clock).run()
    assert kept.counts == {"ledger": {"order": 4}}
    with pytest.raises(BackupIncomplete, match="1 of 3 rows of ledger order"):
        await kept_by(Moving(loses="order:1", gains="open:9"), store, clock).run()
    assert store.blobs == {}


async def test_a_page_is_asked_for_again(rows: MemoryRows, clock: FrozenClock) -> None:
    """While a partition moves the service answers 503 or 412."""

    class Busy:
        def __init__(self, *troubles: Exception) -> None:
            self.troubles = list(troubles)

        async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
            if self.troubles:
                raise self.troubles.pop()
            return await rows.scan(first, last, limit=limit)

    kept = await kept_by(Busy(StoreUnavailable(), WriteConflict(), StoreUnavailable()), MemoryBlobs(), clock).run()
    assert kept.rows == 4
    with pytest.raises(StoreUnavailable, match="keeps refusing"):
        await kept_by(Busy(*[WriteConflict("412")] * 5), MemoryBlobs(), clock).run()


@pytest.mark.parametrize("down_after", [0, 200])
async def test_an_account_that_goes_away_leaves_the_backup_of_before(
    rows: MemoryRows, clock: FrozenClock, down_after: int
) -> None:
    """While the rows are written, or before the manifest."""
    store = MemoryBlobs()
    kept = await kept_by(rows, store, clock).run()
    clock.advance(DAY_MS)
    store.down_after = down_after

    with pytest.raises(StoreUnavailable):
        await kept_by(rows, store, clock).run()

    assert await manifest.backup_names(store, SOURCE.prefix) == [kept.name]
    await checked(store, manifest.blob_name(kept.name), size=kept.size, sha256=kept.sha256)


async def test_a_copy_that_does_not_read_back_is_not_kept(rows: MemoryRows, clock: FrozenClock) -> None:
    """The account says that it is written, and gives back something else."""

    class Liar(MemoryBlobs):
        async def read(self, name: str) -> AsyncIterator[bytes]:
            yield self.blobs[name][:-9]

    store = Liar()
    with pytest.raises(NoBackup, match="not whole"):
        await kept_by(rows, store, clock).run()
    assert store.blobs == {}


async def test_seven_days_are_kept_and_never_less_than_the_newest(rows: MemoryRows, clock: FrozenClock) -> None:
    """By a clock that is moved from day to day; blobs without a manifest go too, and no other ledger's."""
    store = MemoryBlobs()
    store.blobs = {"shop/l-1/2020-01-01T05-00-00Z.rows.gz": b"cut", "shop/l-2/2020-01-01T05-00-00Z.rows.gz": b"other"}
    for _ in range(10):
        await kept_by(rows, store, clock).run()
        clock.advance(DAY_MS)

    names = await manifest.backup_names(store, SOURCE.prefix)
    assert len(names) == KEPT_MS // DAY_MS + 1  # the one of seven days ago to the second, and of each day since
    assert len(store.blobs) == 2 * len(names) + 1
    clock.advance(30 * DAY_MS)
    await kept_by(rows, store, clock).run()
    assert len(await manifest.backup_names(store, SOURCE.prefix)) == 1


async def test_what_is_no_backup_is_refused(rows: MemoryRows, clock: FrozenClock) -> None:
    """Before anything is read of it."""
    store = MemoryBlobs()
    kept = await kept_by(rows, store, clock).run()
    name = manifest.manifest_name(kept.name)
    good = json.loads(store.blobs[name])

    with pytest.raises(NoBackup, match="no backup other"):
        await manifest.load_manifest(store, "other", app="shop")
    with pytest.raises(NoBackup, match="of the app shop, not of mail"):
        await manifest.load_manifest(store, kept.name, app="mail")
    for body, why in (
        (json.dumps(good | {"format": 2}), "newer version"),
        (json.dumps(good)[:-20], "cannot be read"),
        (json.dumps({"format": 1, "app": "shop"}), "cannot be read"),
        ("[]", "cannot be read"),
    ):
        store.blobs[name] = body.encode()
        with pytest.raises(NoBackup, match=why):
            await manifest.load_manifest(store, kept.name, app="shop")


async def test_damaged_bytes_are_refused(rows: MemoryRows, clock: FrozenClock) -> None:
    """Cut, changed, put together of two, or made by somebody else."""
    store = MemoryBlobs()
    kept = await kept_by(rows, store, clock).run()
    blob = manifest.blob_name(kept.name)
    whole = store.blobs[blob]

    async def lines(*texts: bytes) -> AsyncIterator[bytes]:
        squeeze = zlib.compressobj(wbits=31)
        yield squeeze.compress(b"".join(texts)) + squeeze.flush()

    for damaged, why in (
        (whole[:-1], "not whole"),
        (whole[: len(whole) // 2], "not whole"),
        (whole[:40] + b"\x00\x01\x02" + whole[43:], "damaged"),
        (whole + b"more", "digest"),
        (b"plain text", "damaged"),
        (b"", "not whole"),
    ):
        store.blobs[blob] = damaged
        with pytest.raises(NoBackup, match=why):
            await checked(store, blob, size=kept.size, sha256=kept.sha256)
    for text in (b"{}\n", b'["p","k",{"v":{"other":"x"}}]\n', b'["p","k"]\n', b"no json\n", b'["p","k",7]\n'):
        with pytest.raises(NoBackup, match="no row"):
            [line async for line in unpacked(lines(text))]
    with pytest.raises(NoBackup, match="not whole"):
        [line async for line in unpacked(lines(b'["p","k",{}]'))]
    del store.blobs[blob]
    with pytest.raises(ConfigurationError):
        await checked(store, blob, size=kept.size, sha256=kept.sha256)


async def test_memory_does_not_grow_with_the_rows(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many rows, the same peak: pages and blocks alone are held."""

    class Many:
        def __init__(self, count: int) -> None:
            self.count = count

        async def scan(self, first: str, _last: str, *, limit: int) -> Sequence[Row]:
            start = int(first.strip().partition(":")[2] or -1) + 1
            numbers = range(start, min(start + limit, self.count))
            return [
                Row(key=f"order:{each:09d}", values={"text": sha256(b"%d" % each).hexdigest()}, version=UNSTORED)
                for each in numbers
            ]

    class Sink(MemoryBlobs):
        async def write(self, name: str, chunks: AsyncIterator[bytes]) -> None:
            async for _ in chunks:
                self.blobs[name] = b""

    async def seen(_store: object, _blob: str, *, size: int, **_: str) -> tuple[int, dict[str, dict[str, int]]]:
        return size, {"ledger": {"order": 10**9}}

    monkeypatch.setattr(keeping, "checked", seen)
    peaks = []
    for count in (3_000, 30_000):
        tracemalloc.start()
        await kept_by(Many(count), Sink(), clock).run()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5
