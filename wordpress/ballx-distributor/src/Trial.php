<?php

/**
 * A test of the connection that pays nothing.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Three questions: is the distributor ready, does the secret fit, may the shop ask where its orders are.
 *
 * The signed request has no wallet and no amount, so that it can never be paid. The distributor looks at
 * the signature first: 400 means that the secret fits, 401 that it does not.
 */
final class Trial
{
    private const KEPT_S = 300;
    private const ORDER = 'ballx-test';

    public function __construct(private readonly Client $client, private readonly Settings $settings)
    {
    }

    /** Ask, and keep the answers for the next page that $userId sees. */
    public function run(int $userId): void
    {
        $obstacle = $this->settings->obstacle();
        $lines = $obstacle === ''
            ? [$this->secret(), $this->ready(), $this->asking()]
            : [['error', Sentences::setting($obstacle)]];
        set_transient(self::place($userId), apply_filters('ballx_trial_lines', $lines), self::KEPT_S);
    }

    /** Forget every answer that was not shown yet. */
    public static function forget(): void
    {
        global $wpdb;
        $names = $wpdb->esc_like('_transient_') . '%' . $wpdb->esc_like('ballx_test_') . '%';
        $wpdb->query($wpdb->prepare("DELETE FROM {$wpdb->options} WHERE option_name LIKE %s", $names));
    }

    /** @return list<array{string, string}> kind of notice and sentence, each only once */
    public function take(int $userId): array
    {
        $lines = get_transient(self::place($userId));
        delete_transient(self::place($userId));
        return is_array($lines) ? $lines : [];
    }

    private static function place(int $userId): string
    {
        return 'ballx_test_' . $userId;
    }

    /** @return array{string, string} */
    private function secret(): array
    {
        $answer = $this->client->order((string) wp_json_encode(['order_id' => self::ORDER]));
        return match (true) {
            $answer->status === 400 && $answer->errorCode !== '' => ['success', __('The webhook answers and the secret fits.', 'ballx-distributor')],
            $answer->status === 401 => ['error', self::told(__('The webhook answers, but the secret does not fit. Or this server\'s clock is wrong by minutes.', 'ballx-distributor'), $answer)],
            default => ['error', self::told(__('The webhook does not answer as a distributor does.', 'ballx-distributor'), $answer)],
        };
    }

    /** @return array{string, string} */
    private function ready(): array
    {
        $answer = $this->client->ready();
        if ($answer->status === 200 && ($answer->document['ready'] ?? false) === true) {
            $version = $answer->version === '' ? '' : " (X-Version: {$answer->version})";
            return ['success', __('The distributor is ready to pay.', 'ballx-distributor') . $version];
        }
        $checks = $answer->document['checks'] ?? [];
        $failing = array_keys(array_filter(is_array($checks) ? $checks : [], fn (mixed $good): bool => $good !== true));
        $sentence = __('The distributor is not ready to pay; orders are taken and wait.', 'ballx-distributor');
        return ['warning', self::told(trim($sentence . ' ' . sanitize_text_field(implode(', ', $failing))), $answer)];
    }

    /** @return array{string, string} */
    private function asking(): array
    {
        $answer = $this->client->status(self::ORDER);
        return $answer->errorCode === 'order_not_found'
            ? ['success', __('The shop learns what was paid.', 'ballx-distributor')]
            : ['error', self::told(__('The shop does not learn what was paid; orders are paid all the same.', 'ballx-distributor'), $answer)];
    }

    private static function told(string $sentence, Answer $answer): string
    {
        $code = $answer->errorCode === '' ? '' : ', X-Error-Code: ' . $answer->errorCode;
        $request = $answer->requestId === '' ? '' : ', X-Request-Id: ' . $answer->requestId;
        $version = $answer->version === '' ? '' : ', X-Version: ' . $answer->version;
        $detail = $answer->detail === '' ? '' : ': ' . $answer->detail;
        return "{$sentence} (HTTP {$answer->status}{$code}{$request}{$version}{$detail})";
    }
}
