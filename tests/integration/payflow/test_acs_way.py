"""The app as it is wired, with Azure Communication Services as its carrier, over HTTPS and real tables."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator

import azure.functions as func
import pytest

from devstack.acs.serve import acs
from devstack.acs.server import Acs
from payflow import resources, wiring
from payflow.cli import commands
from payflow.functions import mail_events
from payflow.mail import acs_events
from payflow.model import BaixaId
from payflow.state import ReceiptState
from tests.fakes.functions import a_context
from tests.fakes.identity import signed_in
from tests.integration.payflow.test_operating import mailed
from tests.integration.payflow.test_whole_way import COMPANY, OVERRIDE, World, _command, a_document, world
from tests.unit.payflow.test_event_door import SECRET, event

__all__ = ["world"]  # a fixture


@pytest.fixture
async def service(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Acs]:
    """The stand-in, certified by the authority that the app trusts; no mail server is named."""
    monkeypatch.setattr(resources, "azure_credential", signed_in)
    async with acs(world.mail.server_context()) as server:
        for name in [name for name in os.environ if name.startswith("SMTP_") and name != "SMTP_FROM"]:
            monkeypatch.delenv(name)
        os.environ |= {"MAIL": "acs", "ACS_ENDPOINT": server.base_url, "MAIL_EVENTS_SECRET": SECRET}
        yield server


async def _post(*events: object, secret: str = SECRET) -> func.HttpResponse:
    request = func.HttpRequest(
        method="POST",
        url="http://127.0.0.1:7072/mail-events",
        headers={"x-mail-events-secret": secret},
        body=json.dumps(events).encode(),
    )
    answer: func.HttpResponse = await mail_events.mail_events(request, a_context())
    return answer


async def _options() -> func.HttpResponse:
    request = func.HttpRequest(
        method="OPTIONS",
        url="http://127.0.0.1:7072/mail-events",
        headers={"WebHook-Request-Origin": "eventgrid.azure.net"},
        params={"secret": SECRET},
        body=b"",
    )
    answer: func.HttpResponse = await mail_events.mail_events(request, a_context())
    return answer


async def test_a_receipt_goes_out_by_the_service_and_its_bounce_comes_back(
    world: World, service: Acs, capsys: pytest.CaptureFixture[str]
) -> None:
    """One post over verified TLS, no mail by SMTP; the handshake, then the report that names the operation."""
    baixa = await mailed(world, capsys)

    (taken,) = service.taken
    assert (taken.recipients, taken.document, world.mail.accepted) == ([OVERRIDE], a_document(10_00), [])
    (mail,) = await (await wiring.container().base()).lane(COMPANY).deliveries(BaixaId(baixa))
    assert (mail.operation_id, service.requests["post"]) == (taken.operation, 1)

    with pytest.raises(commands.Refused):
        await _command("doctor")
    said = capsys.readouterr().out
    assert "ok       3 mail" in said
    assert "bounces  told at POST /mail-events" in said

    assert dict((await _options()).headers)["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    shaken = await _post({"eventType": acs_events.VALIDATION, "data": {"validationCode": "c0de"}})
    assert json.loads(shaken.get_body()) == {"validationResponse": "c0de"}
    back = event("Bounced", "550 5.1.1 no such user", operation=taken.operation)
    assert (await _post(back, secret="x")).status_code == 401
    assert await world.state(baixa) is ReceiptState.SENT
    assert (await _post(back)).status_code == 204
    assert await world.state(baixa) is ReceiptState.REFUSED
