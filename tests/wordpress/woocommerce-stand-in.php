<?php
/**
 * A stand-in of WooCommerce for the tests: it is in no package registry that a build can reach.
 *
 * Only what the plugin asks of it, as the real one was seen to do it (WooCommerce 10.0.0 on WordPress 6.8.3, orders in
 * posts), stored where it stores it: posts of the types shop_order and shop_order_refund, post meta, comments of the
 * type order_note. Off unless the option is set. Facts that the plugin once stumbled over are marked "Seen".
 *
 * @see https://github.com/woocommerce/woocommerce/tree/10.0.0/plugins/woocommerce/includes
 */

declare(strict_types=1);

if ( ! get_option( 'woocommerce_stand_in' ) ) {
	return;
}

final class WooCommerce {
}

/** The one letter class that others extend; what would be sent is kept in an option. */
abstract class WC_Email {
	public string $id             = '';
	public string $title          = '';
	public string $description    = '';
	public string $recipient      = '';
	public string $template_html  = '';
	public string $template_plain = '';
	public string $template_base  = '';
	public bool $customer_email   = false;
	public ?object $object        = null;
	/** @var array<string, string> */
	public array $placeholders = array();
	/** @var array<string, array<string, mixed>> */
	public array $form_fields = array();

	public function __construct() {
		$this->init_form_fields();
	}

	public function init_form_fields() {
		$this->form_fields = array( 'enabled' => array( 'default' => 'yes' ) );
	}

	/** Seen: a letter whose settings were never saved is as its form's default says. */
	public function is_enabled(): bool {
		$settings = get_option( 'woocommerce_' . $this->id . '_settings', array() );
		return 'yes' === ( $settings['enabled'] ?? $this->form_fields['enabled']['default'] );
	}

	public function setup_locale(): void {
	}

	public function restore_locale(): void {
	}

	public function get_recipient(): string {
		return $this->recipient;
	}

	public function get_subject(): string {
		$named = array( '{site_title}' => get_option( 'blogname' ) ) + $this->placeholders;
		return str_replace( array_keys( $named ), $named, $this->get_default_subject() );
	}

	public function get_heading(): string {
		return $this->get_default_heading();
	}

	public function get_additional_content(): string {
		return '';
	}

	public function get_content(): string {
		return $this->get_content_html() . "\n=====\n" . $this->get_content_plain();
	}

	public function get_headers(): string {
		return '';
	}

	/** @return list<string> */
	public function get_attachments(): array {
		return array();
	}

	public function send( $to, $subject, $message, $headers, $attachments ): bool {
		$sent = get_option( 'stand_in_letters', array() );
		return update_option( 'stand_in_letters', array( ...$sent, compact( 'to', 'subject', 'message' ) ) );
	}
}

final class Stand_In_Mailer {
	/** @return array<string, WC_Email> */
	public function get_emails(): array {
		return apply_filters( 'woocommerce_email_classes', array() );
	}
}

function WC(): object {
	return new class() {
		public function mailer(): Stand_In_Mailer {
			return new Stand_In_Mailer();
		}
	};
}

function wc_get_template_html( string $name, array $args, string $path, string $default_path ): string {
	ob_start();
	extract( $args );
	include $default_path . $name;
	return (string) ob_get_clean();
}

/** Meta is kept in the object until it is saved. */
abstract class WC_Data {
	/** @var array<string, mixed> null: to be deleted */
	protected array $changed_meta = array();
	protected ?array $known_meta = null;

	public function __construct( protected int $id ) {
	}

	public function get_id(): int {
		return $this->id;
	}

	/** Seen: what an object read it keeps, whatever another object of the same order stores meanwhile. */
	protected function known_meta(): array {
		$this->known_meta ??= array_map( fn( array $rows ): mixed => maybe_unserialize( $rows[0] ), get_metadata( static::META, $this->id ) ?: array() );
		return $this->known_meta;
	}

	public function get_meta( string $key ): mixed {
		return array_key_exists( $key, $this->changed_meta )
			? $this->changed_meta[ $key ] ?? '' : $this->known_meta()[ $key ] ?? '';
	}

	/** An empty value exists too. */
	public function meta_exists( string $key ): bool {
		return array_key_exists( $key, $this->changed_meta )
			? null !== $this->changed_meta[ $key ] : array_key_exists( $key, $this->known_meta() );
	}

	public function update_meta_data( string $key, mixed $value ): void {
		$this->changed_meta[ $key ] = $value;
	}

	public function delete_meta_data( string $key ): void {
		$this->changed_meta[ $key ] = null;
	}

