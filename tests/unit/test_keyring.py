"""The life of the shops' secrets: renewed, kept, withdrawn."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from distributor.settings.shop_secrets import SecretName, secret_name
from distributor.webhook.keyring import Keyring
from foundation import logs
from foundation.errors import ConfigurationError, SecretWithdrawn

OURS, NEXT, THEIRS = "the secret of this shop now", "the secret of this shop next", "the secret of shop b now"
CURRENT, PREVIOUS = SecretName("default", "current"), SecretName("default", "previous")
SHOP_B = SecretName("shop-b", "current")


class Vault:
    """What a vault holds by the names of settings, what it answers instead, and what it was asked."""

    def __init__(self, **held: str | Exception) -> None:
        self.held = held
        self.asked: list[str] = []

    async def read(self, setting: str) -> str | None:
        self.asked.append(setting)
        await asyncio.sleep(0)
        found = self.held.get(setting)
        if isinstance(found, Exception):
            raise found
        return found


async def never(_: float) -> None:
    """Wait until the test ends."""
    await asyncio.Event().wait()


def a_ring(
    vault: Vault,
    secrets: dict[SecretName, str] | None = None,
    *,
    renewed: tuple[SecretName, ...] = (PREVIOUS, CURRENT),
    sleep: Callable[[float], Awaitable[None]] = never,
) -> Keyring:
    """Make a keyring that begins with one secret."""
    return Keyring(
        {CURRENT: OURS} if secrets is None else secrets, renewed=renewed, read=vault.read, refresh_s=300, sleep=sleep
    )


def held(ring: Keyring) -> dict[SecretName, str]:
    """Return what counts now."""
    keys = ring.keys()
    return {SecretName(key.source, key.which): key.secret for key in keys}


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the lines of the keyring."""
    return [
        json.loads(record.getMessage()) for record in caplog.records if record.name == "distributor.webhook.keyring"
    ]


async def test_a_rotation_in_the_vault_arrives_without_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    """The old secret becomes the previous one, the new one counts beside it, and no value is logged."""
    vault = Vault(WEBHOOK_SECRET=NEXT, WEBHOOK_SECRET_PREVIOUS=OURS)
    ring = a_ring(vault)

    with caplog.at_level(logging.INFO):
        await ring.refresh()

    assert held(ring) == {CURRENT: NEXT, PREVIOUS: OURS}
    assert told(caplog) == [
        {"event": "secret_renewed", "setting": "WEBHOOK_SECRET"},
        {"event": "secret_renewed", "setting": "WEBHOOK_SECRET_PREVIOUS"},
    ]


@pytest.mark.parametrize("steps_before", range(3))
@pytest.mark.parametrize("step_after", range(3))
async def test_no_step_of_a_rotation_loses_the_old_secret(steps_before: int, step_after: int) -> None:
    """The vault may change between any two readings: the old secret counts at each moment, also between them."""
    steps = [("WEBHOOK_SECRET_PREVIOUS", OURS), ("WEBHOOK_SECRET", NEXT)]
    vault = Vault(**{"WEBHOOK_SECRET": OURS, **dict(steps[:steps_before])})
    counted: list[dict[SecretName, str]] = []

    async def read(setting: str) -> str | None:
        counted.append(held(ring))
        found = await vault.read(setting)
        if len(vault.asked) > step_after:
            vault.held.update(steps)  # the rest of the rotation happens right after this reading
        return found

    ring = Keyring({CURRENT: OURS}, renewed=[PREVIOUS, CURRENT], read=read, refresh_s=300, sleep=never)
    for _ in range(3):
        await ring.refresh()
        counted.append(held(ring))

    assert [secrets for secrets in counted if OURS not in secrets.values()] == []
    assert held(ring) == {CURRENT: NEXT, PREVIOUS: OURS}


async def test_a_new_secret_waits_until_the_vault_tells_the_old_one_too() -> None:
    """The reading of the previous one may fail just then; a withdrawn one does not wait."""
    silence = ConfigurationError("the vault does not answer")
    vault = Vault(WEBHOOK_SECRET=NEXT, WEBHOOK_SECRET_PREVIOUS=silence)
    ring = a_ring(vault)

    await ring.refresh()
    assert held(ring) == {CURRENT: OURS}
    vault.held["WEBHOOK_SECRET_PREVIOUS"] = OURS
    await ring.refresh()
    assert held(ring) == {CURRENT: NEXT, PREVIOUS: OURS}
    vault.held |= {"WEBHOOK_SECRET": silence, "WEBHOOK_SECRET_PREVIOUS": SecretWithdrawn()}
    await ring.refresh()
    assert held(ring) == {CURRENT: NEXT}


async def test_what_did_not_change_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """A line every five minutes would hide the one that matters."""
    ring = a_ring(Vault(WEBHOOK_SECRET=OURS))

    with caplog.at_level(logging.INFO):
        await ring.refresh()

    assert held(ring) == {CURRENT: OURS}
    assert told(caplog) == []


async def test_a_deleted_previous_secret_stops_at_the_next_reading(caplog: pytest.LogCaptureFixture) -> None:
    """By name the vault answers that there is none; as a reference that it is withdrawn."""
    for gone in (Vault(WEBHOOK_SECRET=OURS), Vault(WEBHOOK_SECRET=OURS, WEBHOOK_SECRET_PREVIOUS=SecretWithdrawn())):
        ring = a_ring(gone, {CURRENT: OURS, PREVIOUS: NEXT})

        await ring.refresh()

        assert held(ring) == {CURRENT: OURS}
    assert [line["event"] for line in told(caplog)] == ["secret_withdrawn"] * 2


