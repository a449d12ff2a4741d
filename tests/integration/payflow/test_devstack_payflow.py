"""The inbox of ``devstack payflow``, as a browser sees it."""

from __future__ import annotations

import os
import smtplib
import ssl
import subprocess
import sys
from asyncio import to_thread
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from devstack.conta_azul.serve import conta_azul
from devstack.payflow import app
from devstack.payflow.desk import Desk, served
from devstack.payflow.journey import COMPANY, DOCUMENT
from devstack.payflow.mailbox import HOST, PASSWORD, USER, Mailbox, mailbox
from devstack.payflow.service import service
from devstack.runs import Run
from foundation.secrets.sign_in import azure_credential
from payflow.adapters.acs import SCOPE, AcsChannel, client
from payflow.adapters.mail_token import token_source
from payflow.sealing import new_key


async def test_the_inbox_opens_in_a_browser() -> None:
    """The list, a mail, and what is not there."""
    async with mailbox() as box, httpx.AsyncClient(base_url=box.web_url, trust_env=False) as browser:
        empty = await browser.get("/")
        box.received.append(b"From: a@b.example\r\nTo: c@d.example\r\nSubject: <b>Recibo</b>\r\n\r\nOl\xc3\xa1\r\n")
        listed, shown, missing = [await browser.get(path) for path in ("/", "/0", "/1")]

    assert "No mail yet." in empty.text
    assert "&lt;b&gt;Recibo" in listed.text
    assert shown.status_code == 200
    assert missing.status_code == 404


async def test_a_sign_in_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The library warns of its own old names at each one, in the middle of the story of a payment."""
    async with mailbox() as box:
        await to_thread(_sign_in, box)

    assert [record.getMessage() for record in caplog.records if record.name == "mail.log"] == []


def _sign_in(box: Mailbox) -> None:
    with smtplib.SMTP(HOST, box.smtp_port, timeout=10) as connection:
        connection.starttls(context=ssl.create_default_context(cafile=str(box.ca_file)))
        assert connection.login(USER, PASSWORD)[0] == 235


async def test_azure_communication_services_fills_the_same_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed in as the app does it in Azure, by its identity's token service; over TLS of the inbox' authority."""
    async with mailbox() as box, service(box) as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        async with azure_credential() as identity, client(ssl.create_default_context(cafile=str(box.ca_file))) as http:
            channel = AcsChannel(http, settings["ACS_ENDPOINT"], "r@payflow.example", token_source(identity, SCOPE))
            assert await channel.check() is None
            token = await token_source(identity, SCOPE)()
            file = {"name": "r.pdf", "contentType": "application/pdf", "contentInBase64": "JVBERg=="}
            mail = {
                "senderAddress": "r@payflow.example",
                "content": {"subject": "Recibo", "plainText": "Olá", "html": "<p>Olá</p>"},
                "recipients": {"to": [{"address": "a@b.example"}]},
                "attachments": [file],
            }
            taken = await http.post(
                f"{settings['ACS_ENDPOINT']}/emails:send?api-version=2025-09-01",
                json=mail,
                headers={"Authorization": f"Bearer {token}", "Operation-Id": str(uuid4())},
            )
        async with httpx.AsyncClient(trust_env=False) as other:
            foreign = await other.get(f"{settings['IDENTITY_ENDPOINT']}?resource=x")

    assert (taken.status_code, foreign.status_code) == (202, 401)
    (message,) = box.messages()
    assert (message["Subject"], message["To"]) == ("Recibo", "a@b.example")
    (pdf,) = message.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content()) == ("r.pdf", b"%PDF")


async def test_each_button_does_what_it_says() -> None:
    """By a POST, as the printed curl does it; the page has a button for each, and an unknown one names them."""
    async with conta_azul() as server, mailbox() as box:
        books = server.company(COMPANY, document=DOCUMENT, name="Clínica Boa", user="f@example.org")
        books.person("Dra. Ana Lima", email="ana.lima@example.org")
        desk = Desk(server, box)
        async with served(desk) as url, httpx.AsyncClient(base_url=url, trust_env=False) as browser:
            page, unknown = await browser.get("/"), await browser.post("/coffee")
            nothing = [(await browser.post(f"/{act}")).text for act in ("undo", "address")]
            done = {act: (await browser.post(f"/{act}")).text for act in ("part", "no-address", "address", "mail-down")}
            refused = await to_thread(_begin, box)
            done |= {act: (await browser.post(f"/{act}")).text for act in ("mail-up", "undo", "revoke")}
            taken = await to_thread(_begin, box)

    assert all(f'action="/{act}"' in page.text for act in desk.acts)
    assert sorted(done) == sorted(desk.acts)
    assert (unknown.status_code, "no-address" in unknown.text) == (404, True)
    assert [text.partition(":")[0] for text in nothing] == ["There is no payment.\n", "Nobody is without an address"]
    assert (refused, taken) == (451, 250)
    treated, undone = books.parcelas.values()
    assert ([payment.gross for payment in treated.payments], undone.payments) == ([40_000], [])
    assert [person.email for person in books.people.values()][1:] == ["bruno.costa@example.org"]


async def test_the_other_half_is_paid_by_the_same_button() -> None:
    """Two payments of one bill; the next press begins another bill."""
    async with conta_azul() as server, mailbox() as box:
        books = server.company(COMPANY, document=DOCUMENT, name="Clínica Boa", user="f@example.org")
        books.person("Dra. Ana Lima", email="ana.lima@example.org")
        desk = Desk(server, box)
        for _ in range(3):
            desk.pay_half()

    assert [len(bill.payments) for bill in books.parcelas.values()] == [2, 1]


def test_the_command_line_has_the_settings_of_the_run(tmp_path: Path) -> None:
    """In a shell that has none of them; nobody else can read the file."""
    file = app.by_hand(Run(tmp_path), {"MASTER_KEY": new_key(), "CONTA_AZUL_CLIENT_ID": "it's there"})
    bare = {name: os.environ[name] for name in ("HOME", "PATH", "SystemRoot") if name in os.environ}

    done = subprocess.run([sys.executable, file, "companies"], env=bare, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "CONTA_AZUL_CLIENT_SECRET is not set" in done.stderr
    assert [name for name in ("MASTER_KEY", "CONTA_AZUL_CLIENT_ID") if f"{name} is not set" in done.stderr] == []
    assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600


def _begin(box: Mailbox) -> int:
    with smtplib.SMTP(HOST, box.smtp_port, timeout=10) as connection:
        connection.starttls(context=ssl.create_default_context(cafile=str(box.ca_file)))
        connection.login(USER, PASSWORD)
        return connection.mail("a@b.example")[0]