	/** Nothing is stored before this. */
	public function save(): int {
		do_action( 'woocommerce_before_' . static::TYPE . '_object_save', $this, null );
		foreach ( $this->changed_meta as $key => $value ) {
			null === $value ? delete_metadata( static::META, $this->id, $key )
				: update_metadata( static::META, $this->id, $key, $value );
		}
		$this->changed_meta = array();
		$this->known_meta   = null;
		return $this->id;
	}
}

class WC_Customer extends WC_Data {
	protected const META = 'user';
	protected const TYPE = 'customer';
}

class WC_Order_Refund extends WC_Data {
	protected const META = 'post';
	protected const TYPE = 'order';

	public function get_amount(): string {
		return (string) get_post_meta( $this->id, '_refund_amount', true );
	}

	public function delete(): void {
		$order = (int) get_post( $this->id )->post_parent;
		wp_delete_post( $this->id, true );
		do_action( 'woocommerce_refund_deleted', $this->id, $order );
	}
}

class WC_Order extends WC_Data {
	protected const META = 'post';
	protected const TYPE = 'order';

	public function get_order_number(): string {
		return (string) $this->id;
	}

	/** Seen: without wc-, and "trash" as it is. */
	public function get_status(): string {
		return (string) preg_replace( '/^wc-/', '', (string) get_post_status( $this->id ) );
	}

	public function get_date_completed(): ?DateTime {
		$time = (int) get_post_meta( $this->id, '_date_completed', true );
		return $time > 0 ? new DateTime( '@' . $time ) : null;
	}

	public function get_order_key(): string {
		return 'wc_order_key_of_' . $this->id;
	}

	public function get_edit_order_url(): string {
		return admin_url( 'post.php?post=' . $this->id . '&action=edit' );
	}

	public function get_view_order_url(): string {
		return home_url( '/my-account/view-order/' . $this->id );
	}

	/** Seen (10.0.2, posts and own tables): 0 where the parent is gone, whatever the database still says. */
	public function get_parent_id(): int {
		$parent = (int) get_post( $this->id )->post_parent;
		return 'shop_order' === get_post_type( $parent ) ? $parent : 0;
	}

	/** A decimal text such as "29.35", as WooCommerce returns it in the context "view" or "edit". */
	public function get_total(): string {
		return (string) get_post_meta( $this->id, '_order_total', true );
	}

	public function get_currency(): string {
		return (string) ( get_post_meta( $this->id, '_order_currency', true ) ?: get_option( 'woocommerce_currency' ) );
	}

