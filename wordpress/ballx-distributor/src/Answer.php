<?php

/**
 * What came back from the distributor.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * One HTTP answer, or the reason why there is none.
 */
final class Answer
{
    private const CODE_CHARACTERS = 64;
    private const DETAIL_CHARACTERS = 500;

    /** @param array<string, mixed> $document the JSON object, empty when there is none */
    private function __construct(
        public readonly int $status,
        public readonly array $document,
        public readonly string $errorCode,
        public readonly string $requestId,
        public readonly string $detail,
        public readonly string $retryAfter,
        public readonly string $version = '',
    ) {
    }

    /** @param array<string, mixed>|\WP_Error $response as WordPress' HTTP functions return it */
    public static function of(array|\WP_Error $response): self
    {
        if ($response instanceof \WP_Error) {
            return new self(0, [], 'no_answer', '', self::line($response->get_error_message()), '');
        }
        $document = json_decode(wp_remote_retrieve_body($response), true);
        $document = is_array($document) ? $document : [];
        return new self(
            status: (int) wp_remote_retrieve_response_code($response),
            document: $document,
            errorCode: self::header($response, 'x-error-code'),
            requestId: self::header($response, 'x-request-id'),
            detail: self::line(self::word($document, 'detail')),
            retryAfter: self::header($response, 'retry-after'),
            version: self::header($response, 'x-version'),
        );
    }

    public function verdict(string $orderId): Verdict
    {
        return Verdict::of($this->status, $this->says('order_id') === $orderId);
    }

    /** Return a text of the document, '' when it is missing or no text. */
    public function says(string $name): string
    {
        return self::word($this->document, $name);
    }

    /** @param array<string, mixed> $response */
    private static function header(array $response, string $name): string
    {
        $value = wp_remote_retrieve_header($response, $name);
        return substr(self::line(is_array($value) ? (string) end($value) : $value), 0, self::CODE_CHARACTERS);
    }

    /** @param array<string, mixed> $document */
    private static function word(array $document, string $name): string
    {
        $value = $document[$name] ?? '';
        return is_string($value) ? $value : '';
    }

    private static function line(string $text): string
    {
        return mb_substr(sanitize_text_field($text), 0, self::DETAIL_CHARACTERS);
    }
}
