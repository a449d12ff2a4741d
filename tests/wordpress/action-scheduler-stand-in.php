<?php
/**
 * A stand-in of Action Scheduler, which WooCommerce brings along: it only keeps what is scheduled and runs nothing.
 *
 * Its tables and what its functions find in them are those of WooCommerce 10.0.2 (Action Scheduler 3.9): a hook without
 * arguments and without a group calls off every action of the hook; with a group, [] is "no arguments" and finds none of
 * ours. What is called off stays in the table.
 *
 * @see https://github.com/woocommerce/action-scheduler/blob/3.9.2/functions.php
 */

declare(strict_types=1);

/** Make the tables where they are not yet; return the one of actions. */
function stand_in_actions(): string {
	global $wpdb;
	$wpdb->query(
		"CREATE TABLE IF NOT EXISTS {$wpdb->prefix}actionscheduler_actions ( action_id bigint unsigned NOT NULL"
		. ' auto_increment PRIMARY KEY, hook varchar(191) NOT NULL, status varchar(20) NOT NULL, scheduled_date_gmt datetime,'
		. ' args varchar(191), group_id bigint unsigned NOT NULL )'
	);
	$wpdb->query(
		"CREATE TABLE IF NOT EXISTS {$wpdb->prefix}actionscheduler_groups ( group_id bigint unsigned NOT NULL"
		. ' auto_increment PRIMARY KEY, slug varchar(255) NOT NULL )'
	);
	return $wpdb->prefix . 'actionscheduler_actions';
}

function stand_in_group( string $slug ): int {
	global $wpdb;
	stand_in_actions();
	$groups = $wpdb->prefix . 'actionscheduler_groups';
	$found  = $wpdb->get_var( $wpdb->prepare( "SELECT group_id FROM {$groups} WHERE slug = %s", $slug ) );
	if ( null === $found ) {
		$wpdb->insert( $groups, array( 'slug' => $slug ) );
	}
	return (int) ( $found ?? $wpdb->insert_id );
}

/** Return the first pending action that matches; null for $args takes any. */
function stand_in_pending( string $hook, ?array $args, string $group ): ?array {
	global $wpdb;
	$sql = $wpdb->prepare(
		'SELECT * FROM ' . stand_in_actions() . " WHERE hook = %s AND status = 'pending'"
		. ( '' === $group ? '' : ' AND group_id = ' . stand_in_group( $group ) )
		. ( null === $args ? '' : $wpdb->prepare( ' AND args = %s', wp_json_encode( $args ) ) ),
		$hook
	);
	return $wpdb->get_row( $sql . ' ORDER BY scheduled_date_gmt', ARRAY_A );
}

function as_schedule_single_action( int $timestamp, string $hook, array $args = array(), string $group = '' ): int {
	global $wpdb;
	$row = array(
		'hook'     => $hook,
		'status'   => 'pending',
		'args'     => wp_json_encode( $args ),
		'group_id' => stand_in_group( $group ),
	);
	$wpdb->insert( stand_in_actions(), $row + array( 'scheduled_date_gmt' => gmdate( 'Y-m-d H:i:s', $timestamp ) ) );
	return (int) $wpdb->insert_id;
}

function as_next_scheduled_action( string $hook, ?array $args = null, string $group = '' ): int|bool {
	$found = stand_in_pending( $hook, $args, $group );
	return null !== $found ? (int) strtotime( $found['scheduled_date_gmt'] . ' UTC' ) : false;
}

function as_unschedule_all_actions( string $hook, array $args = array(), string $group = '' ): void {
	global $wpdb;
	if ( array() === $args && '' === $group ) {
		$wpdb->update( stand_in_actions(), array( 'status' => 'canceled' ), array( 'hook' => $hook, 'status' => 'pending' ) );
		return;
	}
	while ( $found = stand_in_pending( $hook, $args, $group ) ) {
		$wpdb->update( stand_in_actions(), array( 'status' => 'canceled' ), array( 'action_id' => $found['action_id'] ) );
	}
}
