"""
Each page of PayFlow's runbook, typed as it is written: by a shell, in processes of their own, against real parts.

The storage emulator is this test's own, because the commands open the tables by their real names.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest

from devstack import paths, servers
from foundation.clock import UnixMs, system_clock
from foundation.tablestore.ports import DeleteRow
from payflow import resources, wiring
from payflow.alarms import CATALOGUE
from payflow.lane import Ended
from payflow.ledger import keys
from payflow.ledger.schema import LEVEL
from payflow.model import BaixaId
from payflow.sealing import key_id
from payflow.state import CompanyStatus, ReceiptState
from tests.fakes.mail_server import PASSWORD
from tests.integration.payflow.test_whole_way import COMPANY, World, _look_now, a_document, connected, world

__all__ = ["world"]

PAPERS = {
    name: (paths.ROOT / "docs" / "payflow" / name).read_text("utf-8") for name in ("runbook.md", "runbook.pt-BR.md")
}
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, paper: str = "runbook.md") -> list[str]:
    """Return the blocks of a page, by its heading."""
    (body,) = re.findall(rf"^## {re.escape(page)}\n(.*?)(?=^## |\Z)", PAPERS[paper], re.MULTILINE | re.DOTALL)
    return BLOCK.findall(body)


PAGES = re.findall(r"^## (.*)$", PAPERS["runbook.md"], re.MULTILINE)


@pytest.fixture
def azurite() -> Iterator[servers.Azurite]:
    """A storage emulator that nobody else uses."""
    with servers.azurite() as server:
        yield server


@dataclass
class Operator:
    """A person at a shell, with the page and what it is about."""

    world: World
    words: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)

    async def types(self, page: str, block: int = 0, code: int = 0) -> str:
        """Type one block of a page; return what it said. What it exports stays for the next one."""
        script = re.sub(r"\b[A-Z]{2,}\b(?!_|=)", lambda found: self.words.get(found[0], found[0]), blocks(page)[block])
        kept = self.variables.setdefault("KEPT", str(Path(self.words["FILE"]).with_name("environment")))
        shell = await asyncio.create_subprocess_exec(
            "bash", "-euc", f"{script}\nenv -0 > {kept}",
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "USER": "ana"},
            cwd=paths.ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await shell.communicate())[0].decode()
        assert shell.returncode == code, said
        if code == 0:
            await self._take(kept)
        return said

    async def _take(self, kept: str) -> None:
        """Let the app have the keys that the shell had at its end."""
        text = await asyncio.to_thread(Path(kept).read_text, "utf-8")
        after = dict(line.split("=", 1) for line in text.split("\0") if line)
        for name in ("MASTER_KEY", "OLD_MASTER_KEYS"):
            os.environ.pop(name, None)
            os.environ |= {name: after[name]} if name in after else {}
        await wiring.aclose()

    async def book(self, number: int) -> str:
        """Let the clinic book a payment with its document; return it."""
        ana = self.world.books.person("Dra. Canária", email="canaria@example.org", id="c-ana")
        payment = self.world.books.pay(self.world.books.bill(ana, number, due=date(2026, 1, 1)))
        self.world.books.attach(payment, a_document(number))
        return str(payment.id)

    async def mail(self, number: int) -> str:
        """Book a payment, and let the lane mail it."""
        payment = await self.book(number)
        await _look_now()
        await self.world.lane()
        return payment


@pytest.fixture
async def operator(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Operator:
    """A person who knows the runbook alone, and a clinic that is connected."""
    monkeypatch.setattr(resources, "LEDGER_TABLE", "payflow")
    monkeypatch.setattr(resources, "SECOND_TABLE", "payflowsentlog")
    await connected(world, capsys)
    words = {"COMPANY": COMPANY, "FILE": str(tmp_path / "file"), "CUSTOMER": "c-ana", "LEVEL": str(LEVEL)}
    return Operator(world=world, words=words)


async def test_a_lost_ledger_is_restored_by_its_page(operator: Operator) -> None:
    """What was mailed after the backup is not mailed again; what was booked meanwhile is mailed once."""
    first = await operator.mail(10_00)
    assert "fits" in await operator.types("Back a company up")
    second = await operator.mail(11_00)
    await _lose()

    said = await operator.types("Restore")

    assert f"Every row of company {COMPANY} is readable and fits." in said
    third = await operator.mail(12_00)
    assert [await operator.world.state(payment) for payment in (first, second, third)] == [ReceiptState.SENT] * 3
    assert len(operator.world.mail.accepted) == 3


async def _lose() -> None:
    tables = await wiring.container().ledger_tables()
    for partition in (keys.partition(COMPANY), keys.IDENTITY, keys.COMPANIES):
        rows = tables.rows_of(partition)
        for row in await rows.scan("", keys.END, limit=1000):
            await rows.commit([DeleteRow(key=row.key)])
    await wiring.aclose()


async def test_a_clinic_is_connected_again_by_its_page(operator: Operator) -> None:
    """What was booked meanwhile is mailed."""
    payment = await operator.book(10_00)
    operator.world.server.sign_in.revoke(COMPANY)
    operator.world.server.sign_in.end_access()
    await _until_refused(operator)

    said = await operator.types("Connect a clinic again")

    assert "needs_reconnect" in said
    assert "Conta conectada" in await operator.world.connect(said.splitlines()[-1])
    await _look_now()
    await operator.world.lane()
    assert await operator.world.state(payment) is ReceiptState.SENT


async def _until_refused(operator: Operator) -> None:
    lane = (await wiring.container().base()).lane(COMPANY)
    company = await lane.read_company()
    assert company
    await lane.write_company(replace(company, status=CompanyStatus.NEEDS_RECONNECT))
    await _look_now()
    await operator.world.lane()


async def test_a_stopped_sender_goes_on_by_its_page(operator: Operator) -> None:
    """The server's words, a new password, and the next mail at once."""
    os.environ["SMTP_PASSWORD"] = "wrong"
    await wiring.aclose()
    payment = await operator.mail(10_00)
    assert "535" in await operator.types("The sender has stopped")
    os.environ["SMTP_PASSWORD"] = PASSWORD
    await wiring.aclose()

    assert "The next due mail probes it now." in await operator.types("The sender has stopped", 1)

    await _due_now(payment)
    assert await operator.world.lane() is Ended.DONE
    assert await operator.world.state(payment) is ReceiptState.SENT
    assert len(operator.world.mail.accepted) == 1


