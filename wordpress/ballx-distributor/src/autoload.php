<?php

/**
 * Finds this plugin's classes: Ballx\Distributor\Woo\Orders is in src/Woo/Orders.php.
 */

declare(strict_types=1);

defined('ABSPATH') || exit;

spl_autoload_register(static function (string $class): void {
    $prefix = 'Ballx\\Distributor\\';
    if (str_starts_with($class, $prefix)) {
        require_once __DIR__ . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
    }
});
