"""The real servers: they answer, they are ours, and nothing of them is left."""

import json
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from devstack import servers

posix = pytest.mark.skipif(sys.platform == "win32", reason="process groups are a POSIX thing")


# Listens until it is ended; its port tells whether it is.
GRANDCHILD = """
import socket, time
listening = socket.create_server(("127.0.0.1", 0))
print("port", listening.getsockname()[1], flush=True)
time.sleep(60)
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def rpc(url: str, method: str, *params: Any) -> Any:
    """Ask a node; the answer's result."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 -- loopback
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 -- loopback
        return json.load(answer)["result"]


def nobody_listens(port: int, *, within_s: float) -> bool:
    """Whether *port* is refused before the time is over; a killed process goes a moment after the call."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        time.sleep(0.01)
    return False


def test_azurite_takes_a_row_and_a_message_with_its_connection_string(
    azurite: servers.Azurite, table_name: str
) -> None:
    """The connection string leads the real SDKs to tables and queues."""
    with (
        TableServiceClient.from_connection_string(azurite.connection_string) as tables,
        QueueServiceClient.from_connection_string(azurite.connection_string) as queues,
    ):
        tables.create_table(table_name).create_entity({"PartitionKey": "p", "RowKey": "r", "n": 1})
        queues.create_queue(table_name).send_message("wake")

        assert tables.get_table_client(table_name).get_entity("p", "r")["n"] == 1
        message = queues.get_queue_client(table_name).receive_message()
        assert message is not None
        assert message.content == "wake"


def test_azurite_keeps_its_rows_in_a_folder(tmp_path: Path, table_name: str) -> None:
    """What was written before a restart is there after it, and in-memory data is not."""
    with (
        servers.azurite(tmp_path) as first,
        TableServiceClient.from_connection_string(first.connection_string) as tables,
    ):
        tables.create_table(table_name).create_entity({"PartitionKey": "p", "RowKey": "r"})
    with (
        servers.azurite(tmp_path) as second,
        TableServiceClient.from_connection_string(second.connection_string) as tables,
    ):
        kept = tables.get_table_client(table_name).get_entity("p", "r")
    with (
        servers.azurite() as empty,
        TableServiceClient.from_connection_string(empty.connection_string) as tables,
        pytest.raises(ResourceNotFoundError),
    ):
        tables.get_table_client(table_name).get_entity("p", "r")

    assert kept["RowKey"] == "r"


def test_anvil_finality_follows_two_blocks_behind() -> None:
    """Finality moves, so that an order can become paid."""
    with servers.anvil(chain_id=80002, mining=False) as node:
        rpc(node.url, "anvil_mine", "0x5")

        assert rpc(node.url, "eth_chainId") == hex(80002)
        assert rpc(node.url, "eth_blockNumber") == hex(5)
        assert rpc(node.url, "eth_getBlockByNumber", "finalized", False)["number"] == hex(3)


def test_anvil_continues_from_its_state_file(tmp_path: Path) -> None:
    """The chain of an earlier start is there after the next one."""
    state = tmp_path / "chain.json"
    with servers.anvil(state=state) as node:
        rpc(node.url, "anvil_mine", "0x7")
    with servers.anvil(state=state) as node:
        height = rpc(node.url, "eth_blockNumber")

    assert height == hex(7)


def test_a_busy_port_is_an_error_that_shows_the_log() -> None:
    """A stranger on the port is never taken for our server."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]

        with (
            pytest.raises(servers.ServerFailed, match="os error"),
            servers.anvil(port),
        ):
            pytest.fail("it must not have started")
        with pytest.raises(servers.ServerFailed, match="EADDRINUSE"), servers.azurite(ports=(port, 0, 0)):
            pytest.fail("it must not have started")


def test_the_log_stays_where_it_was_asked_for(tmp_path: Path) -> None:
    """The path of a log can be shown after the server has ended."""
    with servers.anvil(log=tmp_path / "logs" / "anvil.log"):
        pass

    assert "Listening on" in (tmp_path / "logs" / "anvil.log").read_text()


@posix
def test_a_server_ends_with_all_it_started() -> None:
    """The whole process group goes, also when the block raises."""
    with (  # noqa: PT012 -- what leaves the inner block is what is tested
        pytest.raises(RuntimeError, match="trouble"),
        servers.child("parent", [sys.executable, "-c", PARENT]) as server,
    ):
        port = int(servers.wait_until_said(server, r"port (\d+)")[1])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        raise RuntimeError("trouble")

    assert server.process.returncode is not None
    assert nobody_listens(port, within_s=5)


@posix
def test_a_server_that_ignores_its_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ending a server takes a bounded time."""
    monkeypatch.setattr(servers, "STOP_TIMEOUT_S", 0.2)
    with servers.child("deaf", [sys.executable, "-c", DEAF]) as server:
        servers.wait_until_said(server, "up")

    assert server.process.returncode == -9


def test_a_server_that_says_nothing_is_an_error_in_time() -> None:
    """Waiting for a start is bounded, and the server is ended."""
    with (
        pytest.raises(servers.ServerFailed, match=r"mute not up in 0\.1 s"),
        servers.child("mute", [sys.executable, "-c", "import time; time.sleep(60)"]) as server,
    ):
        servers.wait_until_said(server, "never", timeout_s=0.1)

    assert server.process.returncode is not None
