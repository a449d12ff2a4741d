<?php

/**
 * Words for codes, in the reader's language.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Each sentence says what is wrong and what to do.
 */
final class Sentences
{
    /** What is wrong with an order; an unknown code is returned as it is. */
    public static function order(string $code): string
    {
        return [
            'bad_order_id' => __('The order id must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit.', 'ballx-distributor'),
            'no_wallet' => __('There is no wallet, so no tokens were sent. Enter one and choose "Send BALLX tokens".', 'ballx-distributor'),
            'bad_wallet' => __('The wallet must be 0x and 40 hexadecimal digits.', 'ballx-distributor'),
            'wallet_checksum' => __('The wallet has a wrong checksum: a digit was mistyped. Copy the address again.', 'ballx-distributor'),
            'wallet_forbidden' => __('Nobody owns the zero address: tokens sent there are lost.', 'ballx-distributor'),
            'no_amount' => __('Set tokens per currency unit, or the order field with the amount, in the BALLX settings.', 'ballx-distributor'),
            'other_currency' => __('The order is not in the shop\'s own currency, which the rate is for. Put the tokens into the order field with the amount.', 'ballx-distributor'),
            'bad_amount' => __('The amount must be a decimal number such as 10.5, with at most 100 characters.', 'ballx-distributor'),
            'amount_not_text' => __('The amount must be a text such as "10.5" or an integer: a float has been rounded already.', 'ballx-distributor'),
            'amount_not_positive' => __('The amount is 0, so there is nothing to send.', 'ballx-distributor'),
            'bad_tipo' => __('The kind of payment must be a text of at most 64 characters.', 'ballx-distributor'),
            'bad_reason' => __('The reason must be a text.', 'ballx-distributor'),
            'bad_email' => __('The e-mail address is not one.', 'ballx-distributor'),
            'refund_without_amount' => __('A refund of the order shows no amount, so nobody can tell what the customer kept. Nothing was sent; correct the refund.', 'ballx-distributor'),
            'order_ended' => __('The order is cancelled, refunded or failed, so no tokens were sent.', 'ballx-distributor'),
            'order_deleted' => __('The order was deleted, so no tokens were sent.', 'ballx-distributor'),
            'part_of_order' => __('This is a part of another order, which is the one that is sent.', 'ballx-distributor'),
            'sent_in_parts' => __('This order is split among vendors; its parts are sent, not the whole.', 'ballx-distributor'),
            'relative_sent' => __('The whole order, or a part of it, was sent before. Nothing more is sent, so that it is not paid twice.', 'ballx-distributor'),
            'refund_and_parts' => __('The order has a refund, and parts that were cancelled or refunded: nobody can tell whether that is the same money. Nothing was sent; put the tokens into the order field with the amount.', 'ballx-distributor'),
            'refund_of_whole' => __('The whole order has a refund that none of its parts shows, so nobody can tell whose part it was. Nothing was sent; put the tokens into the order field with the amount.', 'ballx-distributor'),
            'stopped_uncertain' => __('The order changed while nobody knew whether the distributor had taken it. It is not sent again. Give the operator the order id: if it was taken, only the operator can cancel it.', 'ballx-distributor'),
            'stopped_by_person' => __('Somebody stopped it here before it was sent. Nothing is paid unless it is sent again.', 'ballx-distributor'),
            'stopped_late' => __('Somebody stopped it here after it had been tried, and nobody knows whether the distributor has taken it. Give the operator the order id: if it was taken, only the operator can cancel it.', 'ballx-distributor'),
            'taken_before_change' => __('The order was refunded, cancelled or corrected after the distributor had taken it. Give the operator the order id: only the operator can cancel it, and only before it is paid.', 'ballx-distributor'),
            'not_stored' => __('The database did not take the order. Nothing was sent; do the same again.', 'ballx-distributor'),
            'changed_after_sending' => __('The order was sent before with another wallet, amount or kind. What was sent first stands; a correction needs an order of its own.', 'ballx-distributor'),
        ][$code] ?? $code;
    }

