"""
Every code of the catalogue: provoked, sent, sent again after an hour, and sent as over when it ended.

And a process that dies at each step between the fact and its message: the next one sends it.
"""

from __future__ import annotations

import inspect
import os
import random

import pytest

import tests.provocations_beside  # noqa: F401 -- registers its provocations
from distributor.payout.catalogue import CATALOGUE
from foundation.alarms.repetition import HOUR_MS
from tests.fakes.chain import FakeChain
from tests.provocations import PROVOKED, End, Provocation
from tests.service import MINUTE_MS, Service, a_service

WITHIN_MINUTES = 40
ENDS_WITHIN_MINUTES = 30
FIRST_STEPS, LAST_STEPS = 8, 20
DEATHS = os.environ.get("ALARM_DEATHS", "6")
"""How many of those steps a process dies at, drawn anew each time; ``all`` for every one."""
CODES = sorted(CATALOGUE.codes)
OF_OTHERS = {
    *("held_past_unknown", "held_simulation", "waiting_authority_paused", "waiting_authority_refuses"),
    *("waiting_guard_paused", "waiting_role_missing", "waiting_not_configured", "not_configured"),
    *("waiting_signer_down", "alarm_target_failing", "queues_unavailable"),
}
"""Whose detail is the words of a contract, a node, a setting or a person: they stay as they are in Portuguese."""


async def provoked(code: str, patch: pytest.MonkeyPatch) -> tuple[Service, End]:
    """Return a service in which everything was done that leads to *code*."""
    provocation: Provocation = PROVOKED[code]
    options = dict(provocation.options)
    if nodes := options.pop("chain_nodes", ()):
        options["chain"] = FakeChain(nodes=nodes)
    service = await a_service(patch, **options)
    return service, await provocation.begin(service)


async def until_told(service: Service, code: str) -> None:
    """Let minutes pass until the chat took *code*."""
    for _ in range(WITHIN_MINUTES):
        if service.told(code):
            return
        await service.minute()


async def ended(end: End) -> None:
    """End the trouble."""
    done = end()
    if inspect.isawaitable(done):
        await done


def words(service: Service, code: str) -> list[str]:
    """Return what the chat took of *code*, word by word."""
    return [message.word.value for _, message in service.told(code)]


def test_every_code_has_a_provocation() -> None:
    """And every provocation a code."""
    assert set(PROVOKED) == CATALOGUE.codes


@pytest.mark.parametrize("code", CODES)
async def test_it_is_told_again_after_an_hour_and_once_when_it_ended(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event is told once for each time it happens: it is over when it is told."""
    service, end = await provoked(code, monkeypatch)
    await until_told(service, code)
    assert words(service, code) == ["stands"]
    first = service.told(code)[0][1]
    assert first.kind.texts["en"].action
    details = [fact.detail for fact in first.facts if fact.detail]
    assert all(first.kind.detail_in(detail, "pt") != detail for detail in details) or code in OF_OTHERS, details

    goes_on = PROVOKED[code].then or code
    await service.minutes(65)
    told = [at for at, _ in service.told(goes_on)]
    if CATALOGUE.find(code).event:
        assert len(told) == (2 if PROVOKED[code].repeats else 1)
        return
    assert len(told) >= 2, words(service, goes_on)
    assert HOUR_MS <= told[1] - told[0] < HOUR_MS + 2 * MINUTE_MS
    await ended(end)
    await service.minutes(ENDS_WITHIN_MINUTES)

    assert words(service, goes_on) == ["stands"] * len(told) + ["ended"]


@pytest.mark.parametrize("code", CODES)
async def test_a_process_that_dies_between_fact_and_message_loses_no_alarm(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After each write to the ledger, and before and after each post; the process that comes next sends it.

    Of an age that takes many equal minutes, the first steps and the last; of those as many as ``ALARM_DEATHS`` says.
    """
    service, _ = await provoked(code, monkeypatch)
    service.death.steps = 0
    await until_told(service, code)
    steps = service.death.steps

    silent = []
    among = sorted({*range(min(steps, FIRST_STEPS)), *range(max(0, steps - LAST_STEPS), steps)})
    for step in among if DEATHS == "all" else random.sample(among, min(int(DEATHS), len(among))):
        service, _ = await provoked(code, monkeypatch)
        service.death.steps, service.death.at = 0, step
        await until_told(service, code)
        silent += [] if service.told(code) else [step]

    assert steps
    assert silent == []
