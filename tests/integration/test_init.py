from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from devstack.contracts import Deployment, Devchain
from distributor.cli import main
from distributor.cli.init import initialise
from distributor.errors import ChainUnavailable
from distributor.resources import Resources
from distributor.state import Identity
from foundation.errors import ConfigurationError
from tests.fakes.clock import FrozenClock
from tests.integration.gateway import Gateway, Reply, gateway


class Desk:
    """A person at the command line: runs ``init`` and reads what it says."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.said: list[str] = []

    async def init(self, *, apply: bool, new_beginning: str | None = None, **changed: str) -> bool:
        """Run it with some settings changed; return whether it was done."""
        parts = Resources({**self.environ, **changed}, clock=FrozenClock())
        try:
            return await initialise(parts, apply=apply, say=self.said.append, new_beginning=new_beginning, by="ana")
        finally:
            await parts.aclose()

    @property
    def ledger_id(self) -> str:
        """The id that was printed last."""
        return next(line for line in reversed(self.said) if "Ledger id: " in line).rpartition(" ")[2]


@pytest.fixture
async def parts(environ: dict[str, str]) -> AsyncIterator[Resources]:
    """A look into the ledger from outside."""
    own = Resources(environ, clock=FrozenClock())
    yield own
    await own.aclose()


async def test_a_dry_run_shows_everything_and_writes_nothing(
    environ: dict[str, str], deployment: Deployment, parts: Resources
) -> None:
    """What decides where money goes is shown before anything is done."""
    context = Desk(environ)

    assert await context.init(apply=False)
    shown = "\n".join(context.said)
    for value in (str(deployment.chain_id), deployment.operator, deployment.token, deployment.authority):
        assert value in shown
    assert deployment.reserve in shown
    assert environ["LEDGER_TABLE"] in shown
    assert context.said[-1].startswith("Dry run: would make this ledger ours, next nonce ")
    assert deployment.operator_key[2:] not in shown
    service = (await parts.tables()).service
    assert [table.name async for table in service.query_tables(f"TableName eq '{environ['LEDGER_TABLE']}'")] == []


async def test_a_ledger_that_cannot_be_read_stops_only_the_doing(environ: dict[str, str]) -> None:
    """A dry run tells it and shows the rest; with --apply it is an error."""
    key = environ["AzureWebJobsStorage"].partition("AccountKey=")[2].partition(";")[0]
    environ["AzureWebJobsStorage"] = environ["AzureWebJobsStorage"].replace(key, "d3Jvbmcga2V5")
    context = Desk(environ)

    assert await context.init(apply=False)
    assert context.said[-2].startswith("The ledger cannot be read yet: ")
    with pytest.raises(ConfigurationError, match="refuses this service's sign-in"):
        await context.init(apply=True)


async def test_apply_makes_the_ledger_ours_with_the_nonce_of_the_chain(
    environ: dict[str, str], deployment: Deployment, devchain: Devchain, parts: Resources
) -> None:
    """Identity, nonce, commitments and control are there, and the audit trail says so."""
    context = Desk(environ)

    assert await context.init(apply=True)
    ledger = await parts.ledger()
    binding_state = await ledger.binding_state(deployment.operator)
    assert await ledger.identity() == Identity(
        ledger_id=context.ledger_id,
        chain_id=deployment.chain_id,
        token=deployment.token,
        authority=deployment.authority,
        reserve=deployment.reserve,
    )
    assert binding_state is not None
    assert (binding_state.next_nonce, binding_state.committed_units) == (devchain.nonce_of(deployment.operator), 0)
    assert not (await ledger.admin.pause_state()).paused
    trail = (await parts.tables()).service.get_table_client(f"{environ['LEDGER_TABLE']}audit")
    entry = await trail.get_entity(str(deployment.chain_id), "identity")
    assert entry["ledger_id"] == context.ledger_id


async def test_run_twice_it_says_so_and_changes_nothing(environ: dict[str, str]) -> None:
    """Also with the printed id in LEDGER_ID, and as a dry run."""
    context = Desk(environ)
    await context.init(apply=True)
    first = context.ledger_id

    assert await context.init(apply=True)
    assert context.said[-1] == f"Already initialised, nothing to do. Ledger id: {first}"
    assert await context.init(apply=False, LEDGER_ID=first)
    assert context.said[-1] == f"Already initialised, nothing to do. Ledger id: {first}"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"LEDGER_ID": "0" * 32}, "ledger_id: the ledger has "),
        ({"RESERVE_ADDRESS": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, "reserve: the ledger has "),
    ],
)
async def test_a_ledger_of_another_one_is_refused_with_what_differs(
    environ: dict[str, str], changed: Mapping[str, str], named: str
) -> None:
    """A ledger swapped by mistake never starts paying."""
    context = Desk(environ)
    await context.init(apply=True)

    assert not await context.init(apply=True, **changed)
    assert named in context.said[-1]


async def test_an_operator_the_ledger_does_not_know_is_refused(environ: dict[str, str], deployment: Deployment) -> None:
    """A new key is added to a ledger, not initialised over it."""
    context = Desk(environ)
    await context.init(apply=True)

    assert not await context.init(apply=True, OPERATOR_PK=deployment.second_operator_key)
    assert f"no nonce of the operator {deployment.second_operator}" in context.said[-1]


async def test_a_pending_transaction_of_the_operator_is_refused(
    environ: dict[str, str], deployment: Deployment, devchain: Devchain, parts: Resources
) -> None:
    """Which nonce is next is known only when the pool is empty of the operator's transactions."""
    devchain.set_automine(enabled=False)
    try:
        devchain.rpc("eth_sendTransaction", {"from": deployment.operator, "to": deployment.operator, "value": "0x0"})
        context = Desk(environ)
        refused = not await context.init(apply=True)
    finally:
        devchain.set_automine(enabled=True)

    assert refused
    assert "transactions of it wait in a pool" in context.said[-1]
    assert await (await parts.ledger()).identity() is None


