<?php

/**
 * The letter "tokens sent" as plain text.
 *
 * @var \WC_Order $order
 * @var string $amount
 * @var string $wallet
 * @var string $transaction address at the block explorer, or ''
 * @var string $email_heading
 * @var string $additional_content
 */

declare(strict_types=1);

defined('ABSPATH') || exit;

/* translators: 1: amount of tokens, 2: number of an order */
$ballx_sentence = __('%1$s BALLX tokens of your order %2$s are in your wallet:', 'ballx-distributor');
echo esc_html(wp_strip_all_tags($email_heading)), "\n\n",
    esc_html(sprintf($ballx_sentence, $amount, $order->get_order_number())), "\n", esc_html($wallet), "\n\n";
if ($transaction !== '') {
    echo esc_html__('See the transaction', 'ballx-distributor'), ': ', esc_url($transaction), "\n\n";
}
echo esc_html(wp_strip_all_tags(wptexturize($additional_content))), "\n";
