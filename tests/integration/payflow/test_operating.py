"""What an operator needs, on real parts: checks, verification, audits, the mail account, export and erasure."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from foundation.clock import system_clock
from foundation.errors import ConfigurationError
from foundation.tablestore.ports import DeleteRow
from payflow import wiring
from payflow.cli import checks, commands
from payflow.functions import workers
from payflow.lane import Ended
from payflow.ledger import keys, schema
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import BaixaId
from payflow.settings.mail import MailSettings
from payflow.state import Reason, ReceiptState
from tests.fakes.functions import Out, a_context
from tests.integration.payflow.test_whole_way import (
    COMPANY,
    OVERRIDE,
    World,
    _command,
    _look_now,
    a_document,
    connected,
    world,
)

__all__ = ["world"]


async def mailed(world: World, capsys: pytest.CaptureFixture[str]) -> str:
    """Connect, and mail one receipt to Dra. Canária; return the payment."""
    await connected(world, capsys)
    payer = world.books.person("Dra. Canária", email="canaria@example.org", id="c-ana")
    payment = world.books.pay(world.books.bill(payer, 10_00, due=date(2026, 1, 1)))
    world.books.attach(payment, a_document(10_00))
    await _look_now()
    await world.lane()
    assert await world.state(payment.id) is ReceiptState.SENT
    capsys.readouterr()
    return str(payment.id)


async def test_the_checklist(world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each item by its number; what fails here is named, an accepted one ends well, and nothing is mailed."""
    with pytest.raises(commands.Refused):
        await _command("doctor")
    assert "FAILED   1 key: the ledger's table does not exist" in capsys.readouterr().out
    await mailed(world, capsys)
    sent = len(world.mail.accepted)

    with pytest.raises(commands.Refused, match="5 items fail"):
        await _command("doctor")

    said = capsys.readouterr().out
    for line in (
        "ok       1 key",
        "FAILED   2 settings: ENVIRONMENT is staging",
        "ok       3 mail",
        "ok       4 oauth",
        "FAILED   5 https: the redirect URI is http",
        "FAILED   8 image: http://127.0.0.1:7072/healthz: ConnectError",
        f"FAILED   9 backup: no backup of the last 26 hours: {COMPANY}",
        "FAILED   10 logging: alarms go to the log alone",
        "ok       11 scaling",
        "by hand  12 lgpd",
        "bounces  no door is open: *sent* means that the mail server accepted a mail",
    ):
        assert line in said
    await _command("backup", COMPANY, str(tmp_path / "b"))
    await _command("doctor", *[f"--accept={name}" for name in ("settings", "https", "image", "logging")])
    assert "ok       9 backup" in capsys.readouterr().out
    assert len(world.mail.accepted) == sent
    assert [*checks.BY_HAND, *(item.name for item in checks.ITEMS)] == sorted(
        [*checks.BY_HAND, *(item.name for item in checks.ITEMS)],
        key=lambda name: (name not in checks.BY_HAND, int(name.split()[0])),
    )
    assert len({*checks.BY_HAND} | {item.name for item in checks.ITEMS}) == 12


