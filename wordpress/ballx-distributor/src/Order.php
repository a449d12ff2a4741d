<?php

/**
 * What the shop owes a wallet.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Reads an order out of a caller's arguments and writes the body that is signed.
 */
final class Order
{
    private const AMOUNT_CHARACTERS = 100;
    private const EMAIL_CHARACTERS = 254;
    private const TIPO_CHARACTERS = 64;

    private function __construct(
        public readonly string $orderId,
        public readonly string $wallet,
        public readonly string $amount,
        public readonly string $tipo,
        public readonly string $reason,
        public readonly int $wcOrder,
        public readonly int $userId,
        public readonly string $email,
        public readonly int $sendAt,
    ) {
    }

    /**
     * Read order_id, wallet, amount; optional tipo, reason, send_at (Unix seconds), and whose it is: user_id, email,
     * wc_order.
     *
     * @param array<string, mixed> $args
     * @throws InvalidOrder
     */
    public static function fromArgs(array $args): self
    {
        return new self(
            orderId: self::orderId($args['order_id'] ?? ''),
            wallet: Wallet::parse(self::text($args['wallet'] ?? '', 'bad_wallet')),
            amount: self::amount($args['amount'] ?? ''),
            tipo: self::tipo($args['tipo'] ?? ''),
            reason: trim(self::text($args['reason'] ?? '', 'bad_reason')),
            wcOrder: absint($args['wc_order'] ?? 0),
            userId: absint($args['user_id'] ?? 0),
            email: self::email($args['email'] ?? ''),
            sendAt: absint($args['send_at'] ?? 0),
        );
    }

    /**
     * Return the JSON that is stored, signed and sent: built once, because written twice it may differ.
     *
     * @throws InvalidOrder when a text cannot be written as JSON.
     */
    public function body(): string
    {
        $fields = ['order_id' => $this->orderId, 'wallet' => $this->wallet, 'amount' => $this->amount];
        $optional = ['tipo' => $this->tipo, 'reason' => $this->reason];
        $body = wp_json_encode($fields + array_filter($optional, fn (string $text): bool => $text !== ''));
        if (!is_string($body)) {
            throw new InvalidOrder('bad_reason');
        }
        return $body;
    }

    /** Hash what is paid to whom; like the distributor's fingerprint it leaves out the reason. */
    public function fingerprint(): string
    {
        return hash('sha256', implode("\n", [strtolower($this->wallet), $this->amount, $this->tipo]));
    }

    /** The distributor's rule; it is the order's name for ever, and part of what stands on the chain. */
    private static function orderId(mixed $value): string
    {
        $text = is_int($value) ? (string) $value : self::text($value, 'bad_order_id');
        if (!preg_match('/\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z/', $text)) {
            throw new InvalidOrder('bad_order_id');
        }
        return $text;
    }

    /** A float has been rounded before it gets here, so it is refused. */
    private static function amount(mixed $value): string
    {
        $text = is_int($value) ? (string) $value : self::text($value, 'amount_not_text');
        $amount = Decimal::parse($text);
        if (strlen($amount) > self::AMOUNT_CHARACTERS) {
            throw new InvalidOrder('bad_amount');
        }
        if (Decimal::isZero($amount)) {
            throw new InvalidOrder('amount_not_positive');
        }
        return $amount;
    }

    private static function tipo(mixed $value): string
    {
        $text = trim(self::text($value, 'bad_tipo'));
        if (mb_strlen($text) > self::TIPO_CHARACTERS) {
            throw new InvalidOrder('bad_tipo');
        }
        return $text;
    }

    private static function email(mixed $value): string
    {
        $text = self::text($value, 'bad_email');
        if ($text !== '' && (!is_email($text) || strlen($text) > self::EMAIL_CHARACTERS)) {
            throw new InvalidOrder('bad_email');
        }
        return $text;
    }

    private static function text(mixed $value, string $problem): string
    {
        return is_string($value) ? $value : throw new InvalidOrder($problem);
    }
}
