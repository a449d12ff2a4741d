<?php

/**
 * An order on its way to the distributor.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * One row of the table of deliveries. Times are Unix seconds.
 */
final class Delivery
{
    /** What the distributor never changes again. */
    private const FINAL = ['paid', 'cancelled'];

    /** Why it was stopped, where it may have been taken before. */
    public const UNCERTAIN = ['stopped_uncertain', 'stopped_late'];

    public function __construct(
        public readonly int $id,
        public readonly string $orderId,
        public readonly int $wcOrder,
        public readonly int $userId,
        public readonly string $email,
        public readonly string $wallet,
        public readonly string $amount,
        public readonly string $body,
        public readonly string $fingerprint,
        public readonly State $state,
        public readonly int $attempts,
        public readonly int $asks,
        public readonly int $asksMax,
        public readonly ?int $dueAt,
        public readonly int $httpStatus,
        public readonly string $errorCode,
        public readonly string $requestId,
        public readonly string $detail,
        public readonly string $status,
        public readonly string $txHash,
        public readonly bool $changed,
        public readonly bool $needsLook,
        public readonly int $createdAt,
        public readonly int $updatedAt,
    ) {
    }

    /** @param array<string, string|null> $row */
    public static function fromRow(array $row): self
    {
        return new self(
            id: (int) $row['id'],
            orderId: $row['order_id'],
            wcOrder: (int) $row['wc_order'],
            userId: (int) $row['user_id'],
            email: $row['email'],
            wallet: $row['wallet'],
            amount: $row['amount'],
            body: $row['body'],
            fingerprint: $row['fingerprint'],
            state: State::from($row['state']),
            attempts: (int) $row['attempts'],
            asks: (int) $row['asks'],
            asksMax: (int) $row['asks_max'],
            dueAt: $row['due_at'] === null ? null : (int) $row['due_at'],
            httpStatus: (int) $row['http_status'],
            errorCode: $row['error_code'],
            requestId: $row['request_id'],
            detail: $row['detail'],
            status: $row['status'],
            txHash: $row['tx_hash'],
            changed: (bool) $row['changed'],
            needsLook: (bool) $row['needs_look'],
            createdAt: (int) $row['created_at'],
            updatedAt: (int) $row['updated_at'],
        );
    }

    /** Tell whether the distributor can still tell us something new. */
    public function open(): bool
    {
        return $this->state === State::Accepted && !in_array($this->status, self::FINAL, true);
    }

    /** Tell whether it was asked about until the questions were used up, and never told what became of it. */
    public function silent(): bool
    {
        return $this->open() && $this->dueAt === null;
    }

    /** Tell whether it was sent and nobody here knows whether the distributor has it. */
    public function uncertain(): bool
    {
        return match ($this->state) {
            State::GivenUp => true,
            State::Waiting => $this->attempts > 0 && $this->httpStatus !== 401,
            State::Stopped => in_array($this->errorCode, self::UNCERTAIN, true),
            default => false,
        };
    }

    /** Tell whether the distributor has it to pay, or may have it. */
    public function mayBeTaken(): bool
    {
        return $this->uncertain() || ($this->state === State::Accepted && $this->status !== 'cancelled');
    }

    /** Tell whether nothing will change any more by itself. */
    public function ended(): bool
    {
        return $this->state !== State::Waiting && $this->dueAt === null;
    }

    /** Tell whether an attempt ended, with an answer or without: since it was sent anew, if it was. */
    public function answered(): bool
    {
        return $this->httpStatus > 0 || $this->errorCode !== '';
    }

    /** Tell whether it waits for a time that the owner chose, not for its next attempt. */
    public function waitsOnPurpose(): bool
    {
        return $this->state === State::Waiting && !$this->answered()
            && $this->dueAt !== null && $this->dueAt > time() + HOUR_IN_SECONDS;
    }

    public function stoppedByPerson(): bool
    {
        return $this->state === State::Stopped
            && in_array($this->errorCode, ['stopped_by_person', 'stopped_late'], true);
    }

    /** Tell whether its customer's data was erased: what it was is no longer known. */
    public function erased(): bool
    {
        return $this->fingerprint === '';
    }
}