async def test_every_company_is_held_for_a_deployment(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key: no lane is woken, none begins; what was booked meanwhile is mailed once afterwards."""
    await (await wiring.container().ledger_tables()).ensure()
    with pytest.raises(ConfigurationError, match="run `init` first"):
        await _command("pause", "--all")
    await connected(world, capsys)
    payment = world.books.pay(world.books.bill(world.books.person("A", email="a@b.example"), 1, due=date(2026, 1, 1)))
    world.books.attach(payment, a_document(1))
    await _look_now()
    key = os.environ.pop("MASTER_KEY")
    await wiring.aclose()

    await _command("pause", "--all", "--wait")
    await _command("pause", "--all")
    said = capsys.readouterr().out
    assert "No lane runs any more." in said
    assert "was held already" in said
    os.environ["MASTER_KEY"] = key
    await wiring.aclose()
    lanes = Out()
    await workers.wake_lanes(TimerRequest(), lanes, Out(), a_context())
    await workers.lane(func.QueueMessage(body=COMPANY.encode()), a_context())
    assert await world.lane() is Ended.RESTING
    assert (lanes.get(), len(world.mail.accepted)) == ("", 0)
    await _command("companies")
    assert "Every company is held since" in capsys.readouterr().out
    with pytest.raises(commands.Refused):
        await _command("doctor")
    assert "FAILED   11 scaling: every company is held since" in capsys.readouterr().out

    await _command("resume", "--all")
    await _look_now()
    await workers.wake_lanes(TimerRequest(), lanes, Out(), a_context())
    assert lanes.get() == f'["{COMPANY}"]'
    await workers.lane(func.QueueMessage(body=COMPANY.encode()), a_context())
    assert len(world.mail.accepted) == 1
    for wrong in (("pause",), ("pause", COMPANY, "--all"), ("resume",)):
        with pytest.raises(commands.Refused, match="about one company"):
            await _command(*wrong)


async def test_a_deployment_ends_its_own_hold_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person holds because something is wrong stays held; a deployment that failed is ended by the next one."""
    await connected(world, capsys)
    container = wiring.container()
    for hold in ([], ["--hold", "deploy"]):
        await _command("pause", "--all", *hold)
        await _command("pause", "--all", "--hold", "deploy")
        await _command("resume", "--all", "--hold", "deploy")
        assert await container.is_held() is (not hold)
        assert ("stays held" in capsys.readouterr().out) is (not hold)
        await _command("resume", "--all")
        assert not await container.is_held()
    for hold in (["--hold", "deploy"], [], ["--hold", "deploy"]):
        await _command("pause", "--all", *hold)
    await _command("resume", "--all", "--hold", "deploy")
    assert await container.is_held()
    with pytest.raises(commands.Refused, match="goes with --all"):
        await _command("pause", COMPANY, "--hold", "deploy")


async def test_an_offices_own_file_is_attached_in_conta_azul(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt held for want of a document is released, and the office's file is mailed, once, byte by byte."""
    await connected(world, capsys)
    payer = world.books.person("Dra. Canária", email="canaria@example.org", id="c-ana")
    payment = world.books.pay(world.books.bill(payer, 10_00, due=date(2026, 1, 1)))
    await _look_now()
    await world.lane()
    lane = (await wiring.container().base()).lane(COMPANY)
    waiting = await lane.receipt(BaixaId(payment.id))
    assert waiting
    assert waiting.state is ReceiptState.WAITING_DOCUMENT
    await lane.save(waiting, replace(waiting, state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT))

    world.books.attach(payment, a_document(77), kind="RECIBO", name="nosso.pdf")
    await _command("decide", COMPANY, payment.id, "release")
    await _look_now()
    await world.lane()
    await _look_now()
    await world.lane()

    (mail,) = world.mail.accepted
    (file,) = mail.message.iter_attachments()
    assert file.get_content() == a_document(77)
    assert await world.state(payment.id) is ReceiptState.SENT


async def test_the_schema_goes_up_and_down(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A ledger of before gets its index rows; one of a later version stops the lanes and every command."""
    payment = await mailed(world, capsys)
    base = await wiring.container().base()
    await base.ledger.rows.commit([DeleteRow(key=schema.ROW)])
    mails = await base.lane(COMPANY).deliveries(BaixaId(payment))
    await base.lane(COMPANY).rows.commit([DeleteRow(key=keys.message(mails[0].message_id))])
    with pytest.raises(commands.Refused, match="1 rows of company"):
        await _command("verify", COMPANY)

    await _command("migrate")
    assert "1 rows to write\nNothing was changed" in capsys.readouterr().out
    await _command("migrate", "--apply")
    await _command("verify", COMPANY)
    assert "schema level 1" in capsys.readouterr().out
    await _command("migrate", "--to", "0", "--apply")
    with pytest.raises(commands.Refused, match=r"level 0, this version's is 1: run `migrate --apply`"):
        await _command("verify", COMPANY)
    assert await world.lane() is Ended.DONE

    await schema.write_level(base.ledger.rows, schema.LEVEL + 1)
    with pytest.raises(ConfigurationError, match="this version knows 1"):
        await world.lane()
    await wiring.aclose()
    with pytest.raises(ConfigurationError, match="this version knows 1"):
        await _command("companies")


async def test_the_checklist_sees_a_wrong_password(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The server's own words; the token that was taken away too."""
    await mailed(world, capsys)
    os.environ["SMTP_PASSWORD"] = "wrong"
    await wiring.aclose()
    world.server.sign_in.revoke(COMPANY)
    world.server.sign_in.end_access()

    with pytest.raises(commands.Refused):
        await _command("doctor")

    said = capsys.readouterr().out
    assert "FAILED   3 mail: LOGIN: 535" in said
    assert f"FAILED   4 oauth: {COMPANY} (active): Conta Azul refused the refresh token" in said


async def test_an_auditor_sees_mails_tokens_and_decisions(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Newest first, addresses masked unless they are asked for."""
    payment = await mailed(world, capsys)
    await _command("no-mail", COMPANY, "c-ana")

    await _command("audit", "emails", "--limit", "5")
    await _command("audit", "tokens")
    await _command("audit", "decisions")
    masked = capsys.readouterr().out
    await _command("audit", "emails", "--addresses")

    assert payment in masked
    assert "t***@payflow.example" in masked
    assert "generation 1, access ends" in masked
    assert "no-mail  c-ana  " in masked
    assert OVERRIDE not in masked
    assert OVERRIDE in capsys.readouterr().out


async def test_the_mail_account_is_shown_and_probed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It sends; stopped, its words; then the next mail may try it at once."""
    await mailed(world, capsys)
    await _command("sender")
    assert "today 1 of 2000 mails" in capsys.readouterr().out
    with pytest.raises(commands.Refused, match="nothing to probe"):
        await _command("sender", "--probe-now")
    desk = await wiring.container().desk(await wiring.container().settings(MailSettings))
    await desk.heard(SmtpOutcome(verdict=Verdict.ACCOUNT, phase=Phase.LOGIN, words="535 5.7.8 not you"), "a")

    await _command("sender", "--probe-now")

    said = capsys.readouterr().out
    assert "the server said: 535 5.7.8 not you" in said
    assert (await desk.account()).probe_ms <= system_clock()


async def test_a_person_is_exported_and_erased(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Dry run, then done; the next look mails nothing, a restore of an older backup erases again."""
    payment = await mailed(world, capsys)
    backup, export = str(tmp_path / "backup"), tmp_path / "export.json"
    await _command("backup", COMPANY, backup)
    await _command("export", COMPANY, "c-ana", str(export))
    assert json.loads(export.read_text("utf-8"))["receipts"][0]["customer_name"] == "Dra. Canária"
    await _command("purge", COMPANY, "--person", "c-ana")
    assert "Nothing was changed" in capsys.readouterr().out
    lane = (await wiring.container().base()).lane(COMPANY)

    await _command("purge", COMPANY, "--person", "c-ana", "--apply")

    receipt = await lane.receipt(BaixaId(payment))
    assert receipt
    assert (receipt.state, receipt.customer_name) == (ReceiptState.SENT, "")
    await _look_now()
    await world.lane()
    await _command("restore", COMPANY, backup)
    again = await lane.receipt(BaixaId(payment))
    assert again
    assert again.customer_name == ""
    await _command("verify", COMPANY)
    assert "is readable and fits" in capsys.readouterr().out
    assert len(world.mail.accepted) == 1


async def test_a_company_is_erased_when_it_is_disconnected(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Not before; its rows stay, without anything personal."""
    payment = await mailed(world, capsys)
    with pytest.raises(commands.Refused, match="`disconnect` it first"):
        await _command("purge", COMPANY, "--company", "--apply")
    await _command("pause", COMPANY, "--wait")
    assert "No lane of it runs any more." in capsys.readouterr().out
    await _command("disconnect", COMPANY)

    await _command("purge", COMPANY, "--company", "--apply")

    lane = (await wiring.container().base()).lane(COMPANY)
    company, receipt = await lane.read_company(), await lane.receipt(BaixaId(payment))
    assert company
    assert receipt
    assert (company.name, company.document, company.contact, receipt.customer_name) == ("", "", "", "")
    await _command("verify", COMPANY)
    with pytest.raises(commands.Refused, match="There is no company"):
        await _command("verify", "nobody")
