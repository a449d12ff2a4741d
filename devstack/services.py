"""``services``: everything but the Functions host, on the ports that ``local.settings.json.example`` names."""

from __future__ import annotations

import socket

import psutil

from devstack import paths, runs, stack
from devstack.console import Console, Ended, StepFailed
from devstack.stack import CHAIN_PORT, STORAGE_PORTS


def run(console: Console) -> int:
    """Return 0 when someone asked for the end. Raises StepFailed, also when a port is busy."""
    for port in (*STORAGE_PORTS, CHAIN_PORT):
        if _busy(port):
            raise StepFailed(f"Port {port} is held by {holder(port)}. Ours are ended by: python3 -m devstack down")
    try:
        with runs.begin() as this:
            console.say(f"Starting storage and chain on their fixed ports. Logs: {this.folder}", "bold")
            with stack.services(console, this, fixed_ports=True) as services:
                _explain(console, services)
                stack.stay({"azurite": services.storage.process, "anvil": services.chain.process}, this)
    except Ended:
        console.say("\nEnded: storage and chain are stopped.")
    return 0


def holder(port: int) -> str:
    """Return who listens on *port*, as far as this user may see it."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f"{psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:  # macOS shows other programs' ports to root only
        pass
    return "another program"


def _busy(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _explain(console: Console, services: stack.Services) -> None:
    console.say(f"""
Ready, and empty at each start. In another window:
  cp local.settings.json.example local.settings.json
  func start          (or, without Core Tools: {paths.venv_python().relative_to(paths.ROOT)} -m devstack.host)

  storage    UseDevelopmentStorage=true
  chain      {services.chain.url}    (chain id {services.deployment.chain_id})
  token      {services.deployment.token}
  authority  {services.deployment.authority}
  guard      {services.deployment.guard}
Ctrl-C ends both, and so does: python3 -m devstack down""")
