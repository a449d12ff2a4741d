<?php
/**
 * Runs the PHP code on standard input inside WordPress and prints what it returns, as JSON.
 *
 * What the code itself prints goes before the marker line; a fatal error ends with PHP's own exit code 255.
 */

declare(strict_types=1);

require getenv( 'DEVSTACK_WP_ROOT' ) . '/wp-load.php';

$devstack_result = eval( (string) stream_get_contents( STDIN ) );
echo "\n" . getenv( 'DEVSTACK_WP_MARKER' ) . "\n", json_encode( $devstack_result, JSON_THROW_ON_ERROR );
