<?php

/**
 * The letter "tokens sent" as HTML; a theme may have its own in woocommerce/emails/ballx-tokens-sent.php.
 *
 * @var \WC_Order $order
 * @var string $amount
 * @var string $wallet
 * @var string $transaction address at the block explorer, or ''
 * @var string $email_heading
 * @var string $additional_content
 * @var \WC_Email $email
 */

declare(strict_types=1);

defined('ABSPATH') || exit;

do_action('woocommerce_email_header', $email_heading, $email);
/* translators: 1: amount of tokens, 2: number of an order */
$ballx_sentence = __('%1$s BALLX tokens of your order %2$s are in your wallet:', 'ballx-distributor');
echo '<p>', esc_html(sprintf($ballx_sentence, $amount, $order->get_order_number())), '</p><p><code>', esc_html($wallet),
    '</code></p>';
if ($transaction !== '') {
    echo '<p><a href="', esc_url($transaction), '">', esc_html__('See the transaction', 'ballx-distributor'), '</a></p>';
}
echo wp_kses_post(wpautop(wptexturize($additional_content)));
do_action('woocommerce_email_footer', $email);
