<?php

/**
 * The wallet on a user's profile page.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * WordPress checks the nonce and who may edit whom before these hooks run.
 */
final class ProfileField
{
    public function __construct(private readonly CustomerWallet $wallets)
    {
    }

    public function listen(): void
    {
        add_action('show_user_profile', $this->show(...));
        add_action('edit_user_profile', $this->show(...));
        add_action('user_profile_update_errors', $this->check(...), 10, 3);
        add_action('profile_update', $this->save(...));
    }

    public function show(\WP_User $user): void
    {
        echo '<h2>BALLX</h2><table class="form-table" role="presentation"><tr><th><label for="',
            esc_attr(CustomerWallet::OF_PROFILE), '">', esc_html(CustomerWallet::label()), '</label></th><td>',
            '<input type="text" class="regular-text code" id="', esc_attr(CustomerWallet::OF_PROFILE), '" name="',
            esc_attr(CustomerWallet::OF_PROFILE), '" value="', esc_attr($this->wallets->of($user->ID)), '">',
            '<p class="description">', esc_html(CustomerWallet::help()), '</p></td></tr></table>';
    }

    /** Refuse the whole form for a wrong wallet: WordPress then saves nothing of it. */
    public function check(\WP_Error $errors): void
    {
        $problem = CustomerWallet::problem(CustomerWallet::typed(CustomerWallet::OF_PROFILE) ?? '');
        if ($problem !== '') {
            $errors->add('ballx_wallet', esc_html($problem));
        }
    }

    /**
     * Save what was typed into the profile's own form, and nothing when the user is updated elsewhere.
     *
     * WooCommerce 10.0 updates the customer whenever an order is saved in the administration.
     */
    public function save(int $userId): void
    {
        if (!did_action('personal_options_update') && !did_action('edit_user_profile_update')) {
            return;
        }
        $typed = CustomerWallet::typed(CustomerWallet::OF_PROFILE);
        if ($typed !== null && current_user_can('edit_user', $userId) && CustomerWallet::problem($typed) === '') {
            $this->wallets->keep($userId, $typed);
        }
    }
}
