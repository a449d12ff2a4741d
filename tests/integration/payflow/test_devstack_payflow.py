"""The inbox of ``devstack payflow``, as a browser sees it."""

from __future__ import annotations

import smtplib
import ssl
from asyncio import to_thread
from uuid import uuid4

import httpx
import pytest

from devstack.payflow.mailbox import HOST, PASSWORD, USER, Mailbox, mailbox
from devstack.payflow.service import service
from foundation.secrets.sign_in import azure_credential
from payflow.adapters.acs import SCOPE, AcsChannel, client
from payflow.adapters.mail_token import token_source


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
