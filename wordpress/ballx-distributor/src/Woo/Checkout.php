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
        add_filter('woocommerce_get_default_value_for_' . CustomerWallet::BLOCK_FIELD, $this->known(...), 10, 3);
        add_action('woocommerce_before_order_object_save', self::dropCopy(...));
        add_action('woocommerce_before_customer_object_save', self::dropCopy(...));
    }

    /** @param array<string, array<string, mixed>> $fields */
    public function withField(array $fields): array
    {
        // Among the billing fields: themes and plugins leave out the order notes, and with them the fields beside them.
        $fields['billing'][CustomerWallet::AT_CHECKOUT] = [
            'type' => 'text',
            'label' => CustomerWallet::label(),
            'description' => CustomerWallet::help(),
            'required' => $this->required(),
            'class' => ['form-row-wide'],
            'priority' => 200,
            'autocomplete' => 'off',
            'maxlength' => 60,
            'default' => $this->wallets->of(get_current_user_id()),
        ];
        return $fields;
    }

    /** @param array<string, mixed> $data */
    public function check(array $data, \WP_Error $errors): void
    {
        $problem = CustomerWallet::problem(trim((string) ($data[CustomerWallet::AT_CHECKOUT] ?? '')));
        if ($problem !== '') {
            $errors->add('ballx_wallet', $problem);
        }
    }

    /** @param array<string, mixed> $data */
    public function save(\WC_Order $order, array $data): void
    {
        // A checkout of another plugin may leave the field out: then nobody emptied it.
        if (CustomerWallet::typed(CustomerWallet::AT_CHECKOUT) !== null) {
            $this->keep($order, trim((string) ($data[CustomerWallet::AT_CHECKOUT] ?? '')));
        }
    }

    public function registerBlockField(): void
    {
        if (!function_exists('woocommerce_register_additional_checkout_field')) {
            return;
        }
        woocommerce_register_additional_checkout_field([
            'id' => CustomerWallet::BLOCK_FIELD,
            // The block has no place for a help text beside a field (WooCommerce 10.0): the label says most of it.
            'label' => __('Wallet for BALLX tokens: 0x and 40 digits, on Polygon', 'ballx-distributor'),
            'attributes' => ['title' => CustomerWallet::help(), 'maxLength' => 60],
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
        if ($key === CustomerWallet::BLOCK_FIELD && $object instanceof \WC_Order) {
            $this->keep($object, (string) $value);
        }
    }

    /** What the block checkout shows where it has no value of its own, and it never has one. */
    private function known(mixed $value, string $group, mixed $object): mixed
    {
        return match (true) {
            $object instanceof \WC_Order && $object->meta_exists(Orders::WALLET_META)
                => (string) $object->get_meta(Orders::WALLET_META),
            $object instanceof \WC_Customer => $this->wallets->of($object->get_id()),
            default => $value ?: $this->wallets->of(get_current_user_id()),
        };
    }

    /** One wallet, one place: WooCommerce 10.0 keeps a copy of each block field, and would read that first. */
    private static function dropCopy(\WC_Data $object): void
    {
        if ($object->meta_exists(CustomerWallet::BLOCK_COPY)) {
            $object->delete_meta_data(CustomerWallet::BLOCK_COPY);
        }
    }

    /** Put the wallet into the order, and remember it for the customer's next one; what was emptied is empty. */
    private function keep(\WC_Order $order, string $typed): void
    {
        if (CustomerWallet::problem($typed) !== '') {
            return;
        }
        $order->update_meta_data(Orders::WALLET_META, $typed === '' ? '' : Wallet::parse($typed));
        if ($typed !== '' && $order->get_customer_id() > 0) {
            $this->wallets->keep($order->get_customer_id(), $typed);
        }
    }

    private function required(): bool
    {
        return $this->settings->text('ballx_wallet_required') === '1';
    }
}
