<?php

/**
 * The deliveries, in the database.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Every change names the state it starts from, so that of two PHP processes only one makes it.
 * The one thing put into SQL without a placeholder is a name of ours: of the table or of a column.
 */
final class Deliveries
{
    /** @param callable(): int $clock Unix seconds */
    public function __construct(private readonly \wpdb $db, private $clock)
    {
    }

    /** Store a new delivery, due now or when its order says; false when this order was stored before. */
    public function insert(Order $order): bool
    {
        $now = ($this->clock)();
        $row = self::content($order) + [
            'order_id' => $order->orderId, 'state' => State::Waiting->value, 'detail' => '',
            'due_at' => max($now, $order->sendAt), 'created_at' => $now, 'updated_at' => $now,
        ];
        $places = implode(', ', array_map(self::place(...), $row));
        $columns = implode(', ', array_keys($row));
        $sql = "INSERT INTO {$this->table()} ({$columns}) VALUES ({$places}) ON DUPLICATE KEY UPDATE id = id";
        return $this->changed($this->db->prepare($sql, ...array_values($row))) === 1;
    }

    public function ofOrder(string $orderId): ?Delivery
    {
        return $this->one('order_id = %s', $orderId);
    }

    /** @return list<Delivery> of one order of WooCommerce */
    public function ofWooOrder(int $orderId): array
    {
        return $orderId > 0 ? $this->rows('wc_order = %d ORDER BY id', $orderId) : [];
    }

    public function byId(int $id): ?Delivery
    {
        return $this->one('id = %d', $id);
    }

    /** @return list<Delivery> whose time has come, the longest due first */
    public function due(int $limit): array
    {
        return $this->rows('due_at <= %d ORDER BY due_at, id LIMIT %d', ($this->clock)(), $limit);
    }

    /** Return when the next delivery is due, null when none is. */
    public function nextDue(): ?int
    {
        $next = $this->db->get_var("SELECT MIN(due_at) FROM {$this->table()}");
        return $next === null ? null : (int) $next;
    }

    /**
     * Take the next step of $delivery for this process: count it and store when the one after is due.
     *
     * This is before the step itself: a process that dies in it has planned the next one.
     *
     * @param 'attempts'|'asks' $counter
     * @return bool false when another process took it
     */
    public function claim(Delivery $delivery, string $counter, ?int $dueAt): bool
    {
        return $this->update($delivery, [$counter => $delivery->$counter + 1, 'due_at' => $dueAt]);
    }

    /**
     * Change $delivery as it was read, or not at all.
     *
     * @param array<string, string|int|null> $changes column => value
     * @return bool false when it is not as it was read any more
     */
    public function update(Delivery $delivery, array $changes): bool
    {
        $changes['updated_at'] = ($this->clock)();
        $set = implode(', ', array_map(
            fn (string $column): string => $column . ' = ' . self::place($changes[$column]),
            array_keys($changes)
        ));
        $sql = "UPDATE {$this->table()} SET {$set} WHERE id = %d AND state = %s AND attempts = %d AND asks = %d";
        $values = array_filter($changes, fn (string|int|null $value): bool => $value !== null);
        $as = [$delivery->id, $delivery->state->value, $delivery->attempts, $delivery->asks];
        return $this->changed($this->db->prepare($sql, ...array_values($values), ...$as)) === 1;
    }

    /** Send it (again), from the first attempt on; with other content when $order is given. */
    public function restart(Delivery $delivery, ?Order $order = null): bool
    {
        $fresh = [
            // Not from 0 where it may have been taken: a refund that comes now must not be told as in time.
            'state' => State::Waiting->value, 'attempts' => (int) $delivery->uncertain(),
            'due_at' => max(($this->clock)(), $order?->sendAt ?? 0),
            'http_status' => 0, 'error_code' => '', 'request_id' => '', 'detail' => '',
            'changed' => 0, 'needs_look' => 0,
        ];
        return $this->update($delivery, $fresh + ($order ? self::content($order) : []));
    }

    /** Give what was never taken the content its order has now; false when it is not as it was read any more. */
    public function rebuild(Delivery $delivery, Order $order): bool
    {
        return $this->update($delivery, self::content($order));
    }

