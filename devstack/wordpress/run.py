"""``wordpress``: the whole stack with a real WordPress in front, the plugin active and configured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack import paths, runs, stack
from devstack.console import Console, Ended, StepFailed
from devstack.contracts import Devchain
from devstack.runs import Run
from devstack.stack import FUNCTION_KEY, FunctionsHost, Services
from devstack.wordpress import database as wordpress_database
from devstack.wordpress import parts as wordpress_parts
from devstack.wordpress import site as wordpress_site
from devstack.wordpress.shop import Delivery, Shop
from devstack.wordpress.site import ADMIN, WordpressFailed
from distributor.model import Address
from distributor.units import TokenUnits, format_units

_PAGE_FOR_ORDERS = paths.ROOT / "devstack" / "wordpress" / "php" / "place-orders.php"
_AMOUNT = "12.5"
_AMOUNT_UNITS = TokenUnits(125 * 10**17)
_DECIMALS = 18
_PAID_WITHIN_S = 120.0
_ENDED_UNPAID = {"refused", "given_up", "held", "cancelled"}


def run(console: Console, *, once: bool) -> int:
    """Return 0 when an order was paid (*once*) or when someone asked for the end. Raises StepFailed."""
    try:
        with runs.begin() as this:
            _start(console, this, once=once)
    except Ended:
        console.say("\nEnded: WordPress, storage, chain and host are stopped.")
    except WordpressFailed as why:
        raise StepFailed(str(why)) from why
    return 0


def _start(console: Console, this: Run, *, once: bool) -> None:
    console.say(f"Starting storage, chain, app and WordPress on this machine. Logs: {this.folder}", "bold")
    with stack.services(console, this, fixed_ports=False) as services:
        serving = stack.functions_host(this, services.settings, "ours")
        with (
            stack.started(console, this, "start the Functions host", serving) as host,
            _shop(console, this, services, host) as shop,
        ):
            if once:
                _pay(console, shop, services)
            else:
                _explain(console, shop, services, host)
                parts = {"azurite": services.storage.process, "anvil": services.chain.process, "host": host.process}
                stack.stay({**parts, "wordpress": shop.site.process}, this, shop.site.run_cron)


@contextmanager
def _shop(console: Console, this: Run, services: Services, host: FunctionsHost) -> Iterator[Shop]:
    """Run a WordPress whose plugin knows *host*, until the block ends."""
    with console.step("get WordPress, PHP and MariaDB from Debian, at the first start 45 MB"):
        try:
            parts = wordpress_parts.prepare()
        except paths.NotInstalled as why:
            raise StepFailed(str(why)) from why
    with TemporaryDirectory(dir=this.folder, ignore_cleanup_errors=True) as place:
        folder = Path(place)
        filling = wordpress_database.database(parts, folder, this.log("mariadb"))
        with stack.started(console, this, "start MariaDB", filling) as database:
            serving = wordpress_site.site(
                parts, database, folder, additions=[_PAGE_FOR_ORDERS], log=this.log("wordpress")
            )
            with stack.started(console, this, "install WordPress and activate the plugin", serving) as site:
                shop = Shop(site=site)
                shop.set(_options(services, host))
                shop.settle()
                yield shop


def _options(services: Services, host: FunctionsHost) -> Mapping[str, str]:
    """Return what the plugin needs to know, and the person the page for orders suggests."""
    return {
        "ballx_webhook_url": f"{host.url}/webhook",
        "ballx_webhook_secret": services.settings["WEBHOOK_SECRET"],
        "devstack_customer": services.deployment.customers[0],
    }


def _pay(console: Console, shop: Shop, services: Services) -> None:
    """Place one order inside WordPress and show what the plugin says of it, until it is paid. Raises StepFailed."""
    console.say("\nThe way of one order", "bold")
    began = time.monotonic()
    order_id, wallet = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}", services.deployment.customers[0]
    chain = Devchain(services.deployment)
    before = chain.balance_of(wallet)
    shop.place({"order_id": order_id, "wallet": wallet, "amount": _AMOUNT, "reason": "Thank you"})
    said = ""
    while said != "paid":
        if time.monotonic() - began > _PAID_WITHIN_S:
            raise StepFailed(f"the order was not paid within {_PAID_WITHIN_S:.0f} s: {shop.delivery(order_id)}")
        delivery = shop.delivery(order_id)
        if said != (said := _standing(delivery)):
            console.say(f"  {time.monotonic() - began:5.2f} s  {said:<10} {delivery['tx_hash'] or ''}".rstrip())
        if said in _ENDED_UNPAID:
            raise StepFailed(f"the order ended {said}: {delivery['error_code']} {delivery['detail']}")
        shop.let_time_pass()
    _check(console, wallet, before, chain)


def _standing(delivery: Delivery) -> str:
    """Return the distributor's word for the state of an order, before it has one the plugin's own."""
    return delivery["status"] or delivery["state"] or ""


def _check(console: Console, wallet: Address, before: TokenUnits, chain: Devchain) -> None:
    after = chain.balance_of(wallet)
    if after - before != _AMOUNT_UNITS:
        raise StepFailed(f"the wallet got {after - before} units instead of {_AMOUNT_UNITS}")
    change = f"{format_units(before, _DECIMALS)} -> {format_units(after, _DECIMALS)} BALLX"
    console.say(f"           wallet     {change}, exactly")
    console.say("\nPaid, exactly once.", "green")


def _explain(console: Console, shop: Shop, services: Services, host: FunctionsHost) -> None:
    site = shop.site
    console.say(f"""
What runs
  WordPress  {site.url}/wp-admin/    (user: {ADMIN}, password: {site.password})
  app        {host.url}    (function key: {FUNCTION_KEY})
  chain      {services.chain.url}    (chain id {services.deployment.chain_id})

Place a test order
  in the browser   {site.url}/wp-admin/tools.php?page=devstack-order
  in PHP           do_action( 'ballx_distribute', array( 'order_id' => 'test-1', 'amount' => '12.5',
                       'wallet' => '{services.deployment.customers[0]}' ) );

The plugin's settings and its list of deliveries are in WordPress's menu. WordPress's cron runs each second here.
Ctrl-C ends everything, and so does: python3 -m devstack down""")
