<?php

/**
 * Use case: take an order to be sent.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * One order is one delivery, however often the shop tells of it.
 */
final class Distribution
{
    /** @param callable(): int $clock Unix seconds */
    public function __construct(
        private readonly Deliveries $deliveries,
        private readonly Scheduler $scheduler,
        private $clock,
    ) {
    }

    /**
     * Store $order and wake who sends it.
     *
     * The same order again changes nothing, unless its delivery had stopped: then it is sent again. Other content
     * under the same id is sent only when the distributor had refused the first; else the first content stands.
     *
     * @throws NotStored
     */
    public function submit(Order $order): Submission
    {
        $stored = $this->deliveries->insert($order) ? null : $this->deliveries->ofOrder($order->orderId);
        $submission = match (true) {
            $stored === null => Submission::Stored,
            $stored->erased() && !$stored->state->stopped() => Submission::Known,
            $stored->fingerprint === $order->fingerprint() => $this->again($stored, $order),
            default => $this->changed($stored, $order),
        };
        if ($submission->wakes()) {
            $this->scheduler->wakeAt(max(($this->clock)(), $order->sendAt));
        }
        return $submission;
    }

    /** Send a stopped delivery again, the same bytes with a new signature; one that waits for a chosen day goes now. */
    public function sendAgain(Delivery $delivery): void
    {
        $hastened = $delivery->waitsOnPurpose() && $this->deliveries->hasten($delivery);
        if ($hastened || $this->again($delivery) === Submission::SentAgain) {
            $this->scheduler->wakeAt(($this->clock)());
        }
    }

    private function again(Delivery $stored, ?Order $order = null): Submission
    {
        $restarts = $stored->state->stopped() && $stored->body !== '' && $this->deliveries->restart($stored, $order);
        return $restarts ? Submission::SentAgain : Submission::Known;
    }

    /**
     * Other content under a known id.
     *
     * Refused: the distributor did not take the first content, and should we be wrong, it refuses the second
     * (its own rule: an id never stands for two contents). Stopped: likewise, its order was completed once more.
     * Given up: nobody knows whether it was taken.
     */
    private function changed(Delivery $stored, Order $order): Submission
    {
        $replaced = in_array($stored->state, [State::Refused, State::Stopped], true);
        if ($replaced && $this->deliveries->restart($stored, $order)) {
            return Submission::SentAgain;
        }
        if ($stored->state === State::Waiting && $order->wcOrder > 0 && $this->deliveries->rebuild($stored, $order)) {
            return Submission::Known;
        }
        $this->deliveries->update($stored, ['changed' => 1, 'needs_look' => 1]);
        return Submission::Changed;
    }
}
