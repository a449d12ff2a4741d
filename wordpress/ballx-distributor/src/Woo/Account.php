<?php

/**
 * The wallet in the customer's account.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;

defined('ABSPATH') || exit;

/**
 * A field under "Account details"; WooCommerce checks that form's nonce before the hooks run.
 */
final class Account
{
    public function __construct(private readonly CustomerWallet $wallets)
    {
    }

    public function listen(): void
    {
        add_action('woocommerce_edit_account_form', $this->show(...));
        add_action('woocommerce_save_account_details_errors', $this->check(...));
        add_action('woocommerce_save_account_details', $this->save(...));
    }

    public function show(): void
    {
        echo '<p class="woocommerce-form-row form-row form-row-wide"><label for="',
            esc_attr(CustomerWallet::OF_ACCOUNT), '">', esc_html(CustomerWallet::label()),
            '</label><input type="text" class="input-text" id="',
            esc_attr(CustomerWallet::OF_ACCOUNT), '" name="', esc_attr(CustomerWallet::OF_ACCOUNT), '" value="',
            esc_attr($this->wallets->of(get_current_user_id())), '"><em>', esc_html(CustomerWallet::help()),
            '</em></p>';
    }

    public function check(\WP_Error $errors): void
    {
        $problem = CustomerWallet::problem(CustomerWallet::typed(CustomerWallet::OF_ACCOUNT) ?? '');
        if ($problem !== '') {
            $errors->add('ballx_wallet', $problem);
        }
    }

    public function save(int $userId): void
    {
        $typed = CustomerWallet::typed(CustomerWallet::OF_ACCOUNT);
        if ($typed !== null && CustomerWallet::problem($typed) === '') {
            $this->wallets->keep($userId, $typed);
        }
    }
}
