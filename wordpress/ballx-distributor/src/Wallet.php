<?php

/**
 * A wallet's address as a customer types it.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Reads addresses by the distributor's own rule, so that a customer hears of a typing mistake at the checkout.
 *
 * Source: https://eips.ethereum.org/EIPS/eip-55
 */
final class Wallet
{
    private const ZERO = '0x0000000000000000000000000000000000000000';

    /** Return the two ends of $wallet, for where there is little room. */
    public static function short(string $wallet): string
    {
        return strlen($wallet) > 14 ? substr($wallet, 0, 6) . '…' . substr($wallet, -4) : $wallet;
    }

    /**
     * Return $typed with its EIP-55 checksum.
     *
     * Digits all in one case carry no checksum and are taken as they are; mixed case must be right.
     *
     * @throws InvalidOrder with the code bad_wallet, wallet_checksum or wallet_forbidden.
     */
    public static function parse(string $typed): string
    {
        $text = trim($typed);
        if (!preg_match('/\A0x[0-9a-fA-F]{40}\z/', $text)) {
            throw new InvalidOrder('bad_wallet');
        }
        $address = self::checksummed(strtolower(substr($text, 2)));
        if (!in_array($text, [$address, strtolower($address), '0x' . strtoupper(substr($address, 2))], true)) {
            throw new InvalidOrder('wallet_checksum');
        }
        if ($address === self::ZERO) {
            throw new InvalidOrder('wallet_forbidden');
        }
        return $address;
    }

    private static function checksummed(string $digits): string
    {
        $marks = Keccak256::hex($digits);
        $address = '0x';
        for ($place = 0; $place < 40; $place++) {
            $address .= hexdec($marks[$place]) >= 8 ? strtoupper($digits[$place]) : $digits[$place];
        }
        return $address;
    }
}
