<?php
/**
 * Lets this WordPress send to a distributor on the same machine. For a local stack only.
 *
 * WordPress's safe HTTP functions refuse loopback addresses and all ports but 80, 443 and 8080; these
 * two filters are its own way to allow one more.
 *
 * @see https://developer.wordpress.org/reference/functions/wp_http_validate_url/
 */

declare(strict_types=1);

add_filter(
	'http_request_host_is_external',
	static fn( bool $external, string $host ): bool => $external || '127.0.0.1' === $host,
	10,
	2
);
add_filter(
	'http_allowed_safe_ports',
	static function ( array $ports, string $host, string $url ): array {
		$port = (int) wp_parse_url( $url, PHP_URL_PORT );
		return '127.0.0.1' === $host && $port ? array( ...$ports, $port ) : $ports;
	},
	10,
	3
);