    /**
     * Make $delivery due because a call-back tells of it; false when that one, or a later one, came before.
     *
     * One that was sent without an answer is sent once more, which is safe, and its answer says what became of it.
     * What was stopped is asked about. What was never sent stays as it is: the call-back is about another shop's order
     * of the same id, which signs with the same secret.
     *
     * @param int $sequence grows with each event of one order
     */
    public function heed(Delivery $delivery, int $sequence): bool
    {
        $now = ($this->clock)();
        $more = RetrySchedule::ASKS_MAX;
        $last = RetrySchedule::attempts() - 1;
        $sql = "UPDATE {$this->table()} SET call_back_seq = %d, due_at = %d, updated_at = %d,"
            . ' asks_max = GREATEST(asks_max, asks + %d), attempts = IF(state = %s, LEAST(attempts, %d), attempts),'
            . ' state = IF(state = %s, %s, state) WHERE id = %d AND state = %s AND call_back_seq < %d';
        $states = [State::GivenUp->value, $last, State::GivenUp->value, State::Waiting->value];
        $values = [$sequence, $now, $now, $more, ...$states, $delivery->id, $delivery->state->value, $sequence];
        $known = $delivery->state === State::Accepted || $delivery->uncertain();
        return $known && $this->changed($this->db->prepare($sql, ...$values)) === 1;
    }

    /** Have $delivery sent now that waited for a chosen day; false when it is not as it was read any more. */
    public function hasten(Delivery $delivery): bool
    {
        return $this->update($delivery, ['due_at' => ($this->clock)()]);
    }

    /** Take the one letter about $delivery that its customer gets; false when it was taken before. */
    public function claimLetter(Delivery $delivery): bool
    {
        $sql = "UPDATE {$this->table()} SET mailed_at = %d WHERE id = %d AND mailed_at IS NULL";
        return $this->changed($this->db->prepare($sql, ($this->clock)(), $delivery->id)) === 1;
    }

    /** Send at once what was refused because the secret did not fit: by now another one is set. */
    public function hastenUnauthorized(): void
    {
        $now = ($this->clock)();
        $sql = "UPDATE {$this->table()} SET due_at = %d, state = %s, needs_look = 0, updated_at = %d"
            . ' WHERE http_status = 401 AND state IN (%s, %s)';
        $waiting = State::Waiting->value;
        $this->changed($this->db->prepare($sql, $now, $waiting, $now, $waiting, State::Refused->value));
    }

    /** @return list<Delivery> that a person should look at, the latest first */
    public function needingLook(int $limit): array
    {
        return $this->rows('needs_look = 1 ORDER BY updated_at DESC, id DESC LIMIT %d', $limit);
    }

    /** @return list<Delivery> of one person */
    public function ofPerson(string $email, int $userId, int $page, int $size): array
    {
        $where = "(email = %s OR (user_id > 0 AND user_id = %d)) ORDER BY id LIMIT %d OFFSET %d";
        return $this->rows($where, $email, $userId, $size, ($page - 1) * $size);
    }

    /** Forget whose it was and what was sent; the order, the amount and the transaction stay as accounts. */
    public function erase(Delivery $delivery): bool
    {
        return $this->update(
            $delivery,
            ['email' => '', 'user_id' => 0, 'wallet' => '', 'body' => '', 'fingerprint' => '', 'detail' => '']
        );
    }

    /** @return array<string, string|int> */
    private static function content(Order $order): array
    {
        return [
            'wc_order' => $order->wcOrder, 'user_id' => $order->userId, 'email' => $order->email,
            'wallet' => $order->wallet, 'amount' => $order->amount,
            'body' => $order->body(), 'fingerprint' => $order->fingerprint(),
        ];
    }

    private static function place(string|int|null $value): string
    {
        return $value === null ? 'NULL' : (is_int($value) ? '%d' : '%s');
    }

    private function one(string $where, string|int ...$values): ?Delivery
    {
        return $this->rows($where . ' LIMIT 1', ...$values)[0] ?? null;
    }

    /** @return list<Delivery> */
    private function rows(string $where, string|int ...$values): array
    {
        $sql = $this->db->prepare("SELECT * FROM {$this->table()} WHERE {$where}", ...$values);
        $rows = $this->db->get_results($sql, ARRAY_A);
        return array_map(Delivery::fromRow(...), $rows ?? []);
    }

    /** @throws NotStored */
    private function changed(string $sql): int
    {
        $rows = $this->db->query($sql);
        if ($rows === false) {
            throw new NotStored($this->db->last_error);
        }
        return $rows;
    }

    private function table(): string
    {
        return Schema::table();
    }
}
