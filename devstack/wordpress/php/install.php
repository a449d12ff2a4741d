<?php
/**
 * Installs WordPress without a browser and activates the plugin: php install.php.
 *
 * Title, user and password come from the environment, so that they are on no command line.
 *
 * @see https://developer.wordpress.org/reference/functions/wp_install/
 */

declare(strict_types=1);

define( 'WP_INSTALLING', true );
require getenv( 'DEVSTACK_WP_ROOT' ) . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';

// No mail server here: the mail to the new administrator would only be waited for.
add_filter( 'pre_wp_mail', '__return_true' );

wp_install(
	'BALLX shop',
	(string) getenv( 'DEVSTACK_WP_USER' ),
	(string) getenv( 'DEVSTACK_WP_MAIL' ),
	false,
	'',
	(string) getenv( 'DEVSTACK_WP_PASSWORD' )
);
update_option( 'siteurl', WP_SITEURL );
update_option( 'home', WP_HOME );
