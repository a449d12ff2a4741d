<?php
/**
 * A page under "Tools" that owes somebody tokens, in the place of a shop. For a local stack only.
 *
 * It does what a theme or a plugin does: it raises the action ballx_distribute.
 */

declare(strict_types=1);

const DEVSTACK_ORDER_FIELDS = array(
	'order_id' => 'Order',
	'wallet'   => 'Wallet',
	'amount'   => 'Tokens',
	'reason'   => 'Reason',
);

add_action(
	'admin_menu',
	static fn() => add_management_page( 'Place an order', 'Place an order', 'manage_options', 'devstack-order', 'devstack_order_page' )
);

function devstack_order_page(): void {
	$given = devstack_order_given();
	if ( $given ) {
		do_action( 'ballx_distribute', $given );
		printf( '<div class="notice notice-info"><p>Placed order %s.</p></div>', esc_html( $given['order_id'] ) );
	}
	$values = array(
		'order_id' => 'demo-' . gmdate( 'Ymd-His' ),
		'wallet'   => (string) get_option( 'devstack_customer' ),
		'amount'   => '12.5',
		'reason'   => 'Thank you',
	);
	echo '<div class="wrap"><h1>Place an order</h1><form method="post"><table class="form-table">';
	foreach ( DEVSTACK_ORDER_FIELDS as $name => $label ) {
		printf(
			'<tr><th><label for="%1$s">%2$s</label></th><td><input class="regular-text" id="%1$s" name="%1$s" value="%3$s"></td></tr>',
			esc_attr( $name ),
			esc_html( $label ),
			esc_attr( $values[ $name ] )
		);
	}
	echo '</table>';
	wp_nonce_field( 'devstack_order' );
	submit_button( 'Place the order' );
	echo '</form></div>';
}

/** @return array<string, string> what the form sent, empty when it was not sent */
function devstack_order_given(): array {
	if ( ! isset( $_POST['order_id'] ) || ! check_admin_referer( 'devstack_order' ) ) {
		return array();
	}
	return array_intersect_key( wp_unslash( $_POST ), DEVSTACK_ORDER_FIELDS );
}
