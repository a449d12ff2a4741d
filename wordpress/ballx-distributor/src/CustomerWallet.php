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
    /** Each form has a name of its own: saving an order in the administration also saves its customer. */
    public const AT_CHECKOUT = 'ballx_checkout_wallet';
    public const OF_ORDER = 'ballx_order_wallet';
    public const OF_ACCOUNT = 'ballx_account_wallet';
    public const OF_PROFILE = 'ballx_profile_wallet';

    /** Where WooCommerce's block checkout keeps a copy of its own, on orders and customers. */
    public const BLOCK_FIELD = 'ballx-distributor/wallet';
    public const BLOCK_COPY = '_wc_other/' . self::BLOCK_FIELD;

    public function of(int $userId): string
    {
        $wallet = $userId > 0 ? get_user_meta($userId, self::USER_META, true) : '';
        return is_string($wallet) ? $wallet : '';
    }

    /** Forget the wallet, and the copy of WooCommerce's block checkout; true if there was one. */
    public function forget(int $userId): bool
    {
        $forgotten = array_map(
            fn (string $key): bool => $userId > 0 && delete_user_meta($userId, $key),
            [self::USER_META, self::BLOCK_COPY]
        );
        return in_array(true, $forgotten, true);
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
     * Return what the visitor typed into $field, null when the form had no such field.
     *
     * Every hook that calls this runs behind the nonce check of the form's owner, WordPress or WooCommerce.
     */
    public static function typed(string $field): ?string
    {
        // phpcs:disable WordPress.Security.NonceVerification.Missing -- the owner of the form has checked it
        $given = isset($_POST[$field]) && is_string($_POST[$field]);
        return $given ? sanitize_text_field(wp_unslash($_POST[$field])) : null;
        // phpcs:enable
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
