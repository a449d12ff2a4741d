"""The whole way on real parts: pages, stand-in, tables, SMTP with TLS. One payment, one mail, and no second one."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func
import httpx
import pytest
from azure.functions.timer import TimerRequest

from devstack.conta_azul.books import Books
from devstack.conta_azul.serve import CLIENT_ID, CLIENT_SECRET, conta_azul
from devstack.conta_azul.server import ContaAzul
from devstack.servers import Azurite
from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.tablestore.ports import DeleteRow, InsertRow
from payflow import resources, wiring
from payflow.cli import commands
from payflow.connect.pages import COOKIE
from payflow.documents.comprovante import Payment, make
from payflow.functions import connect, health, workers
from payflow.lane import Ended
from payflow.ledger import backup, identity, keys
from payflow.model import BaixaId, Centavos, CompanyId, Composition
from payflow.sealing import key_id, new_key
from payflow.state import CompanyStatus, ReceiptState
from tests.fakes.functions import Out, a_context
from tests.fakes.mail_server import PASSWORD, USER, FaultyServer, mail_server
from tests.unit.payflow.test_bounces import ID, REPORT

COMPANY, DOCUMENT = CompanyId("5f0a-clinic"), "12345678000195"
REDIRECT = "http://127.0.0.1:7072/oauth/callback"
OVERRIDE = "teste@payflow.example"


@dataclass
class World:
    """Everything that runs."""

    server: ContaAzul
    books: Books
    mail: FaultyServer
    http: httpx.AsyncClient

    async def lane(self) -> Ended:
        """Run the company's lane as its message would."""
        return await (await wiring.container().lane(COMPANY)).run()

    async def state(self, baixa: str) -> ReceiptState:
        found = await (await wiring.container().base()).lane(COMPANY).receipt(BaixaId(baixa))
        assert found is not None
        return found.state

    async def connect(self, link: str) -> str:
        """Press the button, sign in at Conta Azul, come back; return the page that is shown at the end."""
        secret = link.rpartition("/")[2]
        page = await connect.connect(_request("GET", f"/connect/{secret}", invitation=secret), a_context())
        assert "Conectar ao Conta Azul" in page.get_body().decode()
        begun = await connect.connect(_request("POST", f"/connect/{secret}", invitation=secret), a_context())
        cookie = begun.headers["Set-Cookie"].split(";")[0]
        form = await self.http.get(begun.headers["Location"])
        fields = dict(re.findall(r'name="(redirect_uri|state)" value="([^"]*)"', form.text))
        signed = await self.http.post(
            f"{self.server.base_url}/login", data={**fields, "user": "financeiro", "password": "x", "do": "allow"}
        )
        back = urlsplit(signed.headers["Location"])
        answer = await connect.oauth_callback(_request("GET", f"{back.path}?{back.query}", cookie=cookie), a_context())
        return str(answer.get_body().decode())


def _request(method: str, path: str, *, cookie: str = "", invitation: str = "") -> func.HttpRequest:
    parts = urlsplit(path)
    return func.HttpRequest(
        method=method,
        url=f"http://127.0.0.1:7072{path}",
        headers={"Cookie": cookie},
        params=dict(httpx.QueryParams(parts.query)),
        route_params={"invitation": invitation},
        body=b"",
    )


