<?php

/**
 * Use case: bring orders to the distributor and follow them.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Stored before sent: a delivery's next step is in the database before this one begins.
 */
final class Courier
{
    /** One run is short: it may be a visitor's page load that carries it. */
    private const RUN_S = 20;
    private const RUN_DELIVERIES = 25;

    private const UNAUTHORIZED = 401;
    private const UNREADABLE_S = 600;
    private const STATUSES = ['received', 'submitted', 'mined', 'paid', 'held', 'cancelled'];

    /** @param callable(): int $clock Unix seconds */
    public function __construct(
        private readonly Deliveries $deliveries,
        private readonly Client $client,
        private readonly Scheduler $scheduler,
        private readonly Settings $settings,
        private $clock,
    ) {
    }

    /** Do what is due, as much as fits, and see that somebody wakes for the rest. */
    public function work(): void
    {
        if ($this->settings->obstacle() !== '') {
            return;
        }
        $end = ($this->clock)() + self::RUN_S;
        foreach ($this->deliveries->due(self::RUN_DELIVERIES) as $delivery) {
            if (($this->clock)() >= $end) {
                break;
            }
            $delivery->state === State::Waiting ? $this->send($delivery) : $this->ask($delivery);
        }
        $next = $this->deliveries->nextDue();
        if ($next !== null) {
            $this->scheduler->wakeAt(max($next, ($this->clock)() + 1));
        }
    }

    /** Send one delivery, unless another process is at it. */
    public function send(Delivery $delivery): void
    {
        $delivery = $this->followed($delivery);
        if ($delivery === null) {
            return;
        }
        if ($delivery->attempts >= RetrySchedule::attempts() && $delivery->httpStatus !== self::UNAUTHORIZED) {
            // Only a process that died in the last attempt leaves one like this.
            $this->record($delivery, self::ended(State::GivenUp));
            return;
        }
        $retryAt = ($this->clock)() + RetrySchedule::waitAfter($delivery->attempts + 1);
        if (!$this->deliveries->claim($delivery, 'attempts', $retryAt)) {
            return;
        }
        $answer = $this->client->order($delivery->body);
        $claimed = $this->deliveries->byId($delivery->id);
        if ($claimed?->attempts === $delivery->attempts + 1) {
            $this->record($claimed, $this->consequence($claimed, $answer));
        }
    }

    /**
     * Return $delivery as its order stands now: a delivery follows its order until the distributor has taken it.
     *
     * 1. An order is completed; its delivery waits, for a minute or for a day. 2. The order is refunded, cancelled
     * or deleted, or its wallet is corrected. 3. The old content would be paid. So the order is asked at the last
     * moment, whatever happened in between. Null: it is not sent now.
     */
    private function followed(Delivery $delivery): ?Delivery
    {
        $order = apply_filters('ballx_order_of_delivery', $delivery, $delivery);
        return match (true) {
            $order === $delivery => $delivery,
            $order instanceof InvalidOrder => $this->stopped($delivery, $order),
            $order instanceof Order => $this->rebuilt($delivery, $order),
            default => $this->later($delivery),
        };
    }

    /**
     * Stop what is not owed any more. Was it sent before, nobody here knows whether the distributor has it.
     *
     * @return bool false when it is not as it was read any more
     */
    public function stop(Delivery $delivery, InvalidOrder $why): bool
    {
        $uncertain = $delivery->uncertain();
        $late = $why->problem === 'stopped_by_person' ? 'stopped_late' : 'stopped_uncertain';
        $code = $uncertain ? $late : $why->problem;
        return $this->record($delivery, [
            'state' => State::Stopped->value, 'due_at' => null, 'needs_look' => (int) $uncertain,
            'error_code' => $code, 'detail' => Sentences::order($code),
        ]);
    }

    private function stopped(Delivery $delivery, InvalidOrder $why): ?Delivery
    {
        $this->stop($delivery, $why);
        return null;
    }

    private function rebuilt(Delivery $delivery, Order $order): ?Delivery
    {
        $same = $order->orderId !== $delivery->orderId || $order->fingerprint() === $delivery->fingerprint;
        if ($same) {
            return $delivery;
        }
        return $this->deliveries->rebuild($delivery, $order) ? $this->deliveries->byId($delivery->id) : null;
    }

    /** Its order cannot be read now, as while WooCommerce is updated. */
    private function later(Delivery $delivery): ?Delivery
    {
        $this->deliveries->update($delivery, ['due_at' => ($this->clock)() + self::UNREADABLE_S]);
        return null;
    }

    /** Ask at a person's wish: questions that were used up begin anew. */
    public function askNow(Delivery $delivery): bool
    {
        if (!$delivery->silent()) {
            return $this->ask($delivery);
        }
        $again = ['asks_max' => $delivery->asks + RetrySchedule::ASKS_MAX, 'needs_look' => 0];
        $begun = $this->deliveries->update($delivery, $again) ? $this->deliveries->byId($delivery->id) : null;
        return $begun !== null && $this->ask($begun);
    }

