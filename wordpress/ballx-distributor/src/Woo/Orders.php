<?php

/**
 * WooCommerce orders become deliveries.
 */

declare(strict_types=1);

namespace Ballx\Distributor\Woo;

use Ballx\Distributor\CustomerWallet;
use Ballx\Distributor\Decimal;
use Ballx\Distributor\Deliveries;
use Ballx\Distributor\Delivery;
use Ballx\Distributor\Entrance;
use Ballx\Distributor\InvalidOrder;
use Ballx\Distributor\Order;
use Ballx\Distributor\Problems;
use Ballx\Distributor\Remedies;
use Ballx\Distributor\Sentences;
use Ballx\Distributor\Settings;
use Ballx\Distributor\State;

defined('ABSPATH') || exit;

/**
 * Uses orders only through WooCommerce's own functions, wherever it stores them.
 *
 * Source: https://developer.woocommerce.com/docs/features/high-performance-order-storage/recipe-book/
 */
final class Orders
{
    public const WALLET_META = '_ballx_wallet';
    private const ACTION = 'ballx_send';

    /** Reasons to send nothing that are no fault: the note in the order is enough. */
    private const QUIET = ['no_wallet', 'amount_not_positive', 'order_ended', 'part_of_order', 'sent_in_parts'];

    public function __construct(
        private readonly Entrance $entrance,
        private readonly Deliveries $deliveries,
        private readonly CustomerWallet $wallets,
        private readonly Settings $settings,
        private readonly Problems $problems,
        private readonly Amounts $amounts,
    ) {
    }

    public function listen(): void
    {
        foreach ($this->settings->statuses() as $status) {
            add_action('woocommerce_order_status_' . $status, $this->onStatus(...));
        }
        add_filter('woocommerce_order_actions', fn (array $actions): array => $actions + [
            self::ACTION => __('Send BALLX tokens', 'ballx-distributor'),
        ]);
        add_action('woocommerce_order_action_' . self::ACTION, fn (\WC_Order $order) => $this->send($order));
        add_filter('ballx_resubmitted', $this->resubmit(...), 10, 2);
        add_action('ballx_delivery_changed', $this->note(...), 10, 2);
    }

    public function onStatus(int $orderId): void
    {
        $order = wc_get_order($orderId);
        // What a person stopped here only a person sends: the button of the list, or the order's own action.
        if ($order instanceof \WC_Order && !$this->delivery($order)?->stoppedByPerson()) {
            $this->send($order, $this->sendAt($order));
        }
    }

    /**
     * Send the tokens of $order, at $sendAt or now; what is in the way is written into the order.
     *
     * @param int $sendAt Unix seconds
     */
    public function send(\WC_Order $order, int $sendAt = 0): void
    {
        try {
            $result = $this->entrance->distribute($this->filtered($order) + ['send_at' => $sendAt]);
            $this->keepWallet($order);
            $problem = is_wp_error($result) ? $result->get_error_message() : '';
            $quiet = is_wp_error($result) && in_array($result->get_error_code(), ['ballx_amount_not_positive'], true);
        } catch (InvalidOrder $error) {
            $problem = Sentences::order($error->problem);
            $quiet = in_array($error->problem, self::QUIET, true);
            do_action('ballx_order_not_sent', $order, $error->problem);
        }
        if ($problem !== '') {
            $order->add_order_note('BALLX: ' . $problem);
        }
        if ($problem !== '' && !$quiet) {
            $this->problems->remember($this->orderId($order), $problem);
        }
    }

    /**
     * Return the order as it would be sent now.
     *
     * @throws InvalidOrder when nothing is owed, or the order says too little.
     */
    public function read(\WC_Order $order): Order
    {
        return Order::fromArgs($this->filtered($order));
    }

    /** Return the wallet that the order's own input shows: what stands in the order, else the customer's. */
    public function walletShown(\WC_Order $order): string
    {
        return $order->meta_exists(self::WALLET_META)
            ? (string) $order->get_meta(self::WALLET_META) : $this->wallets->of($order->get_customer_id());
    }

    /** Read a stopped order anew, because it may have been corrected; true when that was done. */
    public function resubmit(bool $done, Delivery $delivery): bool
    {
        $again = $delivery->state === State::Refused || $delivery->state === State::Stopped;
        $order = $again && $delivery->wcOrder ? wc_get_order($delivery->wcOrder) : false;
        if ($done || !$order instanceof \WC_Order) {
            return $done;
        }
        $this->send($order);
        return true;
    }