@pytest.fixture
async def world(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch, table_name: str, tmp_path: Path
) -> AsyncIterator[World]:
    """A clinic at the stand-in, a ledger of its own, a mail server whose authority the app trusts."""
    monkeypatch.setattr(resources, "LEDGER_TABLE", f"{table_name}a")
    monkeypatch.setattr(resources, "SECOND_TABLE", f"{table_name}b")
    with mail_server() as mail:
        async with conta_azul([REDIRECT]) as server, httpx.AsyncClient(trust_env=False) as http:
            books = server.company(COMPANY, document=DOCUMENT, name="Clínica Boa", user="financeiro")
            authority = tmp_path / "authority.pem"
            mail.authority.cert_pem.write_to_path(str(authority))
            os.environ |= {
                "AzureWebJobsStorage": azurite.connection_string,
                "SEND_LOG_STORAGE": azurite.connection_string,
                "SSL_CERT_FILE": str(authority),
                "MASTER_KEY": new_key(),
                "ENVIRONMENT": "staging",
                "OVERRIDE_RECIPIENT_EMAIL": OVERRIDE,
                "CONTA_AZUL_CLIENT_ID": CLIENT_ID,
                "CONTA_AZUL_CLIENT_SECRET": CLIENT_SECRET,
                "CONTA_AZUL_REDIRECT_URI": REDIRECT,
                "CONTA_AZUL_API_BASE_URL": server.base_url,
                "CONTA_AZUL_AUTH_URL": f"{server.base_url}/oauth2/authorize",
                "CONTA_AZUL_TOKEN_URL": f"{server.base_url}/oauth2/token",
                "INSIDE_NETWORKS": "127.0.0.0/8",
                "SMTP_HOST": "localhost",
                "SMTP_PORT": str(mail.port),
                "SMTP_SECURITY": "starttls",
                "SMTP_USER": USER,
                "SMTP_PASSWORD": PASSWORD,
                "SMTP_FROM": "recibos@payflow.example",
                "POLLING_INTERVAL_SECONDS": "60",
                "BALLX_USE_KV": "0",
            }
            yield World(server=server, books=books, mail=mail, http=http)
            await wiring.aclose()


async def _command(*arguments: str) -> None:
    """Run a command in this loop, as ``python3 -m payflow`` would in its own."""
    chosen = commands._parser().parse_args(arguments)
    await chosen.run(wiring.container(), chosen)


def a_document(amount: int) -> bytes:
    """Return a PDF as the ERP makes one."""
    return make(
        Payment(
            company="ERP",
            company_document=DOCUMENT,
            payer="Dra. Ana",
            payer_document="",
            paid_on="2026-01-01",
            composition=Composition(gross=Centavos(amount)),
            number=str(amount),
        )
    )