	/** @return list<WC_Order_Refund> the latest first */
	public function get_refunds(): array {
		$asked = array( 'post_type' => 'shop_order_refund', 'post_parent' => $this->id, 'post_status' => 'wc-completed' );
		return array_map(
			fn( WP_Post $post ): WC_Order_Refund => new WC_Order_Refund( $post->ID ),
			get_posts( $asked + array( 'numberposts' => -1, 'orderby' => 'ID' ) )
		);
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

	public function save(): int {
		parent::save();
		do_action( 'woocommerce_update_order', $this->id, $this );
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
		$this->known_meta();
		wp_update_post( array( 'ID' => $this->id, 'post_status' => 'wc-' . $new_status ) );
		if ( 'completed' === $new_status && ! get_post_meta( $this->id, '_date_completed', true ) ) {
			update_post_meta( $this->id, '_date_completed', time() );
		}
		do_action( 'woocommerce_order_status_' . $new_status, $this->id, $this );
		if ( 'completed' === $new_status ) {
			// Seen: the letter gets this very object, which does not know what the hooks above stored.
			ob_start();
			do_action( 'woocommerce_email_after_order_table', $this, false, true, null );
			update_option( 'stand_in_letter', ob_get_clean() );
		}
		if ( 'completed' === $new_status && $this->get_customer_id() > 0 ) {
			// Seen: wc_paying_customer() saves the customer, in the same request as the order's form: profile_update.
			wp_update_user( array( 'ID' => $this->get_customer_id() ) );
		}
		do_action( 'woocommerce_order_status_changed', $this->id, $old_status, $new_status, $this );
		do_action( 'woocommerce_update_order', $this->id, $this );
		return true;
	}

	/** Seen: WordPress' own hooks run as well, between WooCommerce's two. */
	public function delete( bool $force_delete = false ): bool {
		do_action( $force_delete ? 'woocommerce_before_delete_order' : 'woocommerce_before_trash_order', $this->id, $this );
		$force_delete ? wp_delete_post( $this->id, true ) : wp_trash_post( $this->id );
		do_action( $force_delete ? 'woocommerce_delete_order' : 'woocommerce_trash_order', $this->id );
		return true;
	}
}

/** False for what is no order, as WooCommerce answers. */
function wc_get_order( mixed $the_order = false ): WC_Order|false {
	$id = $the_order instanceof WC_Order ? $the_order->get_id() : (int) $the_order;
	return 'shop_order' === get_post_type( $id ) ? new WC_Order( $id ) : false;
}

/**
 * Seen (7.9.0, 10.0.2): a customer is asked for by e-mail address or by id, in every status unless one is named.
 *
 * @return list<WC_Order>
 */
function wc_get_orders( array $args ): array {
	$asked  = array( 'post_type' => 'shop_order', 'numberposts' => $args['limit'], 'orderby' => $args['orderby'] ?? 'date' );
	$asked += array( 'paged' => $args['page'] ?? 1, 'post_status' => $args['status'] ?? array_keys( wc_get_order_statuses() ) );
	$asked += isset( $args['parent'] ) ? array( 'post_parent' => $args['parent'] ) : array();
	if ( isset( $args['customer'] ) ) {
		$whose               = fn( string $key ): array => array( 'key' => $key, 'value' => $args['customer'], 'compare' => 'IN' );
		$asked['meta_query'] = array( 'relation' => 'OR', $whose( '_billing_email' ), $whose( '_customer_user' ) );
	}
	return array_map( fn( WP_Post $post ): WC_Order => new WC_Order( $post->ID ), get_posts( $asked ) );
}

/**
 * Seen: a partial refund leaves the order's status as it is, and does not save the order after it; a full one makes
 * it "refunded". The hook with the refund comes last.
 */
function wc_create_refund( array $args ): WC_Order_Refund {
	$order  = wc_get_order( $args['order_id'] );
	$post   = array( 'post_type' => 'shop_order_refund', 'post_status' => 'wc-completed', 'post_parent' => $order->get_id() );
	$refund = wp_insert_post( $post + array( 'meta_input' => array( '_refund_amount' => (string) $args['amount'] ) ) );
	$given  = array_sum( array_map( fn( WC_Order_Refund $one ): float => (float) $one->get_amount(), $order->get_refunds() ) );
	if ( $given >= (float) $order->get_total() ) {
		do_action( 'woocommerce_order_fully_refunded', $order->get_id(), $refund );
		$order->update_status( 'refunded' );
	} else {
		do_action( 'woocommerce_order_partially_refunded', $order->get_id(), $refund );
	}
	do_action( 'woocommerce_order_refunded', $order->get_id(), $refund );
	return new WC_Order_Refund( $refund );
}

/**
 * Seen: the block checkout writes each additional field under _wc_other/ on the order and on its customer, after the
 * hook, and reads that copy before it asks for a default.
 */
function stand_in_block_checkout( WC_Order $order, string $key, string $value ): void {
	$customer = new WC_Customer( $order->get_customer_id() );
	foreach ( array( $order, $customer ) as $object ) {
		do_action( 'woocommerce_set_additional_field_value', $key, $value, 'other', $object );
		$object->update_meta_data( '_wc_other/' . $key, $value );
	}
	$order->save();
	$customer->save();
}

/** What the block checkout, or its input in the administration, shows for a field. */
function stand_in_block_value( WC_Data $object, string $key ): string {
	$value = $object->get_meta( '_wc_other/' . $key );
	return (string) ( $value ?: apply_filters( 'woocommerce_get_default_value_for_' . $key, null, 'other', $object ) );
}

/** @return list<stdClass> id and content of each note, the latest first */
function wc_get_order_notes( array $args ): array {
	return array_map(
		fn( WP_Comment $one ): stdClass => (object) array( 'id' => (int) $one->comment_ID, 'content' => $one->comment_content ),
		get_comments( array( 'post_id' => $args['order_id'], 'type' => 'order_note', 'orderby' => 'comment_ID' ) )
	);
}

/** The statuses an order may have, as WooCommerce names them. */
function wc_get_order_statuses(): array {
	return array(
		'wc-pending'    => 'Pending payment',
		'wc-processing' => 'Processing',
		'wc-on-hold'    => 'On hold',
		'wc-completed'  => 'Completed',
		'wc-cancelled'  => 'Cancelled',
		'wc-refunded'   => 'Refunded',
		'wc-failed'     => 'Failed',
	);
}

add_action(
	'init',
	static function (): void {
		register_post_type( 'shop_order', array( 'public' => false ) );
		register_post_type( 'shop_order_refund', array( 'public' => false ) );
		foreach ( array_keys( wc_get_order_statuses() ) as $status ) {
			register_post_status( $status );
		}
	}
);
