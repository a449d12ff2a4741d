<?php
/**
 * A stand-in of WooCommerce for the tests: it is in no package registry that a build can reach.
 *
 * Only what the plugin asks of it, behaving as WooCommerce documents it, stored where WooCommerce 6 stores it:
 * posts of the type shop_order, post meta, comments of the type order_note. Off unless the option is set.
 *
 * @see https://woocommerce.github.io/code-reference/classes/WC-Order.html
 * @see https://woocommerce.github.io/code-reference/namespaces/default.html#function_wc_get_order
 */

declare(strict_types=1);

if ( ! get_option( 'woocommerce_stand_in' ) ) {
	return;
}

final class WooCommerce {
}

class WC_Order {
	/** @var array<string, mixed> */
	private array $changed_meta = array();

	public function __construct( private readonly int $id ) {
	}

	public function get_id(): int {
		return $this->id;
	}

	public function get_order_number(): string {
		return (string) $this->id;
	}

	public function get_status(): string {
		return substr( get_post_status( $this->id ), strlen( 'wc-' ) );
	}

	/** A decimal text such as "29.35", as WooCommerce returns it in the context "view" or "edit". */
	public function get_total(): string {
		return (string) get_post_meta( $this->id, '_order_total', true );
	}

	public function get_currency(): string {
		return (string) ( get_post_meta( $this->id, '_order_currency', true ) ?: get_option( 'woocommerce_currency' ) );
	}

	public function get_total_refunded(): float {
		return (float) get_post_meta( $this->id, '_refunded', true );
	}

	public function get_billing_email(): string {
		return (string) get_post_meta( $this->id, '_billing_email', true );
	}

	public function get_customer_id(): int {
		return (int) get_post_meta( $this->id, '_customer_user', true );
	}

	public function get_user_id(): int {
		return $this->get_customer_id();
	}

	public function get_meta( string $key ): mixed {
		return $this->changed_meta[ $key ] ?? get_post_meta( $this->id, $key, true );
	}

	public function update_meta_data( string $key, mixed $value ): void {
		$this->changed_meta[ $key ] = $value;
	}

	public function delete_meta_data( string $key ): void {
		$this->changed_meta[ $key ] = '';
	}

	/** Nothing is stored before this. */
	public function save(): int {
		foreach ( $this->changed_meta as $key => $value ) {
			'' === $value ? delete_post_meta( $this->id, $key ) : update_post_meta( $this->id, $key, $value );
		}
		$this->changed_meta = array();
		return $this->id;
	}

	public function add_order_note( string $note ): int {
		return (int) wp_insert_comment(
			array(
				'comment_post_ID' => $this->id,
				'comment_content' => $note,
				'comment_type'    => 'order_note',
				'comment_author'  => 'WooCommerce',
			)
		);
	}

	/** WooCommerce catches what a handler throws; here it is seen. */
	public function update_status( string $new_status ): bool {
		$old_status = $this->get_status();
		wp_update_post( array( 'ID' => $this->id, 'post_status' => 'wc-' . $new_status ) );
		do_action( 'woocommerce_order_status_' . $new_status, $this->id, $this );
		do_action( 'woocommerce_order_status_changed', $this->id, $old_status, $new_status, $this );
		return true;
	}
}

/** False for what is no order, as WooCommerce answers. */
function wc_get_order( mixed $the_order = false ): WC_Order|false {
	$id = $the_order instanceof WC_Order ? $the_order->get_id() : (int) $the_order;
	return 'shop_order' === get_post_type( $id ) ? new WC_Order( $id ) : false;
}

/** The statuses an order may have, as WooCommerce names them. */
function wc_get_order_statuses(): array {
	return array(
		'wc-pending'    => 'Pending payment',
		'wc-processing' => 'Processing',
		'wc-completed'  => 'Completed',
	);
}

add_action(
	'init',
	static function (): void {
		register_post_type( 'shop_order', array( 'public' => false ) );
		foreach ( array_keys( wc_get_order_statuses() ) as $status ) {
			register_post_status( $status );
		}
	}
);