async def connected(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Make the ledger, invite, connect, take the baseline."""
    await _command("init")
    await _command("invite", "--document", DOCUMENT)
    link = capsys.readouterr().out.splitlines()[-1]
    assert "Conta conectada" in await world.connect(link)
    assert await world.lane() is Ended.DONE


async def test_a_booked_payment_becomes_one_mail(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Connected through the pages; what was paid before is not mailed, what is booked is, once."""
    ana = world.books.person("Dra. Ana", email="ana@example.org", id="c-ana")
    today = date.today()  # noqa: DTZ011 -- a due date
    old = world.books.bill(ana, 900_00, due=today)
    world.books.attach(world.books.pay(old), a_document(900_00))
    old.changed -= timedelta(days=2)
    old.payments[0].updated -= timedelta(days=2)
    await connected(world, capsys)

    payment = world.books.pay(world.books.bill(ana, 1500_00, due=today))
    world.books.attach(payment, a_document(1500_00))
    await _look_now()
    assert await world.lane() is Ended.DONE
    await _look_now()
    assert await world.lane() is Ended.DONE

    (mail,) = world.mail.accepted
    assert await world.state(payment.id) is ReceiptState.SENT
    assert mail.recipients == (OVERRIDE,)
    assert mail.message["Subject"] == "[TESTE] Recibo de pagamento - Clínica Boa"
    text = mail.message.get_body(("plain",))
    assert text is not None
    assert "R$ 1.500,00" in text.get_content().replace("\xa0", " ")
    (pdf,) = mail.message.iter_attachments()
    assert pdf.get_content() == a_document(1500_00)


async def test_an_undone_payment_is_withdrawn(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Before its document came: no mail."""
    await connected(world, capsys)
    ana = world.books.person("Ana", email="a@b.example")
    payment = world.books.pay(world.books.bill(ana, 10_00, due=date(2026, 1, 1)))
    base = await wiring.container().base()
    await _look_now()
    lane = await wiring.container().lane(COMPANY)
    world.books.attach(payment, b"%PDF-broken" + b" " * 200)
    await lane.run()
    world.books.undo(payment)
    await _look_now()
    await world.lane()

    assert world.mail.accepted == []
    receipt = await base.lane(COMPANY).receipt(BaixaId(payment.id))
    assert receipt is not None
    assert (receipt.state, receipt.gone) == (ReceiptState.WITHDRAWN, True)


async def test_the_service_says_how_it_is(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Not ready without an identity, ready with one; alive either way."""
    before = await health.ready(_request("GET", "/ready"), a_context())
    await connected(world, capsys)
    await wiring.aclose()  # an answer is kept for ten seconds; another instance has none
    after = await health.ready(_request("GET", "/ready"), a_context())
    alive = await health.healthz(_request("GET", "/healthz"), a_context())

    assert (before.status_code, after.status_code, alive.status_code) == (503, 200, 200)
    assert CLIENT_SECRET not in (before.get_body() + after.get_body()).decode()


async def test_the_timer_wakes_what_is_due(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The message is the company, its lane runs, an unknown one is left."""
    await connected(world, capsys)
    await _look_now()
    lanes = Out()

    await workers.wake_lanes(TimerRequest(), lanes, Out(), a_context())
    await workers.lane(func.QueueMessage(body=COMPANY.encode()), a_context())
    await workers.lane(func.QueueMessage(body=b"nobody"), a_context())
    await workers.lane_poisoned(func.QueueMessage(body=b"x"), a_context())

    assert lanes.get() == f'["{COMPANY}"]'


async def test_a_second_deployment_is_refused_until_the_first_lets_go(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One second account, two ledgers: connected once, disconnected there, connected here, and back by `resume`."""
    await connected(world, capsys)
    first = resources.LEDGER_TABLE
    monkeypatch.setattr(resources, "LEDGER_TABLE", f"{first}2")
    await wiring.aclose()
    await _command("init")
    await _command("invite", "--document", DOCUMENT)
    link = capsys.readouterr().out.splitlines()[-1]

    assert "Outra instalação do PayFlow já atende esta empresa" in await world.connect(link)

    monkeypatch.setattr(resources, "LEDGER_TABLE", first)
    await wiring.aclose()
    payment = world.books.pay(world.books.bill(world.books.person("Ana"), 10_00, due=date(2026, 1, 1)))
    await _look_now()
    await world.lane()
    assert await world.state(payment.id) is ReceiptState.READY
    with pytest.raises(commands.Refused, match="1 receipts of company"):
        await _command("disconnect", COMPANY)
    await _command("disconnect", COMPANY, "--leave-open")
    assert await (await wiring.container().base()).lane(COMPANY).read_token() is None

    monkeypatch.setattr(resources, "LEDGER_TABLE", f"{first}2")
    await wiring.aclose()
    await _command("invite", "--document", DOCUMENT)
    assert "Conta conectada" in await world.connect(capsys.readouterr().out.splitlines()[-1])
    monkeypatch.setattr(resources, "LEDGER_TABLE", first)
    await wiring.aclose()
    await _command("disconnect", COMPANY, "--leave-open")
    assert "Another deployment serves it already" in capsys.readouterr().out
    await _status(CompanyStatus.ELSEWHERE)
    with pytest.raises(commands.Refused, match="still serves"):
        await _command("resume", COMPANY)

    monkeypatch.setattr(resources, "LEDGER_TABLE", f"{first}2")
    await wiring.aclose()
    await _command("disconnect", COMPANY)
    monkeypatch.setattr(resources, "LEDGER_TABLE", first)
    await wiring.aclose()
    await _command("resume", COMPANY)
    assert "is active" in capsys.readouterr().out


async def test_pages_for_what_is_not_valid(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """An invitation that never was, an unknown state, an invalid method."""
    await connected(world, capsys)

    unknown = await connect.connect(_request("GET", "/connect/x", invitation="x"), a_context())
    forged = await connect.oauth_callback(
        _request("GET", "/oauth/callback?code=c&state=s", cookie=f"{COOKIE}=x"), a_context()
    )
    method = await connect.oauth_callback(_request("PUT", "/oauth/callback"), a_context())

    assert (unknown.status_code, forged.status_code, method.status_code) == (404, 400, 405)


async def test_an_operator_sees_and_stops(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Companies, receipts, one receipt, the cursor; pause and resume; nothing personal."""
    await connected(world, capsys)
    payment = world.books.pay(world.books.bill(world.books.person("Dra. Canária"), 10_00, due=date(2026, 1, 1)))
    await _look_now()
    await world.lane()
    for command in (
        ("companies",),
        ("receipts", COMPANY),
        ("show", COMPANY, payment.id),
        ("cursor", COMPANY),
        ("pause", COMPANY),
        ("resume", COMPANY),
    ):
        await _command(*command)
    said = capsys.readouterr().out

    assert payment.id in said
    assert "is paused" in said
    assert "is active" in said
    assert "Canária" not in said
    await _status(CompanyStatus.CONFIRM)  # a pause and its end would confirm it
    for wrong in (
        ("pause", COMPANY),
        ("show", COMPANY, "b"),
        ("pause", "nobody"),
        ("resume", COMPANY),
        ("invite", "--document", "1"),
    ):
        with pytest.raises(commands.Refused):
            await _command(*wrong)


async def test_a_lost_ledger_is_restored_by_commands(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its identity with it; paused until the operator resumes; a restore that was cut keeps it paused."""
    await connected(world, capsys)
    payment = world.books.pay(world.books.bill(world.books.person("Ana"), 10_00, due=date(2026, 1, 1)))
    await _look_now()
    await world.lane()
    file = str(tmp_path / "backup")
    await _command("backup", COMPANY, file)
    rows = (await wiring.container().ledger_tables()).rows
    await rows.commit([DeleteRow(key=identity.ROW)])
    await wiring.aclose()

    await _command("restore", COMPANY, file)

    assert await world.state(payment.id) is ReceiptState.READY
    company_rows = (await wiring.container().base()).lane(COMPANY).rows
    await company_rows.commit([InsertRow(key=keys.RESTORING, values={})])
    with pytest.raises(commands.Refused, match="was cut"):
        await _command("resume", COMPANY)
    await _status(CompanyStatus.CONFIRM)
    with pytest.raises(commands.Refused, match="was cut"):
        await _command("confirm", COMPANY)
    await _status(CompanyStatus.PAUSED)
    await company_rows.commit([DeleteRow(key=keys.RESTORING)])
    await _command("resume", COMPANY)
    other = tmp_path / "other"
    _rewrite(Path(file), other)
    with pytest.raises(commands.Refused, match="of the ledger another"):
        await _command("restore", COMPANY, str(other))


async def test_a_lost_ledger_is_restored_from_the_second_account(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The timer's copy of the day is found by its name, and put back; the mail of since is not sent again."""
    await connected(world, capsys)
    payment = world.books.pay(world.books.bill(world.books.person("Ana"), 10_00, due=date(2026, 1, 1)))
    await _look_now()
    await world.lane()
    (made,) = await (await wiring.container().backups()).run_due()
    assert await (await wiring.container().retentions()).run_due() == 0  # nothing is old: the mark of the day is stored
    capsys.readouterr()
    await _command("backup", COMPANY, "--list")
    name = capsys.readouterr().out.strip()
    assert name == made.name
    await _command("backup", COMPANY)
    assert f"are in payflow/{made.source.ledger}/{COMPANY}/" in capsys.readouterr().out
    rows = (await wiring.container().ledger_tables()).rows
    await rows.commit([DeleteRow(key=identity.ROW)])
    await wiring.aclose()

    await _command("restore", COMPANY, "--from", name)

    assert await world.state(payment.id) is ReceiptState.READY
    with pytest.raises(commands.Refused, match="not both"):
        await _command("restore", COMPANY)
    with pytest.raises(Rejected, match="no backup"):
        await _command("restore", COMPANY, "--from", "payflow/none")


async def test_the_key_is_changed_by_commands(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old key is kept while a row, or a backup that is named, needs it; afterwards the new one alone opens all."""
    await connected(world, capsys)
    file, old, new = str(tmp_path / "backup"), os.environ["MASTER_KEY"], new_key()
    await _command("backup", COMPANY, file)
    monkeypatch.setenv("MASTER_KEY", new)
    monkeypatch.setenv("OLD_MASTER_KEYS", old)
    await wiring.aclose()
    with pytest.raises(Rejected, match="rows need the key"):
        await _command("keys", "retire", key_id(old))

    await _command("keys", "rotate")

    with pytest.raises(Rejected, match="backup"):
        await _command("keys", "retire", key_id(old), file)
    with pytest.raises(Rejected, match="MASTER_KEY itself"):
        await _command("keys", "retire", key_id(new))
    await _command("keys", "retire", key_id(old))
    assert "Remove it from OLD_MASTER_KEYS" in capsys.readouterr().out
    monkeypatch.delenv("OLD_MASTER_KEYS")
    await wiring.aclose()
    await _command("cursor", COMPANY)
    assert commands.main(["keys", "new"]) == 0
    shown = capsys.readouterr()
    assert key_id(shown.out.splitlines()[-1]) in shown.err


async def test_a_clinic_is_looked_at_and_set_by_commands(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Probed, its documents chosen, a customer's language, a mail shown; nothing is sent by that."""
    monkeypatch.setattr("payflow.lane.WAIT_MS", 0)  # no look for the document that is not there a minute later
    await connected(world, capsys)
    payment = world.books.pay(world.books.bill(world.books.person("Ana", id="c-ana"), 10_00, due=date(2026, 1, 1)))
    world.books.people["c-ana"].email = "ana@example.org"
    await _look_now()
    await world.lane()
    await _command("probe", COMPANY)
    await _command("policy", COMPANY, "own")
    await _command("language", COMPANY, "c-ana", "en")
    sent, file = len(world.mail.accepted), tmp_path / "mail.eml"

    await _command("preview", COMPANY, payment.id, str(file))

    said = capsys.readouterr().out
    assert "0 of 1 payments" in said
    assert "Documents of company 5f0a-clinic: own" in said
    assert b"Payment receipt" in file.read_bytes()
    assert len(world.mail.accepted) == sent
    with pytest.raises(Rejected, match="no payment"):
        await _command("preview", COMPANY, "b", str(file))
    lane = (await wiring.container().base()).lane(COMPANY)
    company = await lane.read_company()
    assert company
    await lane.write_company(replace(company, document="12345678909"))
    with pytest.raises(Rejected, match="Receita"):
        await _command("policy", COMPANY, "own")


async def test_nothing_personal_or_secret_comes_out(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a log line, nor in the bytes of either account's rows; only the mail has the name."""
    caplog.set_level("DEBUG", "payflow")
    await connected(world, capsys)
    ana = world.books.person("Dra. Canária", email="canaria@example.org", document="98765432100")
    payment = world.books.pay(world.books.bill(ana, 10_00, due=date(2026, 1, 1)))
    world.books.attach(payment, a_document(10_00))
    await _look_now()
    await world.lane()
    assert await world.state(payment.id) is ReceiptState.SENT
    (mail,) = world.mail.accepted
    text = mail.message.get_body(("plain",))
    assert text
    assert "Canária" in text.get_content()

    base = await wiring.container().base()
    token = await base.lane(COMPANY).read_token()
    assert token
    stored = [tables.rows_of(COMPANY) for tables in (base.ledger, base.second)]
    rows = [str(dict(row.values)) + row.key for part in stored for row in await part.scan("", "~", limit=1000)]
    said = caplog.text + capsys.readouterr().out + "".join(rows)

    assert len(rows) > 8
    assert "receipt" in caplog.text
    for secret in (
        "Canária",
        "canaria@",
        "98765432100",
        DOCUMENT,
        token.access,
        token.refresh,
        os.environ["MASTER_KEY"],
    ):
        assert secret not in said


async def test_a_person_decides_by_commands(world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Mapped from a file, mailed, sent once more, come back, skipped; each decision is in both audits."""
    await connected(world, capsys)
    payer = world.books.person("Dra. Ana", id="c-ana")
    payment = world.books.pay(world.books.bill(payer, 10_00, due=date(2026, 1, 1)))
    world.books.attach(payment, a_document(10_00))
    file = _written(tmp_path / "map.csv", "id;email\nc-ana;ana@example.org\n;nada\n")
    await _command("map", COMPANY, file)
    await _look_now()
    await world.lane()
    assert await world.state(payment.id) is ReceiptState.SENT

    await _command("resend", COMPANY, payment.id)
    await world.lane()
    assert [mail.recipients for mail in world.mail.accepted] == [(OVERRIDE,)] * 2
    bounce = _written(tmp_path / "bounce.eml", REPORT.replace(ID, world.mail.accepted[0].message_id))
    await _command("bounces", COMPANY, bounce, _written(tmp_path / "other.eml", REPORT))
    assert await world.state(payment.id) is ReceiptState.REFUSED
    await _command("decide", COMPANY, payment.id, "skip")
    await _command("no-mail", COMPANY, "c-ana")
    await _command("no-mail", COMPANY, "c-ana", "--undo")
    await _command("address", COMPANY, OVERRIDE)

    said = capsys.readouterr().out
    assert "1 are mapped, 1 lines are refused" in said
    assert "came back (5.1.1); the receipt is refused" in said
    assert "names no mail that went out" in said
    assert "ana@example.org" not in said
    for tables in (await wiring.container().ledger_tables(), await wiring.container().second_tables()):
        assert len(await tables.audit.recorded(f"decision:{COMPANY}:")) == 7
    for wrong in (
        ("decide", COMPANY, payment.id, "release"),
        ("decide", COMPANY, payment.id, "again"),
        ("decide", COMPANY, payment.id, "arrived", "--mail", "x"),
        ("decide", "nobody", payment.id, "skip"),
        ("resend", COMPANY, payment.id, "--to", "nobody"),
        ("address", COMPANY, "nobody"),
    ):
        with pytest.raises(Rejected):
            await _command(*wrong)


async def test_a_payment_changed_after_its_mail_is_corrected_by_commands(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Listed with both amounts; no correction needed; or one, which is another mail."""
    await connected(world, capsys)
    ana = world.books.person("Ana", email="a@x.com.br")
    payment = world.books.pay(world.books.bill(ana, 10_00, due=date(2026, 1, 1)))
    world.books.attach(payment, a_document(10_00))
    await _look_now()
    await world.lane()
    for gross in (20_00, 30_00):
        world.books.edit(payment, gross=gross)
        await _look_now()
        await world.lane()
        await _command("receipts", COMPANY, "--changed")
        what = ("decide", COMPANY, payment.id, "no-correction") if gross == 20_00 else ()
        await _command(*(what or ("resend", COMPANY, payment.id, "--correction", "--by", "ana", "--reason", "typo")))
    await _command("show", COMPANY, payment.id)
    payment.files[0].content = a_document(30_00)
    await world.lane()

    assert len(world.mail.accepted) == 2
    said = capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")
    day = payment.paid_on.isoformat()
    for reais in (20, 30):
        assert f"after it was mailed: was R$ 10,00 on {day}, is R$ {reais},00 on {day}" in said
    assert f"correction 1 of R$ 10,00 on {day}, by ana" in said
    assert await world.state(payment.id) is ReceiptState.SENT
    with pytest.raises(Rejected, match="leave out --to"):
        await _command("resend", COMPANY, payment.id, "--correction", "--to", "b@x.com.br")


def _written(file: Path, text: str) -> str:
    file.write_text(text, "utf-8")
    return str(file)


def _rewrite(file: Path, other: Path) -> None:
    """Write a backup as if it were another ledger's."""
    found = backup.from_json_lines(file.read_text("utf-8"))
    other.write_text(backup.as_json_lines(replace(found, ledger_id="another")), "utf-8")


async def _status(status: CompanyStatus) -> None:
    lane = (await wiring.container().base()).lane(COMPANY)
    company = await lane.read_company()
    assert company
    await lane.write_company(replace(company, status=status))


async def _look_now() -> None:
    """Let the cursor be as old as an interval, and the entry due."""
    await asyncio.sleep(1.1)  # a look asks to the second, and finds the rest of it the next time
    base = await wiring.container().base()
    lane = base.lane(COMPANY)
    cursor = await lane.read_cursor()
    await lane.write_cursor(replace(cursor, upper_ms=UnixMs(cursor.upper_ms - 60_000)))
    await base.entries.lower(COMPANY, UnixMs(0))
