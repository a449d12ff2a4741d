<?php
/**
 * Calls the plugin's pure classes: a line of JSON [class, method, arguments] in, a line of JSON out.
 *
 * An argument {"hex": "00ff"} stands for bytes that JSON has no text for.
 */

declare(strict_types=1);

define('ABSPATH', __DIR__);
require $argv[1] . '/src/autoload.php';

$bytes = static fn (mixed $value): mixed => isset($value['hex']) && is_array($value) ? hex2bin($value['hex']) : $value;

while (($line = fgets(STDIN)) !== false) {
    [$class, $method, $arguments] = json_decode($line, true, flags: JSON_THROW_ON_ERROR);
    try {
        $returned = ['Ballx\\Distributor\\' . $class, $method](...array_map($bytes, $arguments));
        $said = ['returned' => $returned instanceof UnitEnum ? $returned->name : $returned];
    } catch (Ballx\Distributor\InvalidOrder $error) {
        $said = ['problem' => $error->problem];
    }
    echo json_encode($said, JSON_THROW_ON_ERROR), "\n";
}
