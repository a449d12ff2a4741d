<?php

/**
 * Keccak-256, the hash of Ethereum.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * The original Keccak padding (0x01), not the one of SHA3-256 (0x06) that PHP's hash() has.
 *
 * The state is 25 lanes of 64 bits in PHP integers, so PHP must be a 64-bit one.
 *
 * Source: https://keccak.team/keccak_specs_summary.html
 */
final class Keccak256
{
    private const RATE_BYTES = 136;

    private const ROUND_CONSTANTS = [
        '0000000000000001', '0000000000008082', '800000000000808a', '8000000080008000',
        '000000000000808b', '0000000080000001', '8000000080008081', '8000000000008009',
        '000000000000008a', '0000000000000088', '0000000080008009', '000000008000000a',
        '000000008000808b', '800000000000008b', '8000000000008089', '8000000000008003',
        '8000000000008002', '8000000000000080', '000000000000800a', '800000008000000a',
        '8000000080008081', '8000000000008080', '0000000080000001', '8000000080008008',
    ];

    /** How far each lane turns, and where it goes, along the one cycle that visits all lanes but the first. */
    private const TURNS = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
    private const PATH = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

    /** Return the digest of $bytes as 64 lower-case hex digits. */
    public static function hex(string $bytes): string
    {
        $lanes = array_fill(0, 25, 0);
        foreach (str_split(self::padded($bytes), self::RATE_BYTES) as $block) {
            foreach (array_values(unpack('P*', $block)) as $index => $word) {
                $lanes[$index] ^= $word;
            }
            $lanes = self::permuted($lanes);
        }
        return bin2hex(pack('P4', ...array_slice($lanes, 0, 4)));
    }

    private static function padded(string $bytes): string
    {
        $missing = self::RATE_BYTES - strlen($bytes) % self::RATE_BYTES;
        $padded = $bytes . "\x01" . str_repeat("\0", $missing - 1);
        $last = strlen($padded) - 1;
        $padded[$last] = chr(ord($padded[$last]) | 0x80);
        return $padded;
    }

    /**
     * @param list<int> $lanes
     * @return list<int>
     */
    private static function permuted(array $lanes): array
    {
        foreach (self::ROUND_CONSTANTS as $constant) {
            $lanes = self::chi(self::rhoAndPi(self::theta($lanes)));
            $lanes[0] ^= unpack('J', hex2bin($constant))[1];
        }
        return $lanes;
    }

    private static function theta(array $lanes): array
    {
        $parity = [];
        for ($x = 0; $x < 5; $x++) {
            $parity[$x] = $lanes[$x] ^ $lanes[$x + 5] ^ $lanes[$x + 10] ^ $lanes[$x + 15] ^ $lanes[$x + 20];
        }
        foreach ($lanes as $index => $lane) {
            $x = $index % 5;
            $lanes[$index] = $lane ^ $parity[($x + 4) % 5] ^ self::turned($parity[($x + 1) % 5], 1);
        }
        return $lanes;
    }

    private static function rhoAndPi(array $lanes): array
    {
        $moving = $lanes[1];
        foreach (self::PATH as $step => $place) {
            $next = $lanes[$place];
            $lanes[$place] = self::turned($moving, self::TURNS[$step]);
            $moving = $next;
        }
        return $lanes;
    }

    private static function chi(array $lanes): array
    {
        $mixed = [];
        foreach ($lanes as $index => $lane) {
            $row = $index - $index % 5;
            $mixed[$index] = $lane ^ (~$lanes[$row + ($index + 1) % 5] & $lanes[$row + ($index + 2) % 5]);
        }
        return $mixed;
    }

    /** PHP's >> keeps the sign: what it drags in is masked away. */
    private static function turned(int $lane, int $bits): int
    {
        return ($lane << $bits) | (($lane >> (64 - $bits)) & ((1 << $bits) - 1));
    }
}
