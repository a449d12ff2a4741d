"""``up``: start everything, pay one signed order before your eyes, and stay."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlencode

from devstack import api_page, paths, runs, shop_receiver, stack
from devstack.console import Console, Ended
from devstack.journey import Journey, signed_order
from devstack.stack import CONSOLE_PERSON, CONSOLE_TOKEN, FUNCTION_KEY, MASTER_KEY, FunctionsHost, Services
from foundation.clock import Clock, system_clock
from foundation.console.sessions import Sessions
from foundation.console.settings import ConsoleSettings
from foundation.settings.reading import read_group


def run(console: Console, *, once: bool, host: str) -> int:
    """Return 0 when the order was paid and, without *once*, when someone asked for the end. Raises StepFailed."""
    try:
        with runs.begin() as this:
            _start(console, this, once=once, host=host)
    except Ended:
        console.say("\nEnded: storage, chain and host are stopped.")
    return 0


def _start(console: Console, this: runs.Run, *, once: bool, host: str) -> None:
    console.say(f"Starting storage, chain and app on this machine. Logs: {this.folder}", "bold")
    with (
        stack.services(console, this, fixed_ports=False) as found,
        shop_receiver.served(this.folder) as shop,
    ):
        services = replace(found, settings={**found.settings, **shop.settings})
        serving = stack.functions_host(this, services.settings, host)
        with stack.started(console, this, "start the Functions host", serving) as running:
            with console.step("sweep once, so that /ready need not wait for the minute"):
                _sweep(running)
            _pay(console, services, running, this)
            if not once:
                _stay(console, services, running, this, shop)


def _stay(
    console: Console, services: Services, running: FunctionsHost, this: runs.Run, shop: shop_receiver.Receiver
) -> NoReturn:
    """Say what runs and where, and wait for the end. Raises StepFailed if a part of it ends by itself."""
    settings = settings_file(this, {**services.settings, "CONSOLE_URL": running.url})
    with api_page.served() as interface:
        console.say(_beside(interface, shop))
        _explain(console, services, running, settings)
        storage, chain = services.storage.process, services.chain.process
        stack.stay({"azurite": storage, "anvil": chain, "host": running.process}, this)


def _sweep(host: FunctionsHost) -> None:
    headers = {"x-functions-key": MASTER_KEY, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{host.url}/admin/functions/sweep", b'{"input": ""}', headers)  # noqa: S310 -- our own loopback URL
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 -- our own loopback URL
        pass


def _pay(console: Console, services: Services, host: FunctionsHost, this: runs.Run) -> None:
    console.say("\nThe way of one order", "bold")
    order_id = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    order = signed_order(order_id, services.deployment.customers[0], services.settings["WEBHOOK_SECRET"])
    Journey(console, services, host, this.log("host")).pay(order)
    console.say("\nPaid, exactly once.", "green")


def settings_file(this: runs.Run, settings: Mapping[str, str]) -> Path:
    """Write the settings of this run where the command line can read them, for this user alone; return the file."""
    file = this.folder / "settings.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"IsEncrypted": False, "Values": dict(settings)}, indent=2), encoding="utf-8")
    return file


def sign_in_link(settings: Mapping[str, str], url: str, clock: Clock = system_clock) -> str:
    """Return the address of a page with a button that signs the person at this desk in, once."""
    known = read_group(ConsoleSettings, {**settings, "CONSOLE_URL": url})
    sessions = Sessions(keys=known.keys, people=known.people, clock=clock)
    return f"{url}/console/link?{urlencode({'by': sessions.link(CONSOLE_PERSON)})}"


def _beside(interface: str, shop: shop_receiver.Receiver) -> str:
    return f"""
Beside the app
  interface  {interface}    (docs/openapi.yaml, in a browser)
  the shop   {shop.told}    (what it was told, a line each)
             echo 500 > {shop.answer}    (its receiver is down; 410: gone for good; 204: well again)"""


def _explain(console: Console, services: Services, host: FunctionsHost, settings: Path) -> None:
    order = signed_order("demo-2", services.deployment.customers[1], services.settings["WEBHOOK_SECRET"])
    signature, body = f"X-WP-Signature: {order.signature}", order.body.decode()
    command = f"{paths.venv_python().relative_to(paths.ROOT)} -m distributor"
    console.say(f"""
What runs
  app        {host.url}    (function key: {FUNCTION_KEY}, master key: {MASTER_KEY})
  chain      {services.chain.url}    (chain id {services.deployment.chain_id})
  token      {services.deployment.token}
  authority  {services.deployment.authority}
  guard      {services.deployment.guard}
  storage    {services.storage.connection_string}

Send an order yourself
  curl -i {host.url}/webhook -H "Content-Type: application/json" -H "{signature}" -d '{body}'

Or as a shop does, with a client of clients/
  WEBHOOK_URL={host.url}/webhook WEBHOOK_SECRET={services.settings["WEBHOOK_SECRET"]} \\
    python3 clients/examples/pay.py demo-3 {services.deployment.customers[1]} 7.5

See and steer it in a browser (personal token: {services.settings[CONSOLE_TOKEN]})
  {host.url}/console
  {sign_in_link(services.settings, host.url)}    (signs in once, within ten minutes)

See where it stands
  curl "{host.url}/orders/{order.order_id}?code={FUNCTION_KEY}"
  curl {host.url}/ready

Use the command line against it, in another window, in this folder (--language pt for Portuguese)
  {command} show --settings {settings}
  {command} order {order.order_id} --settings {settings}
  {command} orders --settings {settings}
  {command} pause --why "to see what happens" --apply --settings {settings}
  {command} resume --why "seen" --apply --settings {settings}
  {command} doctor --settings {settings}
  {command} send-test {host.url}/webhook --settings {settings}

Try next: the same curl again (200, paid once), or with another amount (401: the signature covers every byte).
`doctor` is the checklist for production: here several of its items fail.
Ctrl-C ends everything, and so does: python3 -m devstack down""")