async def _due_now(payment: str) -> None:
    """Let the time pass that the receipt waits for."""
    lane = (await wiring.container().base()).lane(COMPANY)
    receipt = await lane.receipt(BaixaId(payment))
    assert receipt
    now = UnixMs(system_clock() - 1)
    for mail in await lane.deliveries(receipt.baixa):
        await lane.write_delivery(replace(mail, due_ms=now))
    await lane.save(receipt, replace(receipt, due_ms=now))


async def test_an_unknown_mail_is_decided_by_its_page(operator: Operator) -> None:
    """It arrived; or it goes again, which is refused while the server may still take the first one."""
    operator.world.mail.faults.cut_at = "after_dot"
    payment = await operator.mail(10_00)
    assert await operator.world.state(payment) is ReceiptState.UNKNOWN
    operator.words = {**operator.words, "PAYMENT": payment}

    assert "minutes" in await operator.types("A mail that may have arrived", 1, code=1)
    await operator.types("A mail that may have arrived", 0)

    assert await operator.world.state(payment) is ReceiptState.SENT


async def test_a_person_is_erased_by_its_page(operator: Operator) -> None:
    """Nothing of the name is left, and nothing is mailed anew."""
    payment = await operator.mail(10_00)
    assert "fits" in await operator.types("Erase a person")
    await _look_now()
    await operator.world.lane()
    assert await operator.world.state(payment) is ReceiptState.SENT
    assert len(operator.world.mail.accepted) == 1
    exported = await asyncio.to_thread(Path(operator.words["FILE"]).read_text, "utf-8")
    assert "Canária" in exported


async def test_a_company_is_erased_by_its_page(operator: Operator) -> None:
    """Disconnected first."""
    await operator.mail(10_00)
    await operator.types("Erase a company")
    company = await (await wiring.container().base()).lane(COMPANY).read_company()
    assert company
    assert (company.status, company.name, company.document) == (CompanyStatus.DISCONNECTED, "", "")


async def test_the_key_is_changed_by_its_page(operator: Operator) -> None:
    """The old one opens nothing afterwards, and is not needed."""
    old = key_id(os.environ["MASTER_KEY"])
    await operator.mail(10_00)
    said = await operator.types("Change the key")
    assert f"keys retire {old}" in said
    operator.words = {**operator.words, "ID": old}

    assert "fits" in await operator.types("Change the key", 1)

    assert "OLD_MASTER_KEYS" not in os.environ
    await operator.mail(11_00)
    assert len(operator.world.mail.accepted) == 2


async def test_an_update_is_taken_back_by_its_page(operator: Operator) -> None:
    """No lane runs in between; then the mails go on."""
    assert "No lane runs any more." in await operator.types("Take an update back")
    payment = await operator.book(10_00)
    await _look_now()
    assert await operator.world.lane() is Ended.RESTING
    await operator.types("Take an update back", 1)
    await _look_now()
    await operator.world.lane()
    assert await operator.world.state(payment) is ReceiptState.SENT


def test_every_page_is_typed_and_every_alarm_has_one() -> None:
    """Both languages have the same blocks; each block of each page is typed by a test above."""
    source = Path(__file__).read_text("utf-8")
    typed = {(page, int(block or 0)) for page, block in re.findall(r'types\("([\w ]+)"(?:, (\d))?', source)}
    assert typed == {(page, at) for page in PAGES for at in range(len(blocks(page)))}
    assert BLOCK.findall(PAPERS["runbook.md"]) == BLOCK.findall(PAPERS["runbook.pt-BR.md"])
    for text in PAPERS.values():
        first = "".join(re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE))
        assert sorted(re.findall(r"`(\w+)`", first)) == sorted(CATALOGUE.codes)
