<?php

/**
 * The wallet of a customer.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Kept with the user, so that it is typed once; each order has a copy of its own.
 */
final class CustomerWallet
{
    public const USER_META = 'ballx_wallet';
    public const FIELD = 'ballx_wallet';

    public function of(int $userId): string
    {
        $wallet = $userId > 0 ? get_user_meta($userId, self::USER_META, true) : '';
        return is_string($wallet) ? $wallet : '';
    }

    /** Store a wallet that problem() had nothing to say about; an empty one is forgotten. */
    public function keep(int $userId, string $typed): void
    {
        if ($typed === '') {
            delete_user_meta($userId, self::USER_META);
        } else {
            update_user_meta($userId, self::USER_META, Wallet::parse($typed));
        }
    }

    /** Return what is wrong with $typed as a sentence, '' when nothing is. */
    public static function problem(string $typed): string
    {
        try {
            return $typed === '' || Wallet::parse($typed) !== '' ? '' : $typed;
        } catch (InvalidOrder $error) {
            return Sentences::order($error->problem);
        }
    }

    /**
     * Return what the visitor typed, null when the form had no such field.
     *
     * Every hook that calls this runs behind the nonce check of the form's owner, WordPress or WooCommerce.
     */
    public static function typed(): ?string
    {
        $typed = wp_unslash($_POST[self::FIELD] ?? null);
        return is_string($typed) ? sanitize_text_field($typed) : null;
    }

    public static function label(): string
    {
        return __('Wallet for BALLX tokens', 'ballx-distributor');
    }

    public static function help(): string
    {
        return __('Your address on Polygon: 0x and 40 digits. Tokens sent to a wrong address are lost.', 'ballx-distributor');
    }
}
