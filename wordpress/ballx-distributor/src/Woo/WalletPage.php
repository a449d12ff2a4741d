<?php

/**
 * The page of the signed link.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\Wallet;

defined('ABSPATH') || exit;

/**
 * A page of our own: every theme draws it alike, and no cache or visitors' counter keeps its address.
 *
 * The link itself says that who came may do it, so the form has no nonce: a stranger's page does not know the link.
 */
final class WalletPage
{
    public const FIELD = 'ballx_later_wallet';

    public function __construct(
        private readonly LaterWallet $later,
        private readonly Orders $orders,
        private readonly CustomerWallet $wallets,
    ) {
    }

    public function listen(): void
    {
        add_action('template_redirect', $this->answer(...), 0);
    }

    private function answer(): void
    {
        // phpcs:disable WordPress.Security.NonceVerification.Recommended -- the link is signed, and shows a form
        $asked = isset($_GET[LaterWallet::QUERY]) && is_string($_GET[LaterWallet::QUERY])
            ? sanitize_text_field(wp_unslash($_GET[LaterWallet::QUERY])) : '';
        // phpcs:enable
        if ($asked === '') {
            return;
        }
        nocache_headers();
        header('Referrer-Policy: no-referrer');
        header('X-Robots-Tag: noindex, nofollow');
        if (LinkGuard::closed()) {
            status_header(429);
            header('Retry-After: ' . LinkGuard::WINDOW_S);
            $this->show(null, __('Too many links that are not valid came from your network. Try again in ten minutes.', 'ballx-distributor'), false);
            exit;
        }
        $order = $this->later->order($asked);
        if ($order === null) {
            LinkGuard::wrong();
        }
        [$sentence, $open] = $order === null
            ? [__('This link is not valid. Copy it whole from the e-mail.', 'ballx-distributor'), false]
            : $this->handle($order);
        status_header($order === null ? 404 : 200);
        $this->show($order, $sentence, $open);
        exit;
    }

    /** @return array{string, bool} what to say, and whether the form is shown */
    private function handle(\WC_Order $order): array
    {
        if (!$this->later->isOpen($order)) {
            return [$this->closed($order), false];
        }
        $typed = CustomerWallet::typed(self::FIELD);
        if ($typed === null) {
            return ['', true];
        }
        $problem = $typed === '' ? CustomerWallet::problem('0x') : CustomerWallet::problem($typed);
        if ($problem !== '') {
            return [$problem, true];
        }
        $this->keep($order, $typed);
        return [__('Thank you. Tokens are sent to this wallet.', 'ballx-distributor'), false];
    }

    private function keep(\WC_Order $order, string $typed): void
    {
        $order->update_meta_data(Orders::WALLET_META, Wallet::parse($typed));
        $order->save();
        // A guest's link says nothing about whose account it is.
        if ($order->get_customer_id() > 0 && $order->get_customer_id() === get_current_user_id()) {
            $this->wallets->keep($order->get_customer_id(), $typed);
        }
        $this->orders->send($order, $this->orders->sendAt($order));
    }

    private function closed(\WC_Order $order): string
    {
        return $this->orders->walletShown($order) !== ''
            ? __('This order has its wallet. To change it, write to the shop.', 'ballx-distributor')
            : __('The time for adding a wallet to this order is over. Write to the shop.', 'ballx-distributor');
    }

    private function show(?\WC_Order $order, string $sentence, bool $open): void
    {
        echo '<!DOCTYPE html><html lang="', esc_attr(get_bloginfo('language')), '"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>',
            esc_html(CustomerWallet::label()), '</title><style>body{font:16px/1.5 system-ui,sans-serif;',
            'margin:3em auto;max-width:34em;padding:0 1em;color:#1d2327}input{font:14px monospace;',
            'width:100%;padding:.6em;box-sizing:border-box}button{font:inherit;padding:.5em 1.5em;margin-top:1em}',
            '.say{background:#f0f6fc;',
            'border-left:4px solid #2271b1;padding:.6em 1em}</style></head><body><h1>', esc_html(get_bloginfo('name')),
            '</h1>';
        if ($sentence !== '') {
            echo '<p class="say" role="status">', esc_html($sentence), '</p>';
        }
        if ($order !== null && $open) {
            self::form($this->later->link($order), $order);
        }
        echo '<p><a href="', esc_url(home_url('/')), '">', esc_html(get_bloginfo('name')), '</a></p></body></html>';
    }

    public static function form(string $link, \WC_Order $order): void
    {
        /* translators: %s: number of an order */
        $of = sprintf(__('Order %s', 'ballx-distributor'), $order->get_order_number());
        echo '<form method="post" class="ballx-later-wallet" action="', esc_url($link), '"><p><strong>', esc_html($of),
            '</strong></p><p class="form-row form-row-wide"><label for="', esc_attr(self::FIELD), '">',
            esc_html(CustomerWallet::label()), '</label><br><input type="text" class="input-text" autocomplete="off"',
            ' style="width:100%" spellcheck="false" maxlength="60" required id="', esc_attr(self::FIELD), '" name="',
            esc_attr(self::FIELD), '" value="', esc_attr(CustomerWallet::typed(self::FIELD) ?? ''), '"><br><small>',
            esc_html(CustomerWallet::help()), '</small></p><p>',
            '<button type="submit" class="woocommerce-button button wp-element-button">',
            esc_html__('Send tokens to this wallet', 'ballx-distributor'), '</button></p></form>';
    }
}
