"""Erasure: a person's or a company's rows stay, emptied; the others are not touched, and nothing is mailed anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Row
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.purging import Purging
from payflow.ledger import exporting, keys, verifying
from payflow.ledger.records import SEALED
from payflow.model import CustomerId, InstalmentId
from payflow.recipients.mapping import Mapped
from payflow.state import DeliveryState, ReceiptState
from tests.fakes.payflow import COMPANY, INDEX, NOW, SEALER, Book, a_company, a_delivery, a_receipt, an_instalment

ANA, BIA = CustomerId("c1"), CustomerId("c2")
CANARIES = ("Ana Canária", "ana.canaria@example.org")


async def filled() -> Book:
    """Ana and Bia, each with a payment that was mailed; Ana is mapped too."""
    book = Book()
    lane = book.lane
    await lane.write_company(a_company())
    for at, (customer, name) in enumerate([(ANA, "Dra. Ana Canária"), (BIA, "Dra. Bia")], start=1):
        instalment, baixa, address = f"p{at}", f"b{at}", f"{'ana.canaria' if at == 1 else 'bia'}@example.org"
        receipt = a_receipt(
            baixa,
            instalment=InstalmentId(instalment),
            customer=customer,
            customer_name=name,
            state=ReceiptState.SENT,
            document_sha256=f"{at}" * 64,
        )
        await lane.add(None, an_instalment(instalment, customer=customer, customer_name=name), [receipt], [])
        index = INDEX.address(address)
        mail = a_delivery(baixa, address=address, address_index=index, state=DeliveryState.SENT, sent_ms=NOW)
        mail = replace(mail, reply=f"250 <{address}> accepted")
        await lane.write_delivery(mail)
        write = AtomicWrite()
        write.insert(keys.payer_of(index, customer), {})
        lane.put_document(write, receipt.document_sha256, receipt)
        await commit(lane.rows, write, marker_row=keys.document(receipt.document_sha256))
    mapped = Mapped(by_customer={ANA: ("ana.canaria@example.org",)}, by_name={"dra. ana canaria": ("x@y.example",)})
    await LaneRecipients(lane).store_map(mapped, "office")
    return book


def opened(book: Book) -> str:
    """Return every row of the company, its sealed columns opened: sealed, they may hold any three letters by chance."""
    said = ""
    for key, values in book.company_rows.dump().items():
        said += key + str({name: value for name, value in values.items() if name not in SEALED})
        sealed = [name for name in SEALED & values.keys() if values[name]]
        said += " ".join(SEALER.open(COMPANY, name, str(values[name])) for name in sealed)
    return said


async def test_a_dry_run_changes_nothing_and_says_the_same() -> None:
    """Ten rows: her instalment, receipt, mail, document, address, map by id and by name."""
    book = await filled()
    before = book.company_rows.dump()

    dry = await Purging(ledger=book.lane, apply=False).person(ANA)

    assert book.company_rows.dump() == before
    assert dry == {"instalment": 1, "receipt": 1, "delivery": 1, "document": 1, "payer": 1, "name": 1, "customer": 1}
    assert await Purging(ledger=book.lane, apply=True).person(ANA) == dry
    assert await Purging(ledger=book.lane, apply=True).person(ANA) == {}


async def test_a_person_is_erased_and_the_other_is_not() -> None:
    """No name, no address, no index of one; what was paid, and that it was mailed, stays."""
    book = await filled()
    assert all(canary in opened(book) for canary in CANARIES)

    await Purging(ledger=book.lane, apply=True).person(ANA)

    left = opened(book)
    assert not [canary for canary in (*CANARIES, INDEX.address("ana.canaria@example.org")) if canary in left]
    assert "Dra. Bia" in left
    assert "bia@example.org" in left
    receipt = await book.lane.receipt(a_receipt("b1").baixa)
    assert receipt
    assert (receipt.state, receipt.amount, receipt.customer, receipt.customer_name) == ("sent", 150_000, ANA, "")
    assert (await verifying.verify_company(book.lane)).faults == []


async def test_a_person_whom_nobody_mapped_is_erased_too() -> None:
    """There is no row by the name and none by the id: what there is of her goes, and Ana's stays."""
    book = await filled()

    done = await Purging(ledger=book.lane, apply=True).person(BIA)

    assert done == {"instalment": 1, "receipt": 1, "delivery": 1, "document": 1, "payer": 1}
    left = opened(book)
    assert not [one for one in ("Bia", "bia@example.org") if one in left]
    assert all(canary in left for canary in CANARIES)


async def test_a_company_is_erased_whole() -> None:
    """Its own name and contact too; every row of a payment stays."""
    book = await filled()
    receipts = {key for key in book.company_rows.dump() if key.startswith(("receipt:", "instalment:", "delivery:"))}

    done = await Purging(ledger=book.lane, apply=True).company()

    assert (done["receipt"], done["company"]) == (2, 1)
    left = opened(book)
    assert not [one for one in (*CANARIES, "Bia", "bia@", "Clínica", "12345678000195") if one in left]
    assert receipts <= set(book.company_rows.dump())


async def test_what_is_stored_of_a_person_is_exported() -> None:
    """Opened, and of nobody else; a customer of whom nothing is stored has an empty file."""
    book = await filled()

    found = await exporting.of_person(book.lane, ANA)

    assert [len(found[part]) for part in ("said", "instalments", "receipts", "mails")] == [1, 1, 1, 1]
    assert found["mails"][0]["address"] == "ana.canaria@example.org"
    assert "Bia" not in str(found)
    assert (await exporting.of_person(book.lane, CustomerId("nobody")))["receipts"] == []


async def test_rows_that_do_not_fit_are_named() -> None:
    """An index without its receipt, a receipt without its index, a column that does not open."""
    book = await filled()
    lane = book.lane
    assert (await verifying.verify_company(lane)).faults == []
    await lane.add(None, an_instalment("p9"), [a_receipt("b9", instalment=InstalmentId("p9"), due_ms=UnixMs(5))], [])
    name, rows = lane.name(a_receipt("b9").baixa), book.company_rows
    rows.put(keys.HELD + f"no_document:{name}", {})
    rows.put(keys.HELD + "no_document:nobody", {})
    rows.put("company", {**rows.dump()["company"], "name": "00000000:gAAAAx"})
    write = AtomicWrite()
    write.delete(keys.sibling(InstalmentId("p9"), name))
    await commit(rows, write, marker_row="x")

    found = await verifying.verify_company(lane)

    assert found.counts["receipt"] == 3
    assert [fault.split(":")[0].split(" ")[1] for fault in found.faults] == ["company", "held", "held", "receipt"]
    assert "needs the key 00000000" in found.faults[0]
    assert "is missing" in found.faults[3]


async def test_what_looks_wrong_for_a_moment_is_not_told() -> None:
    """A lane writes while rows are read: the second look finds the index of the receipt as it is now."""
    book = await filled()
    lane = book.lane
    before = a_receipt("b9", instalment=InstalmentId("p9"), due_ms=UnixMs(5))
    await lane.add(None, an_instalment("p9"), [before], [])
    stale = dict(book.company_rows.dump())
    found = await lane.receipt(before.baixa)
    assert found
    await lane.save(found, replace(found, due_ms=UnixMs(9)))
    scan = book.company_rows.scan

    async def torn(first: str, last: str, *, limit: int) -> Sequence[Row]:
        rows = await scan(first, last, limit=limit)
        return [replace(row, values=stale[row.key]) if row.key in stale else row for row in rows]

    book.company_rows.scan = torn  # type: ignore[method-assign]

    assert (await verifying.verify_company(lane)).faults == []