async def test_a_withdrawn_current_secret_stops_too_and_the_other_shops_go_on() -> None:
    """Disabling a leaked secret in the vault is the fastest way to end it."""
    ring = a_ring(Vault(WEBHOOK_SECRET=SecretWithdrawn()), {CURRENT: OURS, SHOP_B: THEIRS})

    await ring.refresh()

    assert held(ring) == {SHOP_B: THEIRS}


async def test_without_any_secret_the_service_is_not_configured() -> None:
    """503 lets the shop try again; 401 would tell it that it signs wrongly."""
    vault = Vault(WEBHOOK_SECRET=SecretWithdrawn())
    ring = a_ring(vault)
    await ring.refresh()

    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET was withdrawn"):
        ring.keys()
    assert ring.secrets() == {}

    vault.held["WEBHOOK_SECRET"] = NEXT
    await ring.refresh()
    assert held(ring) == {CURRENT: NEXT}


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (ConfigurationError("WEBHOOK_SECRET cannot be used: the vault does not answer"), logging.WARNING),
        ("too short", logging.ERROR),
        ("@Microsoft.KeyVault(VaultName=ballx;SecretName=ANY)", logging.ERROR),
        (THEIRS, logging.ERROR),
    ],
)
async def test_what_is_no_answer_or_no_secret_keeps_the_last_good_one(
    answer: str | Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A vault that is down, or a slip of the hand in it, refuses no order."""
    ring = a_ring(Vault(WEBHOOK_SECRET=answer), {CURRENT: OURS, SHOP_B: THEIRS}, renewed=(CURRENT,))

    await ring.refresh()

    assert held(ring) == {CURRENT: OURS, SHOP_B: THEIRS}
    assert [(record.levelno, line["event"]) for record, line in zip(caplog.records, told(caplog), strict=True)] == [
        (level, "secret_kept")
    ]
    assert not [secret for secret in (OURS, THEIRS, "too short") if secret in caplog.text]


async def test_only_what_a_vault_holds_is_read() -> None:
    """Literals end with the process; nobody asks for them."""
    vault = Vault(WEBHOOK_SECRET=NEXT, WEBHOOK_SECRET__SHOP_B="another secret of shop b")
    ring = a_ring(vault, {CURRENT: OURS, SHOP_B: THEIRS}, renewed=(SHOP_B,))

    await ring.refresh()

    assert vault.asked == ["WEBHOOK_SECRET__SHOP_B"]
    assert held(ring)[CURRENT] == OURS


async def test_it_renews_by_itself_and_outlives_every_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that nobody foresaw; and it stops when it is closed."""
    vault = Vault(WEBHOOK_SECRET=RuntimeError("a bug in a library"))
    turns: asyncio.Queue[float] = asyncio.Queue(maxsize=1)

    ring = a_ring(vault, renewed=(CURRENT,), sleep=turns.put)
    ring.start()
    ring.start()
    assert [await turns.get(), await turns.get()] == [300, 300]
    assert held(ring) == {CURRENT: OURS}
    vault.held["WEBHOOK_SECRET"] = NEXT
    assert [await turns.get(), await turns.get()] == [300, 300]
    assert held(ring) == {CURRENT: NEXT}
    await ring.aclose()

    asked = len(vault.asked)
    await asyncio.sleep(0)
    assert len(vault.asked) == asked
    assert told(caplog)[0] == {
        "event": "secrets_not_refreshed",
        "cause": "RuntimeError",
        "detail": "a bug in a library",
    }


async def test_it_begins_with_a_reading() -> None:
    """The settings may come from what was kept of the vault; five minutes more would be too long."""
    vault = Vault(WEBHOOK_SECRET=NEXT)
    turns: asyncio.Queue[float] = asyncio.Queue()

    async def sleep_once(seconds: float) -> None:
        await turns.put(seconds)
        await never(seconds)

    ring = a_ring(vault, renewed=(CURRENT,), sleep=sleep_once)
    ring.start()
    assert await turns.get() == 300
    await ring.aclose()

    assert vault.asked == ["WEBHOOK_SECRET"]
    assert held(ring) == {CURRENT: NEXT}


async def test_its_lines_belong_to_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """The first request starts the task; hours later its id would point at the wrong one."""
    turns: asyncio.Queue[float] = asyncio.Queue(maxsize=1)
    ring = a_ring(Vault(WEBHOOK_SECRET=NEXT), renewed=(CURRENT,), sleep=turns.put)

    with caplog.at_level(logging.INFO), logs.bound(request_id="of the first request"):
        ring.start()
        await turns.get()
        await turns.get()
    await ring.aclose()

    assert told(caplog) == [{"event": "secret_renewed", "setting": "WEBHOOK_SECRET"}]


async def test_without_a_vault_there_is_no_task() -> None:
    """Nothing to renew, nothing to close."""
    ring = a_ring(Vault(), renewed=())
    before = asyncio.all_tasks()

    ring.start()

    assert asyncio.all_tasks() == before
    await ring.aclose()


def test_a_setting_names_a_secret_and_back() -> None:
    """The keyring knows shops, the vault knows settings."""
    for name in (CURRENT, PREVIOUS, SHOP_B, SecretName("shop-b", "previous"), SecretName("a--b", "previous")):
        assert secret_name(name.setting) == name


def test_no_secret_is_in_its_repr() -> None:
    """What prints a keyring prints no secret."""
    assert OURS not in repr(a_ring(Vault()))


async def test_a_keyring_whose_secrets_are_all_withdrawn_says_so() -> None:
    """An empty list would refuse every shop as a forger; this is a setting to correct."""
    ring = a_ring(Vault(WEBHOOK_SECRET=SecretWithdrawn("deleted")), renewed=(CURRENT,))
    await ring.refresh()

    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET was withdrawn"):
        ring.keys()
