<?php

/**
 * Exact decimal numbers.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Amounts are texts from end to end: a float rounds, and bcmath is missing on many hosts.
 *
 * Numbers are not negative, have no exponent, and at most MAX_DIGITS digits on either side of the point.
 */
final class Decimal
{
    public const MAX_DIGITS = 60;

    /** Digits per limb: two limbs' product and a carry stay below 2^63. */
    private const LIMB = 9;
    private const LIMB_SIZE = 1000000000;

    /**
     * Return $text without needless zeros: "010.50" is "10.5".
     *
     * @throws InvalidOrder with the code bad_amount.
     */
    public static function parse(string $text): string
    {
        if (!preg_match('/\A([0-9]{1,60})(?:\.([0-9]{1,60}))?\z/', trim($text), $parts)) {
            throw new InvalidOrder('bad_amount');
        }
        return self::written($parts[1], $parts[2] ?? '');
    }

    public static function isZero(string $number): bool
    {
        return trim($number, '0.') === '';
    }

    /**
     * Return $left × $right, rounded down to $places decimals: never a token unit more than the product.
     *
     * @throws InvalidOrder with the code bad_amount.
     */
    public static function product(string $left, string $right, int $places): string
    {
        [$leftWhole, $leftPart] = self::split(self::parse($left));
        [$rightWhole, $rightPart] = self::split(self::parse($right));
        $decimals = strlen($leftPart) + strlen($rightPart);
        $digits = self::multiplied($leftWhole . $leftPart, $rightWhole . $rightPart);
        $digits = str_pad($digits, $decimals + 1, '0', STR_PAD_LEFT);
        $whole = substr($digits, 0, strlen($digits) - $decimals);
        return self::written($whole, substr(substr($digits, strlen($whole)), 0, $places));
    }

    /**
     * Return $left − $right, and 0 where that would be less.
     *
     * @throws InvalidOrder with the code bad_amount.
     */
    public static function difference(string $left, string $right): string
    {
        [$whole, $left, $right] = self::aligned($left, $right);
        $rest = self::subtracted($left, $right);
        return self::written(substr($rest, 0, $whole), substr($rest, $whole));
    }

    /**
     * Return $left + $right.
     *
     * @throws InvalidOrder with the code bad_amount.
     */
    public static function sum(string $left, string $right): string
    {
        [$whole, $left, $right] = self::aligned($left, $right);
        $sum = self::added('0' . $left, '0' . $right);
        return self::written(substr($sum, 0, $whole + 1), substr($sum, $whole + 1));
    }

    /**
     * Write both with the same digits before and after the point, and leave the point out.
     *
     * @return array{int, string, string} the digits before the point, and both numbers
     */
    private static function aligned(string $left, string $right): array
    {
        [$leftWhole, $leftPart] = self::split(self::parse($left));
        [$rightWhole, $rightPart] = self::split(self::parse($right));
        $whole = max(strlen($leftWhole), strlen($rightWhole));
        $part = max(strlen($leftPart), strlen($rightPart));
        $digits = fn (string $number, string $decimals): string
            => str_pad($number, $whole, '0', STR_PAD_LEFT) . str_pad($decimals, $part, '0');
        return [$whole, $digits($leftWhole, $leftPart), $digits($rightWhole, $rightPart)];
    }

    /** Add digit by digit from the right; both have the same number of digits, and the first is 0. */
    private static function added(string $left, string $right): string
    {
        $carry = 0;
        for ($place = strlen($left) - 1; $place >= 0; $place--) {
            $digit = (int) $left[$place] + (int) $right[$place] + $carry;
            $carry = intdiv($digit, 10);
            $left[$place] = (string) ($digit % 10);
        }
        return $left;
    }

    /** Subtract digit by digit from the right; both have the same number of digits. */
    private static function subtracted(string $left, string $right): string
    {
        if (strcmp($left, $right) < 0) {
            return str_repeat('0', strlen($left));
        }
        $borrowed = 0;
        for ($place = strlen($left) - 1; $place >= 0; $place--) {
            $digit = (int) $left[$place] - (int) $right[$place] - $borrowed;
            $borrowed = $digit < 0 ? 1 : 0;
            $left[$place] = (string) ($digit + 10 * $borrowed);
        }
        return $left;
    }

    /** @return array{string, string} the digits before and after the point */
    private static function split(string $number): array
    {
        return array_pad(explode('.', $number, 2), 2, '');
    }

    private static function written(string $whole, string $part): string
    {
        $whole = ltrim($whole, '0');
        $part = rtrim($part, '0');
        return ($whole === '' ? '0' : $whole) . ($part === '' ? '' : '.' . $part);
    }

    /** Multiply two whole numbers as one does on paper, nine digits at a time. */
    private static function multiplied(string $left, string $right): string
    {
        $right = self::limbs($right);
        $sum = array_fill(0, count(self::limbs($left)) + count($right) + 1, 0);
        foreach (self::limbs($left) as $i => $a) {
            $carry = 0;
            foreach ($right as $j => $b) {
                $carry += $sum[$i + $j] + $a * $b;
                $sum[$i + $j] = $carry % self::LIMB_SIZE;
                $carry = intdiv($carry, self::LIMB_SIZE);
            }
            $sum[$i + count($right)] = $carry;
        }
        $padded = array_map(fn (int $limb): string => str_pad((string) $limb, self::LIMB, '0', STR_PAD_LEFT), $sum);
        return implode('', array_reverse($padded));
    }

    /** @return list<int> the lowest nine digits first */
    private static function limbs(string $digits): array
    {
        $chunks = array_map(strrev(...), str_split(strrev($digits), self::LIMB));
        return array_map(intval(...), $chunks);
    }
}
