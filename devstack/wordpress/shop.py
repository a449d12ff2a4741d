"""A shop: a real WordPress with the plugin, its orders placed inside WordPress and its time in the caller's hand."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devstack.wordpress.site import Site

WAY = ("received", "submitted", "mined", "paid")
"""What the distributor says of an order, one after the other."""
FOLLOWED_S = 60.0

Delivery = Mapping[str, str | None]
"""A row of the plugin's table, as the database gives it: text, or None."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What is done with the plugin from outside, always through WordPress."""

    site: Site

    def place(self, order: Mapping[str, Any]) -> None:
        """Raise the plugin's own action, as a theme or another plugin does."""
        self.site.evaluate("do_action( 'ballx_distribute', $order );", {"order": order})

    def deliveries(self) -> Sequence[Delivery]:
        """Return every delivery, oldest first."""
        found: Sequence[Delivery] = self.site.evaluate(
            "return $GLOBALS['wpdb']->get_results( "
            "\"SELECT * FROM {$GLOBALS['wpdb']->prefix}ballx_deliveries ORDER BY id\", ARRAY_A );"
        )
        return found

    def delivery(self, order_id: str) -> Delivery:
        """Return the one delivery of *order_id*; more or fewer than one raise ValueError."""
        (found,) = [delivery for delivery in self.deliveries() if delivery["order_id"] == order_id]
        return found

    def set(self, options: Mapping[str, str]) -> None:
        """Decide settings without the settings page."""
        self.site.evaluate("array_map( update_option( ... ), array_keys( $o ), $o );", {"o": options})

    def option(self, name: str) -> Any:
        """Return a setting as it is stored."""
        return self.site.evaluate("return get_option( $name );", {"name": name})

    def settle(self) -> None:
        """
        Run what the first page of the administration of a new WordPress schedules, before anybody opens it.

        A cron run that has much to do may overwrite the wake-up of an order placed meanwhile (the plugin's
        Scheduler tells how), and the first order would wait a minute for the sweep.
        """
        self.site.evaluate(
            "foreach ( array( 'wp_scheduled_delete', 'delete_expired_transients', 'wp_scheduled_auto_draft_delete' )"
            " as $hook ) { wp_schedule_event( time() - 1, 'daily', $hook ); }"
        )
        self.site.run_cron()

    def let_time_pass(self) -> None:
        """
        Make what waits due, and let WordPress run what it has scheduled.

        Only wake-ups that the plugin scheduled itself are brought forward: what it forgot stays forgotten.
        """
        self.site.evaluate(_HASTEN)
        self.site.run_cron()

    def follow(self, order_id: str, status: str) -> Delivery:
        """Let time pass until the distributor says *status* or something later of the order; return its delivery."""
        deadline = time.monotonic() + FOLLOWED_S
        while True:
            self.let_time_pass()
            delivery = self.delivery(order_id)
            if delivery["status"] in WAY[WAY.index(status) :]:
                return delivery
            if time.monotonic() > deadline or delivery["state"] in {"refused", "given_up"}:
                raise TimeoutError(f"{order_id} is not {status}: {delivery}")

    def lose_the_answer(self, order_id: str) -> None:
        """Bring the shop to where it was before the distributor's answer came: sent, due, and nobody knows."""
        self.site.evaluate(
            "global $wpdb; $wpdb->update( $wpdb->prefix . 'ballx_deliveries',"
            " array( 'state' => 'waiting', 'status' => '', 'due_at' => time() ), array( 'order_id' => $order_id ) );"
            "wp_schedule_single_event( time(), 'ballx_work', array( time() ) );",
            {"order_id": order_id},
        )

    def forget(self) -> None:
        """Drop every delivery and every notice."""
        self.site.evaluate(
            "$GLOBALS['wpdb']->query( \"DELETE FROM {$GLOBALS['wpdb']->prefix}ballx_deliveries\" );"
            "delete_option( 'ballx_problems' ); wp_unschedule_hook( 'ballx_work' );"
        )


_HASTEN = """
global $wpdb;
$wpdb->query( "UPDATE {$wpdb->prefix}ballx_deliveries SET due_at = UNIX_TIMESTAMP() - 1 WHERE due_at IS NOT NULL" );
foreach ( _get_cron_array() as $time => $hooks ) {
    foreach ( $hooks['ballx_work'] ?? array() as $event ) {
        wp_unschedule_event( $time, 'ballx_work', $event['args'] );
        wp_schedule_single_event( time() - 1, 'ballx_work', $event['args'] );
    }
}
"""
