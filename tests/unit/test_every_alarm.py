"""
Every code of the catalogue: provoked, sent, sent again after an hour, and sent as over when it ended.

And a process that dies at each step between the fact and its message: the next one sends it.
"""

from __future__ import annotations

import inspect
import os
import random
import re

import pytest

import tests.provocations_beside  # noqa: F401 -- registers its provocations
from distributor.payout.catalogue import CATALOGUE
from foundation.alarms.catalogue import AlarmKind
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
    "held_past_unknown": "transfers of 10 units are missing. no node keeps older logs",
    "held_simulation": "wallet refused",
    **dict.fromkeys(("waiting_authority_paused", "waiting_guard_paused"), "EnforcedPause()"),
    "waiting_authority_refuses": "0xdeadbeef",
    "waiting_role_missing": "AccessControlUnauthorizedAccount",
    "waiting_not_configured": "RPC_URL is not set",
    "not_configured": "LOW_GAS_PAYOUTS is not a number",
    **dict.fromkeys(
        ("waiting_signer_down", "signer_unavailable"), "OPERATOR_KEY_ID cannot be used: the vault answered 429"
    ),
    "woocommerce_unpayable": "_ballx_wallet is not an address: 0x and 40 hex digits",
}
"""The words of a contract, a person, a setting or a vault, or what a shop is answered: these stay in Portuguese."""
ENGLISH = re.compile(
    r"\b(?:the|of|on|is|are|was|were|be|and|or|not|its|cannot|by|this|that|there|with|which|does|wait|needs|paid|messages)\b",
    re.IGNORECASE,
)
"""Words that no sentence does without, and that are none in Portuguese."""


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


def left_in_english(kind: AlarmKind, detail: str) -> str:
    """Return the Portuguese of *detail* if one of our sentences in it is still English; empty otherwise."""
    others = OF_OTHERS.get(kind.code, "")
    said = kind.detail_in(detail, "pt")
    ours = said.replace(others, "") if others else said
    same = said == detail and re.search("[a-z]{2}", ours)
    return said if same or ENGLISH.search(ours) else ""


def words(service: Service, code: str) -> list[str]:
    """Return what the chat took of *code*, word by word."""
    return [message.word.value for _, message in service.told(code)]


def test_words_of_others_are_known_by_their_code() -> None:
    """Nothing is exempt for a code that is no more; and one of our sentences beside such words is not exempt."""
    assert set(OF_OTHERS) <= set(CODES)
    kind = CATALOGUE.find("held_simulation")

    assert left_in_english(kind, "wallet refused") == ""
    assert left_in_english(kind, "wallet refused; nobody wrote this") != ""
    assert left_in_english(kind, "By ana: wallet refused. The guard is new.") != ""


def test_every_code_has_a_provocation() -> None:
    """And every provocation a code."""
    assert set(PROVOKED) == CATALOGUE.codes


@pytest.mark.parametrize("code", CODES)
async def test_it_is_told_again_after_an_hour_and_once_when_it_ended(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event is sent once for each time it happens: it is over when it is sent."""
    service, end = await provoked(code, monkeypatch)
    await until_told(service, code)
    assert words(service, code) == ["stands"]
    first = service.told(code)[0][1]
    assert first.kind.texts["en"].action
    left = {fact.detail: said for fact in first.facts if (said := left_in_english(first.kind, fact.detail))}
    assert left == {}

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
