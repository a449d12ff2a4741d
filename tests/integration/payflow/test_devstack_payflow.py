"""The inbox of ``devstack payflow``, as a browser sees it."""

from __future__ import annotations

import smtplib
import ssl
from asyncio import to_thread

import httpx
import pytest

from devstack.payflow.mailbox import HOST, PASSWORD, USER, Mailbox, mailbox


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
