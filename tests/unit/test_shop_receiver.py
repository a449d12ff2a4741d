"""The local stack's receiver of call-backs: reached through the guard of the app, by no other trust than its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from devstack.shop_receiver import Receiver, served
from distributor.settings.call_backs import CallBackSettings
from foundation.outgoing.guard import DestinationRefused, DestinationUnavailable, Limits, OutgoingGuard, Request
from foundation.settings.reading import read_group

LIMITS = Limits(deadline_s=10)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver of this test."""
    with served(tmp_path) as running:
        yield running


def guard(receiver: Receiver, *, trusts: bool = True, inside: bool = True) -> OutgoingGuard:
    """Return the app's guard, with the receiver's settings or without one of them."""
    networks = read_group(CallBackSettings, receiver.settings).inside_networks if inside else ()
    tls = ssl.create_default_context(cafile=str(receiver.authority)) if trusts else None
    return OutgoingGuard(inside=networks, tls=tls)


async def test_a_call_back_arrives_and_is_kept(receiver: Receiver) -> None:
    """Over https, at the address that the settings list."""
    request = Request(url=receiver.settings["CALLBACK_URL"], method="POST", body=b'{"type":"test"}')

    assert (await guard(receiver).send(request, LIMITS)).status == 204
    assert receiver.told.read_text("utf-8") == '{"type":"test"}\n'
    assert read_group(CallBackSettings, receiver.settings).inside_networks == (ip_network("127.0.0.1/32"),)


@pytest.mark.parametrize(("written", "status"), [("500\n", 500), ("410", 410), ("gone", 204)])
async def test_it_answers_as_its_file_says(receiver: Receiver, written: str, status: int) -> None:
    """So that a person sees what happens to a shop whose receiver is down, or gone."""
    receiver.answer.write_text(written, "utf-8")
    request = Request(url=receiver.url, method="POST", body=b"{}")

    assert (await guard(receiver).send(request, LIMITS)).status == status


async def test_the_guard_is_as_strict_as_in_azure(receiver: Receiver) -> None:
    """Without the setting the address is refused; without the authority nobody answers that could be believed."""
    request = Request(url=receiver.url, method="POST", body=b"{}")

    with pytest.raises(DestinationRefused):
        await guard(receiver, inside=False).send(request, LIMITS)
    with pytest.raises(DestinationUnavailable):
        await guard(receiver, trusts=False).send(request, LIMITS)
    assert not receiver.told.exists()