    /** Write into the order what became of its delivery. */
    public function note(Delivery $now, Delivery $before): void
    {
        $told = Sentences::standing($now) !== Sentences::standing($before);
        $order = $told && $now->wcOrder > 0 ? wc_get_order($now->wcOrder) : false;
        if ($order instanceof \WC_Order) {
            $amount = $now->wallet === '' ? '' : "{$now->amount} BALLX → {$now->wallet}";
            $parts = [Sentences::standing($now), $amount, $now->txHash, Sentences::trace($now)];
            $order->add_order_note('BALLX: ' . implode(' · ', array_filter($parts)));
        }
    }

    public function delivery(\WC_Order $order): ?Delivery
    {
        return $this->deliveries->ofOrder($this->orderId($order));
    }

    /** Return when $order's tokens go: the chosen days after it was completed, 0 for at once. */
    public function sendAt(\WC_Order $order): int
    {
        $days = $this->settings->days('ballx_delay_days');
        return $days === 0 ? 0 : ($order->get_date_completed()?->getTimestamp() ?? time()) + $days * DAY_IN_SECONDS;
    }

    /** Return what is to be said of $order: where its delivery stands, or why there is none. */
    public function outlook(\WC_Order $order): string
    {
        $delivery = $this->delivery($order);
        if ($delivery !== null) {
            return trim(Sentences::standing($delivery) . '. ' . Remedies::of($delivery));
        }
        $why = $this->obstacle($order);
        return $why !== '' ? $why : __('Nothing was sent: the order reached its status before the plugin could send it. Choose "Send BALLX tokens".', 'ballx-distributor');
    }

    /** Tell whether all that $order lacks is a wallet. */
    public function wants(\WC_Order $order): bool
    {
        try {
            $this->amounts->check($order);
            $amount = Decimal::parse($this->amounts->of($order));
        } catch (InvalidOrder) {
            return false;
        }
        return $this->walletShown($order) === '' && !Decimal::isZero($amount)
            && in_array($order->get_status(), $this->settings->statuses(), true);
    }

    /** Return why $order as it is now would send nothing, '' when it would. */
    public function obstacle(\WC_Order $order): string
    {
        try {
            $this->read($order);
        } catch (InvalidOrder $problem) {
            return Sentences::order($problem->problem);
        }
        $labels = function_exists('wc_get_order_statuses') ? wc_get_order_statuses() : [];
        $named = array_map(fn (string $one): string => $labels['wc-' . $one] ?? $one, $this->settings->statuses());
        /* translators: %s: one or more statuses of orders, such as Completed */
        $later = __('Nothing was sent yet: tokens are sent when the order is %s.', 'ballx-distributor');
        $reached = in_array($order->get_status(), $this->settings->statuses(), true);
        return $reached ? '' : sprintf($later, implode(', ', $named));
    }

    private function orderId(\WC_Order $order): string
    {
        return $this->settings->text('ballx_order_prefix') . $order->get_id();
    }

    /**
     * @return array<string, mixed>
     * @throws InvalidOrder
     */
    private function filtered(\WC_Order $order): array
    {
        $this->amounts->check($order);
        $this->checkRelatives($order);
        return (array) apply_filters('ballx_order_args', $this->arguments($order), $order);
    }

    /**
     * Let $order pass when neither its whole nor a part of it was sent before.
     *
     * 1. An order is sent. 2. A marketplace splits it, or the setting is changed, or its whole is deleted. 3. Each part
     * of it is completed, or the whole is, and would be paid once more.
     *
     * @throws InvalidOrder with the code relative_sent.
     */
    private function checkRelatives(\WC_Order $order): void
    {
        foreach ([...Tree::above($order), ...Tree::below($order)] as $id) {
            $sent = fn (Delivery $delivery): bool => $delivery->mayBeTaken();
            if (array_filter($this->deliveries->ofWooOrder($id), $sent) !== []) {
                throw new InvalidOrder('relative_sent');
            }
        }
    }

    /** The order keeps the wallet it was sent to: the customer's may change later. */
    private function keepWallet(\WC_Order $order): void
    {
        if (!$order->meta_exists(self::WALLET_META)) {
            $order->update_meta_data(self::WALLET_META, $this->walletShown($order));
            $order->save();
        }
    }

    /**
     * @return array<string, mixed>
     * @throws InvalidOrder
     */
    private function arguments(\WC_Order $order): array
    {
        return [
            'order_id' => $this->orderId($order),
            'wallet' => $this->wallet($order),
            'amount' => $this->amounts->of($order),
            'tipo' => $this->settings->text('ballx_tipo'),
            'reason' => str_replace('{order}', $order->get_order_number(), $this->settings->text('ballx_reason')),
            'wc_order' => $order->get_id(),
            'user_id' => $order->get_customer_id(),
            'email' => $order->get_billing_email(),
        ];
    }

    /** The order's own wallet, also an emptied one; else the customer's. */
    private function wallet(\WC_Order $order): string
    {
        $wallet = $this->walletShown($order);
        return $wallet !== '' ? $wallet : throw new InvalidOrder('no_wallet');
    }
}
