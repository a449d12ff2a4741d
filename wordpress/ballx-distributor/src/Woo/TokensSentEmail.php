<?php

/**
 * WooCommerce's letter "tokens sent".
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\Delivery;
use Ballx\Distributor\ExplorerLink;

defined('ABSPATH') || exit;

/**
 * Switched on, worded and laid out where WooCommerce's other letters are; off until the owner wants it.
 *
 * Source: https://developer.woocommerce.com/docs/email/ and WooCommerce's own class-wc-email-customer-note.php
 */
final class TokensSentEmail extends \WC_Email
{
    private ?Delivery $delivery = null;

    public function __construct()
    {
        $this->id = 'ballx_tokens_sent';
        $this->customer_email = true;
        $this->title = __('BALLX tokens sent', 'ballx-distributor');
        $this->description = __('Sent to the customer once the tokens of an order are in the wallet, for orders sent after it was switched on.', 'ballx-distributor');
        $this->template_html = 'emails/ballx-tokens-sent.php';
        $this->template_plain = 'emails/plain/ballx-tokens-sent.php';
        $this->template_base = dirname(__DIR__, 2) . '/templates/';
        $this->placeholders = ['{order_number}' => '', '{amount}' => ''];
        parent::__construct();
    }

    public function init_form_fields(): void
    {
        parent::init_form_fields();
        $this->form_fields['enabled']['default'] = 'no';
    }

    public function get_default_subject(): string
    {
        return __('Your {site_title} order {order_number}: {amount} BALLX tokens were sent', 'ballx-distributor');
    }

    public function get_default_heading(): string
    {
        return __('Your tokens were sent', 'ballx-distributor');
    }

    public function trigger(\WC_Order $order, Delivery $delivery): void
    {
        $this->setup_locale();
        $this->object = $order;
        $this->delivery = $delivery;
        $this->recipient = $order->get_billing_email();
        $this->placeholders = ['{order_number}' => $order->get_order_number(), '{amount}' => $delivery->amount]
            + $this->placeholders;
        if ($this->is_enabled() && $this->get_recipient()) {
            $this->send(
                $this->get_recipient(),
                $this->get_subject(),
                $this->get_content(),
                $this->get_headers(),
                $this->get_attachments()
            );
        }
        $this->restore_locale();
    }

    public function get_content_html(): string
    {
        return wc_get_template_html($this->template_html, $this->facts(false), '', $this->template_base);
    }

    public function get_content_plain(): string
    {
        return wc_get_template_html($this->template_plain, $this->facts(true), '', $this->template_base);
    }

    /** @return array<string, mixed> what the templates show */
    private function facts(bool $plain): array
    {
        return [
            'order' => $this->object,
            'amount' => $this->delivery?->amount ?? '',
            'wallet' => $this->delivery?->wallet ?? '',
            'transaction' => $this->delivery === null ? '' : ExplorerLink::address($this->delivery),
            'email_heading' => $this->get_heading(),
            'additional_content' => $this->get_additional_content(),
            'plain_text' => $plain,
            'email' => $this,
        ];
    }
}
