"""``up`` and ``services`` for real: the whole stack starts, pays an order, and ends without a trace."""

import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from azure.data.tables import TableClient

from devstack import paths, runs, services, stack
from devstack.console import Console, StepFailed
from devstack.journey import signed_order
from devstack.servers import Child, child, wait_until_said
from distributor.cli import main
from distributor.model import Address
from tests.runbook import typed

_COMMAND = re.compile(r"^  (\S+ -m distributor (\S+) .*)$", re.MULTILINE)

pytestmark = pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does


@contextmanager
def devstack(log: Path, *arguments: str, **environment: str) -> Iterator[Child]:
    """Run a command of the stack until the block ends."""
    command = [sys.executable, "-m", "devstack", *arguments]
    with child(
        "devstack", command, log=log, environment={**os.environ, "PYTHONPATH": str(paths.ROOT), **environment}
    ) as it:
        yield it


def ended(processes: list[psutil.Process]) -> bool:
    """Tell whether none of *processes* runs any more."""
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def one_stack(tmp_path: Path) -> Iterator[Child]:
    """A stack that has paid its first order and stays up."""
    with devstack(tmp_path / "up.log", "up") as up:
        wait_until_said(up, r"Ctrl-C ends everything", timeout_s=120)
        yield up


@pytest.mark.skipif(os.name == "nt", reason="SIGINT reaches a group only through its console there")
def test_up_pays_an_order_and_ctrl_c_leaves_nothing_behind(
    one_stack: Child, capsys: pytest.CaptureFixture[str]
) -> None:
    """It reports its way part by part; storage, chain and host end with it."""
    said = one_stack.log.read_text("utf-8")
    stack_of = [psutil.Process(one_stack.process.pid), *psutil.Process(one_stack.process.pid).children(recursive=True)]

    (file,) = set(re.findall(r"show --settings (\S+)", said))
    assert main([*typed("Connect", "show --settings FILE", {"FILE": file}), "--json"]) == 0  # as it is printed
    assert [each["orders_paid"] for each in json.loads(capsys.readouterr().out)["operators"]] == [1]
    (webhook,) = set(re.findall(r"send-test (\S+)", said))
    assert main([*typed("Commands", "send-test URL", {"URL": webhook}), "--json", "--settings", file]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == 400  # signed well, and no order
    for line in re.findall(r"^  (\S+ -m distributor .*|curl \S+ *)$", said, re.MULTILINE):
        assert "?" not in re.sub(r'"[^"]*"', "", line)  # zsh takes it for a pattern
    _each_line_does_what_it_is_printed_for(said)
    assert len(stack_of) == 5  # up, storage, chain, host, and the worker of the host
    parts = re.findall(r"^ +[\d.]+ s  (\w+)", said, re.MULTILINE)
    assert [part for part in parts if part not in {"submitted", "mined"}] == [
        *("order", "webhook", "table", "queue", "paid", "event", "wallet")
    ]
    assert "0 -> 12.5 BALLX, exactly" in said
    os.kill(one_stack.process.pid, signal.SIGINT)
    assert one_stack.process.wait(30) == 0
    assert ended(stack_of)
    assert "Ended: storage, chain and host are stopped." in one_stack.log.read_text("utf-8")


def _each_line_does_what_it_is_printed_for(said: str) -> None:
    """As they are printed, one after the other, in a shell where no environment is active."""
    bare = {name: os.environ[name] for name in ("HOME", "PATH", "SystemRoot") if name in os.environ}
    shop = re.findall(r"^  (WEBHOOK_URL=.*\\\n.*)$", said, re.MULTILINE)
    ends = {}
    curls = re.findall(r"^  (curl -i .*)$", said, re.MULTILINE)
    for line in (*curls, *shop, *(line for line, _ in _COMMAND.findall(said))):
        done = subprocess.run(line, shell=True, cwd=paths.ROOT, env=bare, capture_output=True, text=True, check=False)  # noqa: S602 -- what the stack printed
        ends[line] = (done.returncode, done.stdout + done.stderr)
    failed = [line.split()[3] for line, (code, _) in ends.items() if code]
    assert failed == ["doctor"], ends  # the checklist for production, whose items fail at a desk
    told = "".join(text for _, text in ends.values())
    wanted = ("202 Accepted", '"demo-3"', "PAYING", "paused: yes", "paused: no")
    assert [word for word in wanted if word not in told] == [], told


def test_down_in_another_window_ends_the_stack(one_stack: Child) -> None:
    """From anywhere, without a process id."""
    stack_of = [psutil.Process(one_stack.process.pid), *psutil.Process(one_stack.process.pid).children(recursive=True)]
    (run,) = [found for found in runs.known() if found.folder.name == str(one_stack.process.pid)]

    assert run.end() == 4
    assert ended(stack_of)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for the program")
def test_core_tools_host_the_app_when_asked(tmp_path: Path) -> None:
    """``up --host func`` starts ``func start`` on the app and asks nothing else of it."""
    program = tmp_path / "func"
    program.write_text(
        f"""#!/bin/sh
echo "func $*"
test "$1 $2 $4" = "start --script-root --port" || exit 9
exec "{sys.executable}" -m devstack.host --app "$3" --port "$5" --no-local-settings --runtime "{paths.STATE}/runtime"
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    searched = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with devstack(tmp_path / "up.log", "up", "--once", "--host", "func", PATH=searched) as up:
        code = up.process.wait(120)

    assert code == 0, up.log.read_text("utf-8")
    assert "Paid, exactly once." in up.log.read_text("utf-8")


def test_without_core_tools_up_says_where_to_get_them(tmp_path: Path) -> None:
    """And ends what it had started."""
    with devstack(tmp_path / "up.log", "up", "--once", "--host", "func") as up:
        code = up.process.wait(120)

    assert code == 1
    assert "Azure Functions Core Tools are not on PATH" in up.log.read_text("utf-8")


def test_services_are_what_the_example_of_the_settings_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract addresses are the same at each start; the ledger knows them."""
    monkeypatch.setattr(stack, "STORAGE_PORTS", (0, 0, 0))  # free ones, to disturb nobody
    monkeypatch.setattr(stack, "CHAIN_PORT", 0)
    example = json.loads(stack.EXAMPLE.read_text("utf-8"))["Values"]
    with runs.begin(tmp_path) as run, stack.services(Console(io.StringIO()), run, fixed_ports=True) as running:
        with TableClient.from_connection_string(running.storage.connection_string, "ledger") as ledger:
            identity = ledger.get_entity(example["CHAIN_ID"], "identity")
        found = dict(running.settings)

    for name in ("CHAIN_ID", "TOKEN_ADDRESS", "AUTHORITY_ADDRESS", "RESERVE_ADDRESS", "OPERATOR_PK"):
        assert found[name] == example[name], name
    assert (identity["token"], identity["authority"]) == (example["TOKEN_ADDRESS"], example["AUTHORITY_ADDRESS"])
    assert example["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert example["RPC_URL"] == "http://127.0.0.1:8545"


def test_services_say_who_holds_a_busy_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name and the process id, before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        monkeypatch.setattr(services, "STORAGE_PORTS", (busy.getsockname()[1],))

        with pytest.raises(StepFailed, match=rf"Port \d+ is held by .+ \(process {os.getpid()}\)"):
            services.run(Console(io.StringIO()))


def test_the_shop_s_signature_covers_the_body_as_sent() -> None:
    """The order of the demonstration is signed like every other."""
    order = signed_order("demo-1", Address("0x90F79bf6EB2c4f870365E785982E1f101E93b906"), "a-secret-of-the-shop")

    assert json.loads(order.body)["order_id"] == "demo-1"
    assert order.amount_units == 12_500_000_000_000_000_000
    assert re.fullmatch("[0-9a-f]{64}", order.signature)
