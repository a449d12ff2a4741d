<?php

/**
 * A person's data: what we have of it, and forgetting it.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * A wallet says who somebody is to anyone who knows the address, so it is personal data.
 *
 * Source: https://developer.wordpress.org/plugins/privacy/
 */
final class PersonalData
{
    private const PER_PAGE = 100;

    public function __construct(private readonly Deliveries $deliveries, private readonly CustomerWallet $wallets)
    {
    }

    public function listen(): void
    {
        add_filter('wp_privacy_personal_data_exporters', fn (array $exporters): array => $exporters + [
            'ballx-distributor' => ['exporter_friendly_name' => 'BALLX', 'callback' => $this->export(...)],
        ]);
        add_filter('wp_privacy_personal_data_erasers', fn (array $erasers): array => $erasers + [
            'ballx-distributor' => ['eraser_friendly_name' => 'BALLX', 'callback' => $this->erase(...)],
        ]);
        add_action('admin_init', $this->suggest(...));
    }

    /** @return array{data: list<array<string, mixed>>, done: bool} */
    public function export(string $email, int $page = 1): array
    {
        $userId = self::userId($email);
        $rows = $this->deliveries->ofPerson($email, $userId, $page, self::PER_PAGE);
        $items = array_map(self::exported(...), $rows);
        $copy = $userId > 0 ? get_user_meta($userId, CustomerWallet::BLOCK_COPY, true) : '';
        $wallets = array_unique(array_filter([$this->wallets->of($userId), is_string($copy) ? $copy : '']));
        foreach ($page === 1 ? array_values($wallets) : [] as $place => $wallet) {
            $items[] = self::item("wallet-{$userId}-{$place}", [CustomerWallet::label() => $wallet]);
        }
        return ['data' => $items, 'done' => count($rows) < self::PER_PAGE];
    }

    /**
     * Forget a person, but for what is still being paid: erased now it could not be sent or followed.
     *
     * @return array{items_removed: bool, items_retained: bool, messages: list<string>, done: bool}
     */
    public function erase(string $email, int $page = 1): array
    {
        $userId = self::userId($email);
        $rows = $this->deliveries->ofPerson($email, $userId, 1, self::PER_PAGE);
        $ended = array_filter($rows, fn (Delivery $delivery): bool => $delivery->ended());
        $erased = count(array_filter($ended, $this->forget(...)));
        $done = $erased === 0 || count($rows) < self::PER_PAGE;
        $unfinished = count($rows) > count($ended);
        $had = $this->wallets->forget($userId);
        return [
            'items_removed' => $had || $erased > 0,
            'items_retained' => $unfinished,
            'messages' => $done ? self::messages($unfinished) : [],
            'done' => $done,
        ];
    }

    /** Forget one delivery, here and where its order keeps a copy; false when it changed meanwhile. */
    private function forget(Delivery $delivery): bool
    {
        $erased = $this->deliveries->erase($delivery);
        if ($erased) {
            do_action('ballx_delivery_erased', $delivery);
        }
        return $erased;
    }

    private static function userId(string $email): int
    {
        $user = get_user_by('email', $email);
        return $user ? $user->ID : 0;
    }

    /** @return array<string, mixed> */
    private static function exported(Delivery $delivery): array
    {
        return self::item('delivery-' . $delivery->id, [
            __('Order', 'ballx-distributor') => $delivery->orderId,
            __('Wallet', 'ballx-distributor') => $delivery->wallet,
            __('Amount', 'ballx-distributor') => $delivery->amount,
            __('Status', 'ballx-distributor') => Sentences::standing($delivery),
            __('Transaction', 'ballx-distributor') => $delivery->txHash,
        ]);
    }

    /**
     * @param array<string, string> $pairs
     * @return array<string, mixed>
     */
    private static function item(string $id, array $pairs): array
    {
        $named = fn (string $name, string $value): array => ['name' => $name, 'value' => $value];
        return [
            'group_id' => 'ballx',
            'group_label' => __('BALLX tokens', 'ballx-distributor'),
            'item_id' => 'ballx-' . $id,
            'data' => array_map($named, array_keys($pairs), $pairs),
        ];
    }

    /** @return list<string> */
    private static function messages(bool $unfinished): array
    {
        $chain = __('Transactions on the blockchain are public for ever; nobody can erase them.', 'ballx-distributor');
        $later = __('Tokens are still being sent to this person. Erase again when they are paid.', 'ballx-distributor');
        return $unfinished ? [$later, $chain] : [$chain];
    }

    private function suggest(): void
    {
        $text = __('When you give us a wallet, we send it with the order number and the amount to our payment service, which sends tokens to it on a public blockchain. What stands there can be read by everybody and cannot be erased.', 'ballx-distributor');
        wp_add_privacy_policy_content('BALLX Distributor', '<p>' . esc_html($text) . '</p>');
    }
}