    /** What is wrong with a setting, or keeps orders from being sent. */
    public static function setting(string $code): string
    {
        return [
            'no_url' => __('The webhook address is missing.', 'ballx-distributor'),
            'bad_url' => __('The webhook address is not usable: https, and /webhook at its end.', 'ballx-distributor'),
            'no_secret' => __('The webhook secret is missing.', 'ballx-distributor'),
            'bad_secret' => __('The webhook secret is not usable: at least 16 characters.', 'ballx-distributor'),
            'copied_shop' => __('The address of this shop has changed. A copy made for a trial must not pay with real tokens, so nothing is sent until you confirm that this is the real shop.', 'ballx-distributor'),
            'url_not_https' => __('The webhook address must begin with https://.', 'ballx-distributor'),
            'url_not_webhook' => __('The webhook address must end with /webhook and nothing behind it.', 'ballx-distributor'),
            'url_refused' => __('WordPress does not send to this address: it is private, or its port is not 80, 443 or 8080.', 'ballx-distributor'),
            'secret_short' => __('The secret must have at least 16 characters. Make one with: openssl rand -hex 32', 'ballx-distributor'),
            'secret_unprintable' => __('This holds a character that a key cannot have. Copy it again.', 'ballx-distributor'),
            'secret_quoted' => __('The secret is wrapped in quotes. They would be part of it: enter it without them.', 'ballx-distributor'),
            'bad_status' => __('Choose at least one status of this shop, or no order is ever sent.', 'ballx-distributor'),
            'bad_level' => __('Choose one of the two.', 'ballx-distributor'),
            'bad_rate' => __('Tokens per currency unit must be a number above 0 such as 0.5, with a point.', 'ballx-distributor'),
            'bad_prefix' => __('The prefix must be at most 20 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit.', 'ballx-distributor'),
            'bad_days' => __('The number of days must be from 0 to 365.', 'ballx-distributor'),
            'bad_word' => __('Only letters, digits, - and _ are possible here, at most 64.', 'ballx-distributor'),
            'line_long' => __('At most 64 characters are possible here.', 'ballx-distributor'),
            'bad_explorer' => __('The block explorer must begin with https://.', 'ballx-distributor'),
        ][$code] ?? $code;
    }

    /** Where a delivery stands, in one or two words. */
    public static function standing(Delivery $delivery): string
    {
        $taken = $delivery->silent() ? 'silent' : $delivery->status;
        $code = $delivery->state === State::Accepted ? $taken : $delivery->state->value;
        return [
            'silent' => __('No answer', 'ballx-distributor'),
            'waiting' => __('Being sent', 'ballx-distributor'),
            'refused' => __('Refused', 'ballx-distributor'),
            'given_up' => __('Not reached', 'ballx-distributor'),
            'stopped' => __('Stopped', 'ballx-distributor'),
            'received' => __('Accepted', 'ballx-distributor'),
            'submitted' => __('On its way', 'ballx-distributor'),
            'mined' => __('In a block', 'ballx-distributor'),
            'paid' => __('Paid', 'ballx-distributor'),
            'held' => __('Held', 'ballx-distributor'),
            'cancelled' => __('Cancelled', 'ballx-distributor'),
        ][$code] ?? $code;
    }

    /** The same for the customer whose order it is. */
    public static function forCustomer(Delivery $delivery): string
    {
        $paid = $delivery->state === State::Accepted && $delivery->status === 'paid';
        $fails = $delivery->state->stopped() || $delivery->status === 'cancelled';
        return match (true) {
            $paid => __('Sent', 'ballx-distributor'),
            $fails => __('Not sent', 'ballx-distributor'),
            default => __('On their way', 'ballx-distributor'),
        };
    }

    /** What came back last, with the words that find it in the distributor's log. */
    public static function trace(Delivery $delivery): string
    {
        $parts = [
            $delivery->httpStatus ? 'HTTP ' . $delivery->httpStatus : '',
            $delivery->errorCode ? 'X-Error-Code: ' . $delivery->errorCode : '',
            $delivery->requestId ? 'X-Request-Id: ' . $delivery->requestId : '',
            $delivery->detail,
        ];
        return implode(' · ', array_filter($parts));
    }
}