async def test_a_chain_that_is_not_the_settings_chain_is_refused(environ: dict[str, str]) -> None:
    """The nonce of another chain would be worth nothing here."""
    context = Desk(environ)

    assert not await context.init(apply=False, CHAIN_ID="424242")
    assert "CHAIN_ID says 424242" in context.said[-1]


async def test_without_a_node_nothing_is_written(environ: dict[str, str], parts: Resources) -> None:
    """The nonce comes from the chain or from nowhere."""
    context = Desk(environ)

    assert not await context.init(apply=True, RPC_URL="http://127.0.0.1:1")
    assert "no node of RPC_URL answers" in context.said[-1]
    assert await (await parts.ledger()).identity() is None


def test_the_command_reads_a_settings_file(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same file ``func start`` reads; exit code 0 for a dry run and for what is done."""
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": environ}))

    assert main(["init", "--settings", str(file)]) == 0
    assert main(["init", "--settings", str(file), "--apply"]) == 0
    assert "Initialised: next nonce" in capsys.readouterr().out


def test_a_refusal_has_an_exit_code_of_its_own(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script can tell refused from misconfigured."""
    for name, value in {**environ, "CHAIN_ID": "424242"}.items():
        monkeypatch.setenv(name, value)

    assert main(["init"]) == 1
    assert "Refused: " in capsys.readouterr().out


def test_a_missing_setting_is_named_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them at once, on the error stream."""
    assert main(["init"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("CHAIN_ID", "RPC_URL", "OPERATOR_PK", "AzureWebJobsStorage"))


def test_storage_that_does_not_answer_exits_with_1(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no mistake in the settings, as far as anybody can tell."""
    gone = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:1/a;"
    for name, value in {**environ, "AzureWebJobsStorage": gone}.items():
        monkeypatch.setenv(name, value)

    assert main(["init", "--apply"]) == 1
    assert "storage" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Values": []}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Also one that is not there."""
    file = tmp_path / "local.settings.json"
    file.write_text(text)

    assert main(["init", "--settings", str(file)]) == 2
    assert main(["init", "--settings", str(tmp_path / "absent.json")]) == 2
    assert "is no settings file" in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Both on the program and on the command."""
    for arguments in (["--help"], ["init", "--help"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert capsys.readouterr().out.count("exit codes:") == 2


@pytest.mark.parametrize("setting", ["OPERATOR_PK__B", "OPERATOR_PK_RETIRING"])
async def test_a_ledger_whose_other_operators_have_sent_is_a_lost_one(
    environ: dict[str, str], deployment: Deployment, devchain: Devchain, parts: Resources, setting: str
) -> None:
    """The first one's key is new; what was paid is older than the blocks that are looked at without FIRST_BLOCK."""
    other = deployment.second_operator
    devchain.rpc("eth_sendTransaction", {"from": other, "to": other, "value": "0x0"})
    context = Desk(environ)

    assert not await context.init(apply=True, **{setting: deployment.second_operator_key})
    assert f"{other} has sent 1 transactions" in context.said[-1]
    assert await (await parts.ledger()).identity() is None


@pytest.mark.parametrize("changed", [{"LEDGER_ID": "0" * 32}, {}])
async def test_a_lost_ledger_is_never_blessed(
    environ: dict[str, str], deployment: Deployment, devchain: Devchain, parts: Resources, changed: dict[str, str]
) -> None:
    """Found-faults A2: emptied, and init --apply made it ours again, and the same webhook was paid again."""
    if not changed:
        devchain.rpc("eth_sendTransaction", {"from": deployment.operator, "to": deployment.operator, "value": "0x0"})
    context = Desk(environ)

    assert not await context.init(apply=True, **changed)
    assert "it was lost" in context.said[-1]
    assert "`rebuild`" in context.said[-1]
    assert await (await parts.ledger()).identity() is None


async def test_a_new_beginning_is_said_in_words(
    environ: dict[str, str], deployment: Deployment, devchain: Devchain, parts: Resources
) -> None:
    """A key that was used before: a person says why no old order can come again, and the trail keeps it."""
    devchain.rpc("eth_sendTransaction", {"from": deployment.operator, "to": deployment.operator, "value": "0x0"})
    context = Desk(environ)

    assert await context.init(apply=True, new_beginning="first day with this service")
    trail = (await parts.tables()).service.get_table_client(f"{environ['LEDGER_TABLE']}audit")
    entries = [entry async for entry in trail.query_entities("RowKey ge 'new-beginning' and RowKey lt 'new-beginninh'")]
    assert [(entry["by"], entry["why"]) for entry in entries] == [("ana", "first day with this service")]


async def test_a_token_that_counts_otherwise_is_refused(environ: dict[str, str], parts: Resources) -> None:
    """Found-faults A14: with 6 for 18 an order of 10.5 was paid as 0.0000000000105, and called paid."""
    desk = Desk(environ)

    assert not await desk.init(apply=True, TOKEN_DECIMALS="6")
    assert "The token has 18 decimals, TOKEN_DECIMALS is 6." in desk.said[-1]
    assert await (await parts.ledger()).identity() is None


def batches_of_at_most(most: int) -> Reply:
    """Refuse a larger batch with HTTP 413, as gateways do; a single call is one object."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        calls = json.loads(body)
        if isinstance(calls, list) and len(calls) > most:
            return web.Response(status=413)
        return web.json_response(await front.ask_node(body))

    return reply


def no_receipts() -> Reply:
    """Answer everything but receipts: the provider's plan has no such method."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        asked, answered = json.loads(body), await front.ask_node(body)
        calls, answers = (asked, answered) if isinstance(asked, list) else ([asked], [answered])
        said = [
            {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "method is not available"}}
            if call["method"] == "eth_getTransactionReceipt"
            else answer
            for call, answer in zip(calls, answers, strict=True)
        ]
        return web.json_response(said if len(said) > 1 else said[0])

    return reply


async def test_init_tries_what_the_payouts_will_ask_at_once(environ: dict[str, str], deployment: Deployment) -> None:
    """Found-faults A11: one that takes three calls in a batch is asked so; one without receipts pays nobody, ever."""
    async with gateway(deployment.url) as front:
        desk = Desk(environ | {"RPC_URL": front.url})
        front.reply = batches_of_at_most(3)
        assert await desk.init(apply=False)
        assert max(len(batch) for batch in front.batches[-5:]) <= 3

        front.reply = no_receipts()
        with pytest.raises(ChainUnavailable, match="does not answer 16 of 16 receipts"):
            await desk.init(apply=True)
