"""Makers of PayFlow's values, and its ledger in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.ledger.records import codec
from payflow.model import BaixaId, Centavos, CompanyId, CustomerId, InstalmentId
from payflow.progress import Instalment
from payflow.sealing import BlindIndex, Sealer, new_key
from payflow.state import Company, CompanyStatus, Delivery, DeliveryState, Receipt, ReceiptState

COMPANY = CompanyId("5f0a-clinic")
NOW = UnixMs(1_767_260_400_000)
MASTER_KEY = new_key()
SEALER = Sealer.of(MASTER_KEY)
INDEX = BlindIndex(b"0123456789abcdef0123456789abcdef")


def a_receipt(baixa: str = "b1", **changes: Any) -> Receipt:
    """Return a receipt that was just found."""
    receipt = Receipt(
        company=COMPANY,
        baixa=BaixaId(baixa),
        instalment=InstalmentId("p1"),
        customer=CustomerId("c1"),
        customer_name="Dra. Ana Canária",
        amount=Centavos(150_000),
        paid_on="2026-01-01",
        revision=1,
        state=ReceiptState.FOUND,
        found_ms=NOW,
        changed_ms=NOW,
        due_ms=NOW,
    )
    return replace(receipt, **changes)


def a_delivery(baixa: str = "b1", **changes: Any) -> Delivery:
    """Return a delivery that was never tried."""
    delivery = Delivery(
        company=COMPANY,
        baixa=BaixaId(baixa),
        kind="receipt",
        number=1,
        address="ana.canaria@example.org",
        address_index=INDEX.address("ana.canaria@example.org"),
        state=DeliveryState.READY,
        due_ms=NOW,
    )
    return replace(delivery, **changes)


def an_instalment(instalment: str = "p1", **changes: Any) -> Instalment:
    """Return an instalment as it was worked."""
    row = Instalment(
        id=InstalmentId(instalment),
        changed="2026-01-01T06:40:00",
        paid=Centavos(150_000),
        worked=True,
        customer=CustomerId("c1"),
        customer_name="Dra. Ana Canária",
        in_baseline=False,
    )
    return replace(row, **changes)


def a_company(**changes: Any) -> Company:
    """Return a clinic that is connected and has its baseline."""
    company = Company(
        id=COMPANY,
        status=CompanyStatus.ACTIVE,
        document="12345678000195",
        name="Clínica Canária",
        contact="financeiro.canaria@example.org",
        connected_ms=UnixMs(NOW - 1000),
        baseline_ms=UnixMs(NOW - 1000),
        route_family="eventos-financeiros",
    )
    return replace(company, **changes)


@dataclass
class Book:
    """A ledger in memory, and its two partitions to look into."""

    company_rows: MemoryRows = field(default_factory=MemoryRows)
    entry_rows: MemoryRows = field(default_factory=MemoryRows)

    @property
    def entries(self) -> Entries:
        return Entries(self.entry_rows)

    @property
    def lane(self) -> LaneLedger:
        return LaneLedger(COMPANY, self.company_rows, codec(COMPANY, SEALER), INDEX, self.entries)
