<?php

/**
 * The wallet at the checkout.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\Settings;
use Ballx\Distributor\Wallet;

defined('ABSPATH') || exit;

/**
 * A field in both checkouts WooCommerce has: the classic one and the block.
 *
 * Sources: https://developer.woocommerce.com/docs/code-snippets/customising-checkout-fields/
 * https://developer.woocommerce.com/docs/cart-and-checkout-additional-checkout-fields/
 */
final class Checkout
{
    private const BLOCK_FIELD = 'ballx-distributor/wallet';

    public function __construct(private readonly CustomerWallet $wallets, private readonly Settings $settings)
    {
    }

    public function listen(): void
    {
        add_filter('woocommerce_checkout_fields', $this->withField(...));
        add_action('woocommerce_after_checkout_validation', $this->check(...), 10, 2);
        add_action('woocommerce_checkout_create_order', $this->save(...), 10, 2);
        add_action('woocommerce_init', $this->registerBlockField(...));
        add_action('woocommerce_set_additional_field_value', $this->saveBlockField(...), 10, 4);
        $default = fn (mixed $value): mixed => $value ?: $this->wallets->of(get_current_user_id());
        add_filter('woocommerce_get_default_value_for_' . self::BLOCK_FIELD, $default);
    }

    /** @param array<string, array<string, mixed>> $fields */
    public function withField(array $fields): array
    {
        $fields['order'][CustomerWallet::FIELD] = [
            'type' => 'text',
            'label' => CustomerWallet::label(),
            'description' => CustomerWallet::help(),
            'required' => $this->required(),
            'default' => $this->wallets->of(get_current_user_id()),
        ];
        return $fields;
    }

    /** @param array<string, mixed> $data */
    public function check(array $data, \WP_Error $errors): void
    {
        $problem = CustomerWallet::problem(trim((string) ($data[CustomerWallet::FIELD] ?? '')));
        if ($problem !== '') {
            $errors->add('ballx_wallet', $problem);
        }
    }

    /** @param array<string, mixed> $data */
    public function save(\WC_Order $order, array $data): void
    {
        $this->keep($order, trim((string) ($data[CustomerWallet::FIELD] ?? '')));
    }

    public function registerBlockField(): void
    {
        if (!function_exists('woocommerce_register_additional_checkout_field')) {
            return;
        }
        woocommerce_register_additional_checkout_field([
            'id' => self::BLOCK_FIELD,
            'label' => CustomerWallet::label(),
            'location' => 'order',
            'type' => 'text',
            'required' => $this->required(),
            'sanitize_callback' => fn (mixed $typed): string => sanitize_text_field((string) $typed),
            'validate_callback' => $this->checkBlockField(...),
        ]);
    }

    public function checkBlockField(mixed $typed): ?\WP_Error
    {
        $problem = CustomerWallet::problem((string) $typed);
        return $problem === '' ? null : new \WP_Error('ballx_wallet', $problem);
    }

    public function saveBlockField(string $key, mixed $value, string $group, mixed $object): void
    {
        if ($key === self::BLOCK_FIELD && $object instanceof \WC_Order) {
            $this->keep($object, (string) $value);
        }
    }

    /** Put the wallet into the order, and remember it for the customer's next one. */
    private function keep(\WC_Order $order, string $typed): void
    {
        if ($typed === '' || CustomerWallet::problem($typed) !== '') {
            return;
        }
        $order->update_meta_data(Orders::WALLET_META, Wallet::parse($typed));
        if ($order->get_customer_id() > 0) {
            $this->wallets->keep($order->get_customer_id(), $typed);
        }
    }

    private function required(): bool
    {
        return $this->settings->text('ballx_wallet_required') === '1';
    }
}
