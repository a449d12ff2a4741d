"""The inbox of ``devstack payflow``, as a browser sees it."""

from __future__ import annotations

import httpx

from devstack.payflow.mailbox import mailbox


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
