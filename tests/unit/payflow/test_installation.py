"""The rows and the tokens of each company are in partitions of their own."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from foundation.tablestore.memory import MemoryRows
from payflow.errors import ServedElsewhere
from payflow.installation import CompanyPartitions, Installation, sealed_parts
from payflow.ledger import keys
from payflow.ledger.identity import create
from payflow.model import CompanyId
from payflow.settings.mail import BounceSettings
from payflow.state import CompanyStatus
from tests.fakes.payflow import COMPANY, NOW, SEALER, a_company
from tests.fakes.rows import ListAudit

OTHER = CompanyId("another-clinic")


@dataclass
class Account:
    """An account's table: rows in memory, a set for each partition."""

    partitions: dict[str, MemoryRows] = field(default_factory=lambda: defaultdict(MemoryRows))

    @property
    def rows(self) -> MemoryRows:
        return self.rows_of("")

    @property
    def audit(self) -> ListAudit:
        return ListAudit()

    @property
    def audit_rows(self) -> MemoryRows:
        return self.rows_of("audit")

    def rows_of(self, partition: str) -> MemoryRows:
        return self.partitions[partition]


async def installed() -> tuple[Installation, Account, Account]:
    """Return an installation on two accounts in memory."""
    ledger, second = Account(), Account()
    identity = await create(MemoryRows(), SEALER, environment="test", redirect_uri="https://p.example/callback")
    return Installation(cast("Any", ledger), cast("Any", second), SEALER, identity), ledger, second


async def test_each_company_has_its_own_rows() -> None:
    """What one clinic stores, no other one reads; the list of companies is common."""
    base, ledger, _ = await installed()
    mine, theirs = base.lane(COMPANY), base.lane(OTHER)

    await mine.write_company(a_company())

    assert await mine.read_company() is not None
    assert await theirs.read_company() is None
    assert mine.entries.rows is theirs.entries.rows is ledger.rows_of(keys.COMPANIES)


async def test_both_doors_are_shut_without_their_secrets() -> None:
    """And open with them, each with its own."""
    base, _, _ = await installed()
    shut, said = BounceSettings(), {"secret": "whsec_" + "A" * 32, "events": "e" * 32}
    open_ = BounceSettings(**said)

    assert (base.bounce_door(lambda: NOW, shut).secret, base.event_door(lambda: NOW, shut).secret) == ("", "")
    assert base.bounce_door(lambda: NOW, open_).secret == said["secret"]
    assert base.event_door(lambda: NOW, open_).secret == said["events"]


async def test_the_rescue_copy_of_a_token_is_in_the_other_account(caplog: pytest.LogCaptureFixture) -> None:
    """One lost account does not take both; what becomes of a token is in the log under its company."""
    base, ledger, second = await installed()
    companies = CompanyPartitions(base, lambda: NOW, cast("Any", None))

    tokens = companies.tokens(COMPANY)
    with caplog.at_level(logging.ERROR):
        tokens.tell("rescue_unreachable")

    assert tokens.rescue is second.rows_of(keys.partition(COMPANY))
    assert tokens.ledger.rows is companies.lane(COMPANY).rows is ledger.rows_of(keys.partition(COMPANY))
    assert "rescue_unreachable" in caplog.text
    assert COMPANY in caplog.text


async def test_what_is_sealed_is_found_in_both_accounts() -> None:
    """A partition that a change of the master key passed over could be opened by nobody later."""
    base, ledger, second = await installed()
    await base.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)

    parts = await sealed_parts(base)

    mine = keys.partition(COMPANY)
    assert [part.rows for part in parts] == [
        ledger.rows_of(keys.OAUTH),
        ledger.rows,
        ledger.rows_of(mine),
        second.rows_of(mine),
    ]


async def test_the_send_log_is_in_the_second_account() -> None:
    """It outlives the ledger: a restore reads it."""
    base, ledger, second = await installed()

    log = base.send_log(lambda: NOW, COMPANY, 3)

    assert log.rows is second.rows_of(keys.partition(COMPANY))
    assert keys.partition(COMPANY) not in ledger.partitions
    assert log.epoch == 3


async def test_a_clinic_is_claimed_for_this_ledger() -> None:
    """In the second account, before anything is in the ledger; another ledger is refused, and changes nothing."""
    base, ledger, second = await installed()
    another, _, _ = await installed()
    companies = CompanyPartitions(base, lambda: NOW, cast("Any", None))
    theirs = CompanyPartitions(replace(another, second=base.second), lambda: NOW, cast("Any", None))

    await companies.claim(COMPANY)

    assert keys.partition(COMPANY) not in ledger.partitions
    claimed = second.rows_of(keys.partition(COMPANY)).dump()
    with pytest.raises(ServedElsewhere, match=r"https://p\.example"):
        await theirs.claim(COMPANY)
    assert second.rows_of(keys.partition(COMPANY)).dump() == claimed
    await companies.claim(COMPANY)
    await theirs.claim(OTHER)
