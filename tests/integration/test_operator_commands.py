"""The commands that look: alarms, history, balance, keys, verify, doctor, sign, replay-poison, on real servers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devstack.contracts import Devchain
from distributor.cli import main
from distributor.model import OrderKey
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.queue_names import DISTRIBUTIONS, POISON, SETTLEMENTS
from distributor.resources import Resources
from distributor.webhook.signature import Key, Verified, check_signature
from distributor.webhook.signature_schemes import Scheme
from distributor.wiring import Container
from foundation.clock import UnixMs, system_clock
from foundation.version import version
from tests.fakes.queues import MemoryQueues
from tests.integration.conftest import WEBHOOK_SECRET
from tests.integration.test_commands import Desk, hold


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, beginning with the token."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Before any setting is read."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert (ended.value.code, capsys.readouterr().out.split()[-1]) == (0, version())


def test_an_alarm_is_listed_seen_and_tested(desk: Desk) -> None:
    """A person who knows of it is named; the test goes to every target, and says which there are."""
    hold(desk, "A-1")
    desk.tell()

    shown = desk.ask("alarms", code=1)
    (alarm,) = shown["alarms"]
    assert shown["targets"] == [{"target": "log", "tested": None}]
    assert (alarm["alarm"], alarm["about"], alarm["seen_by"]) == ("held_simulation", ["default:A-1"], None)
    assert alarm["action"].startswith("Read the detail")
    desk.ask("alarms", "seen", code=1)
    desk.ask("alarms", "seen", "low_gas", code=1)
    assert desk.ask("alarms", "seen", "held_simulation")["seen_by"] is None
    desk.written("Commands", "alarms seen CODE", {"CODE": "held_simulation"})
    assert desk.ask("alarms", "list", code=1)["alarms"][0]["seen_by"]
    assert desk.do("alarms", "seen", "held_simulation")["seen_by"] == "ana"
    desk.environ["ALARM_WEBHOOK_URL"] = "https://127.0.0.1:1/nobody-listens"
    assert desk.ask("alarms", "test") == {"noted": False, "targets": ["log", "webhook"]}
    assert desk.do("alarms", "test")["noted"] is True
    desk.tell()
    tested = {each["target"]: each["tested"] for each in desk.ask("alarms", code=1)["targets"]}
    assert (tested["webhook"], tested["log"] is None) == (None, False)


def test_the_history_of_an_order_names_who_decided_and_why(desk: Desk) -> None:
    """By any of its names; held, put back, paid: with the attempt that paid it."""
    hold(desk, "A-1")
    desk.tell()
    desk.do("retry", "default:A-1")
    desk.drain()
    desk.settle()

    shown = desk.written("Commands", "history ORDER", {"ORDER": "default:A-1"})
    assert desk.ask("history", "default/A-1") == desk.ask("history", "A-1") == shown
    assert shown["status"] == "paid"
    assert [each["what"] for each in shown["decisions"]] == ["held", "retry"]
    retried = shown["decisions"][1]
    assert (retried["by"], retried["why"], retried["was"]) == ("ana", "test", "held simulation")
    assert shown["attempts"][0]["transaction"] == shown["transaction"]["hash"]
    assert [(each["alarm"], each["state"]) for each in shown["alarms"]] == [("held_simulation", "stands")]
    desk.run("history", "never-seen", code=1)


def test_balances_keys_and_rows_are_checked(desk: Desk) -> None:
    """What is short is said in tokens, and ends with 1."""
    desk.send("A-1", amount="1000000004")

    balance = desk.ask("balance", code=1)
    assert balance["waiting"] == "1000000004"
    assert balance["missing"] == "short by 4"
    assert balance["gas"]["payouts_left"] > 0
    checked = desk.ask("keys", "check", code=1)
    (operator,) = checked["operators"]
    assert (operator["ok"], operator["signs"], operator["may_pay"]) == (True, True, True)
    assert [(shop["shop"], shop["ok"]) for shop in checked["shops"]] == [("default", False)]
    assert WEBHOOK_SECRET not in json.dumps(checked)
    assert desk.ask("verify") == {"disagreements": []}


def test_the_doctor_blames_a_wrong_setting_once(desk: Desk) -> None:
    """With a malformed key, each of thirty items was failed by that one sentence."""
    desk.environ["OPERATOR_PK"] = "nonsense"
    first, *others = desk.ask("doctor", code=1)["checks"]

    assert first["check"] == "settings"
    assert "OPERATOR_PK is not a private key" in first["detail"]
    assert {each["detail"] for each in others} == {"Not checked: correct the settings first."}


def test_the_doctor_names_what_is_not_ready_for_production(desk: Desk) -> None:
    """What this machine has is ok or named; what is accepted by name does not fail."""
    found = desk.ask("doctor", code=1)

    results = {each["check"]: each["result"] for each in found["checks"]}
    assert {name for name, result in results.items() if result == "ok"} >= {
        *("settings", "keys", "ledger", "rows", "nodes", "new-heads", "recovery", "balance", "queues", "no-alarms"),
        *("rate-limits", "personal-data", "settings-file"),
    }
    failed = {name for name, result in results.items() if result == "failed"}
    assert failed == {
        *(
            "key-in-vault",
            "shop-secrets",
            "timestamps",
            "https",
            "shop-door",
            "forged-sign-in",
            "ledger-id",
            "providers",
            "node-https",
            "finality",
        ),
        *("guard", "caps", "low-alarms", "alarm-target", "heartbeat", "sweep"),
    }
    assert {each["check"] for each in found["by_hand"]} >= {"backup", "lgpd"}
    accepted = [part for name in sorted(failed) for part in ("--accept", name)]
    assert {each["result"] for each in desk.ask("doctor", *accepted)["checks"]} == {"ok", "accepted"}


def test_the_doctor_asks_each_ws_address_for_heads(desk: Desk) -> None:
    """Anvil announces blocks at its own port; a wrong address is named by its host, and its key is not shown."""
    node = desk.environ["RPC_URL"]
    announcing = node.replace("http://", "ws://")

    def checked(*addresses: str) -> tuple[str, str | None]:
        desk.environ["RPC_URL"] = ",".join((node, *addresses))
        checks = {each["check"]: each for each in desk.ask("doctor", code=1)["checks"]}
        return checks["new-heads"]["result"], checks["new-heads"]["detail"]

    assert [checked(), checked(announcing)] == [("ok", None)] * 2
    assert checked(announcing, "ws://127.0.0.1:1/node-key") == (
        "failed",
        "Blocks are not announced by 127.0.0.1:1 (unreachable: ClientConnectorError).",
    )
    assert "node-key" not in desk.story


def test_a_signed_body_is_accepted_and_the_secret_is_not_shown(desk: Desk, tmp_path: Path) -> None:
    """In each scheme; a shop without a secret is refused by the name of its setting."""
    file = tmp_path / "order.json"
    file.write_bytes(b'{"order_id": "A-1"}')

    for scheme in Scheme:
        assert "headers" in desk.written("Commands", "sign FILE", {"FILE": str(file)})
        shown = desk.ask("sign", str(file), "--scheme", scheme)
        keys = [Key(source="default", which="current", secret=WEBHOOK_SECRET)]
        found = check_signature(shown["headers"], file.read_bytes(), keys, system_clock())
        assert found == Verified(source="default", secret="current", scheme=scheme)
        assert WEBHOOK_SECRET not in json.dumps(shown)
        assert str(file) in shown["curl"]
    desk.run("sign", str(file), "--shop", "loja", code=1)
    assert "WEBHOOK_SECRET__LOJA" in desk.story
    desk.run("sign", str(tmp_path / "none.json"), code=1)


def test_a_poison_queue_is_emptied_after_its_work_was_woken(desk: Desk) -> None:
    """Only with --apply; the messages themselves are not put back."""

    async def poison(parts: Resources) -> None:
        await (await parts.queues()).put(DISTRIBUTIONS + POISON, "not what the app writes")

    async def counts(parts: Resources) -> tuple[int, int]:
        queues = await parts.queues()
        return await queues.count(DISTRIBUTIONS), await queues.count(DISTRIBUTIONS + POISON)

    before, _ = desk.parts(counts)
    desk.parts(poison)

    (seen, empty) = desk.ask("replay-poison", "--why", "test")["queues"]
    assert (seen["queue"], seen["messages"] > 0, seen["cleared"]) == (DISTRIBUTIONS + POISON, True, False)
    assert empty["queue"] == SETTLEMENTS + POISON
    assert desk.do("replay-poison")["queues"][0]["cleared"] is True
    assert desk.parts(counts) == (before + 1, 0)


def test_the_first_line_says_whether_orders_are_paid(desk: Desk) -> None:
    """What to do is written under it; ``--check`` is that line and an exit code, for cron."""
    assert desk.run("show", "--check", code=1).splitlines()[-2:] == [
        "WAITING because the sweep has not been seen yet.",
        "  Is the function app running? Is its function `sweep` disabled?",
    ]
    assert "reserve:      not seen yet" in desk.run("show")
    shown = desk.ask("show")
    assert shown["last_sweep"]["reserve"] is None
    assert (shown["version"], shown["schema"]["known"]) == (version(), SCHEMA_LEVEL)
    desk.service(_sweep)
    assert desk.written("Commands", "show --check")["ok"] is True

    desk.send("A-1", amount="1000000004")
    desk.drain()
    desk.send("A-2", amount="1000000005")
    shown = desk.run("show").splitlines()
    assert shown[3].startswith("WAITING because The reserve's allowance")
    assert shown[4] == "  Approve a higher allowance from the reserve; smaller orders are paid meanwhile."
    assert desk.ask("show")["headline"]["state"] == "waiting"
    assert desk.ask("show")["waiting"]["oldest"].startswith("default:A-1, ")
    assert desk.ask("order", "A-1")["waiting"]["caused_by"] is None
    assert desk.ask("order", "A-2")["waiting"]["caused_by"] == "default:A-1"
    assert "Order default:A-1 causes this reason" in desk.story

    desk.do("pause")
    assert desk.run("show", "--check", code=1).splitlines()[-2].startswith("STOPPED, a person is needed: ")


def test_a_distribution_that_is_off_is_said_instead_of_what_its_last_round_found(desk: Desk) -> None:
    """The pause was ended, and no round has looked since."""

    async def tell(container: Container) -> None:
        queues = MemoryQueues(untaken_ms={DISTRIBUTIONS: UnixMs(1)})
        await replace(await container.alarm_sweep(), queues=queues).run()

    desk.do("pause")
    desk.send("A-1")
    desk.drain()
    desk.do("resume")
    desk.service(_sweep)
    desk.service(tell)

    shown = desk.ask("show")
    assert shown["headline"]["because"] == "the function `distribute` does not run, so no order is paid."
    assert shown["waiting"]["reason"] == "work_not_running"
    assert shown["waiting"]["detail"].startswith("The function `distribute` does not run. Its last round found: paused")
    assert desk.ask("show", "--check", code=1)["ok"] is False
    waiting = desk.ask("order", "A-1")["waiting"]
    assert (waiting["reason"], waiting["caused_by"]) == ("work_not_running", None)
    assert "last round found: paused" in waiting["detail"]

    async def asked(container: Container) -> object:
        document = await (await container.status()).of(OrderKey("default", "A-1"))
        return dict(document or {})["waiting"]

    assert desk.service(asked) == {name: value for name, value in waiting.items() if name != "caused_by"}


def test_a_hash_that_no_node_knows_is_no_silence(desk: Desk) -> None:
    """Each has an error of its own, and neither is "not final yet"."""
    hold(desk, "A-1")
    unknown = "0x" + "ab" * 32

    assert desk.do("settle", "A-1", "--tx", unknown, code=1)["error"] == "NoSuchTransaction"
    assert unknown in desk.story
    desk.environ["RPC_URL"] = "http://127.0.0.1:1"
    assert desk.do("settle", "A-1", "--tx", unknown, code=1)["error"] == "ChainUnavailable"


async def _sweep(container: Container) -> None:
    await (await container.sweep()).run()
    await (await container.payouts.balance_monitor()).run()