    /** Ask where one order stands; false when another process is at it, or it was asked about for long enough. */
    private function ask(Delivery $delivery): bool
    {
        if ($delivery->asks >= $delivery->asksMax) {
            $this->record($delivery, ['due_at' => null, 'needs_look' => 1]);
            return false;
        }
        $askAt = ($this->clock)() + RetrySchedule::waitToAsk($delivery->asks + 1);
        if (!$this->deliveries->claim($delivery, 'asks', $askAt)) {
            return false;
        }
        $answer = $this->client->status($delivery->orderId);
        $claimed = $this->deliveries->byId($delivery->id);
        if ($claimed?->asks === $delivery->asks + 1) {
            $this->record($claimed, $this->standing($claimed, $answer));
        }
        return true;
    }

    /** @return array<string, string|int|null> what to store after an order was sent; nothing if it ended meanwhile */
    private function consequence(Delivery $delivery, Answer $answer): array
    {
        if ($delivery->state !== State::Waiting) {
            return $this->afterTheStop($delivery, $answer);
        }
        if ($answer->status === self::UNAUTHORIZED) {
            $wait = min(RetrySchedule::waitAfter($delivery->attempts), RetrySchedule::SECRET_MAX_S);
            return self::traces($answer) + ['due_at' => ($this->clock)() + $wait, 'needs_look' => 1];
        }
        return self::traces($answer) + match ($answer->verdict($delivery->orderId)) {
            Verdict::Accepted => $this->accepted($delivery, $answer),
            Verdict::Refused => self::ended(State::Refused),
            Verdict::TryAgain => $delivery->attempts < RetrySchedule::attempts()
                ? ['due_at' => $this->retryAt($delivery, $answer)] : self::ended(State::GivenUp),
        };
    }

    /**
     * It was stopped while it was on its way: what is known now is that the distributor took it.
     *
     * @return array<string, string|int|null>
     */
    private function afterTheStop(Delivery $delivery, Answer $answer): array
    {
        $taken = $delivery->state === State::Stopped && $answer->verdict($delivery->orderId) === Verdict::Accepted;
        $told = ['needs_look' => 1, 'changed' => 1] + self::traces($answer);
        return $taken ? $told + $this->accepted($delivery, $answer) : [];
    }

    /** @return array<string, string|int|null> */
    private function accepted(Delivery $delivery, Answer $answer): array
    {
        return [
            'state' => State::Accepted->value,
            'status' => self::status($answer) ?: 'received',
            'due_at' => ($this->clock)() + RetrySchedule::waitToAsk(0),
        ];
    }

    /** @return array<string, string|int|null> a person has to look */
    private static function ended(State $state): array
    {
        return ['state' => $state->value, 'due_at' => null, 'needs_look' => 1];
    }

    /** The schedule's own time, or later when the distributor asks for it. */
    private function retryAt(Delivery $delivery, Answer $answer): int
    {
        $now = ($this->clock)();
        $asked = RetrySchedule::retryAfter($answer->retryAfter, $now);
        return $now + max(RetrySchedule::waitAfter($delivery->attempts), $asked);
    }

    /**
     * When it is asked next was stored before the question; a call-back may have come since, so it is left alone.
     *
     * @return array<string, string|int|null> what to store after a question
     */
    private function standing(Delivery $delivery, Answer $answer): array
    {
        $status = $answer->says('order_id') === $delivery->orderId ? self::status($answer) : '';
        $stopped = $delivery->state === State::Stopped;
        if ($status === '') {
            return $stopped ? ['due_at' => null] : self::traces($answer);
        }
        $hash = $answer->says('transaction_hash');
        $ended = in_array($status, ['paid', 'cancelled'], true) ? ['due_at' => null] : [];
        $late = $stopped ? ['state' => State::Accepted->value, 'changed' => 1, 'needs_look' => 1] : [];
        return $ended + $late + [
            'status' => $status,
            'tx_hash' => preg_match('/\A0x[0-9a-f]{64}\z/', $hash) ? $hash : '',
            'detail' => self::why($answer),
            'needs_look' => in_array($status, ['held', 'cancelled'], true) && $status !== $delivery->status
                ? 1 : (int) ($delivery->needsLook && $status !== 'paid'),
        ] + self::traces($answer);
    }

    /** @return array<string, string|int|null> what helps to find the request in the distributor's log */
    private static function traces(Answer $answer): array
    {
        return [
            'http_status' => $answer->status, 'error_code' => $answer->errorCode,
            'request_id' => $answer->requestId, 'detail' => $answer->detail,
        ];
    }

    /** Return the distributor's own words for why an order waits or is held. */
    private static function why(Answer $answer): string
    {
        $reason = $answer->document['held'] ?? $answer->document['waiting'] ?? [];
        $words = array_filter([$reason['summary'] ?? '', $reason['action'] ?? ''], is_string(...));
        return mb_substr(sanitize_text_field(implode(' ', $words)), 0, 500);
    }

    private static function status(Answer $answer): string
    {
        $status = $answer->says('status');
        return in_array($status, self::STATUSES, true) ? $status : '';
    }

    /** @param array<string, string|int|null> $changes */
    private function record(Delivery $delivery, array $changes): bool
    {
        $recorded = $changes !== [] && $this->deliveries->update($delivery, $changes);
        if ($recorded) {
            do_action('ballx_delivery_changed', $this->deliveries->byId($delivery->id), $delivery);
        }
        return $recorded;
    }
}
