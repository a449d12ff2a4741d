<?php
/*
 * A shop's side of the BALLX Distributor in one file: copy it; PHP 8.1 or later with the extension curl.
 *
 *     $client = new BallxClient('https://pay.example.com/webhook', $secret);
 *     $client->pay(['order_id' => '1001', 'wallet' => '0x…', 'amount' => '10.5']);
 *     $client->status('1001')['status'];        // received, submitted, mined, paid, held, cancelled
 *
 * An order is paid once, however often it is sent: what had no answer is sent again, with a new time in its signature.
 * What is refused stays refused, and throws at once with the service's own explanation.
 */

declare(strict_types=1);

/** The service says no, and will say no again: correct the order or the secret. $problem is its document. */
final class BallxRefused extends RuntimeException
{
    public function __construct(public readonly int $status, public readonly array $problem)
    {
        parent::__construct($status . ' ' . ($problem['code'] ?? '') . ': ' . ($problem['detail'] ?? 'no explanation'));
    }
}

/** Nobody knows whether the order is stored: send the same order again later. It is paid once. */
final class BallxNoAnswer extends RuntimeException
{
}

final class BallxClient
{
    /** However long the service asks us to wait, a caller's program goes on after this. */
    private const RETRY_AFTER_S_MAX = 600;

    private readonly string $base;

    /**
     * @param string    $webhookUrl the whole address, which ends with /webhook
     * @param string    $secret     the shop's secret
     * @param list<int> $waitsS     seconds before each try; Retry-After of the service counts where it is longer
     * @param int       $timeoutS   of one try
     */
    public function __construct(
        string $webhookUrl,
        private readonly string $secret,
        private readonly array $waitsS = [0, 10, 60, 300],
        private readonly int $timeoutS = 15,
    ) {
        if (!str_ends_with($webhookUrl, '/webhook')) {
            throw new InvalidArgumentException('webhookUrl must end with /webhook');
        }
        $this->base = substr($webhookUrl, 0, -strlen('/webhook'));
    }

    /**
     * Send an order until it is stored; return where it is. The amount is text, '10.5': a float is rounded.
     *
     * @throws BallxRefused  it can never be paid as it is, or the signature is wrong
     * @throws BallxNoAnswer send the same order again later
     */
    public function pay(array $order): array
    {
        if (is_float($order['amount'] ?? null)) {
            throw new InvalidArgumentException("amount must be text, such as '10.5': a float is rounded");
        }
        $body = json_encode($order, JSON_THROW_ON_ERROR);   // once: these bytes are signed and sent, at each try
        return $this->ask('POST', $this->base . '/webhook', $body, $body, (string) ($order['order_id'] ?? ''));
    }

    /** Where an order of this shop is. Throws as pay(); BallxRefused with status 404 where there is none. */
    public function status(string $orderId): array
    {
        $url = $this->base . '/shop/orders/' . rawurlencode($orderId);
        return $this->ask('GET', $url, 'GET /shop/orders/' . $orderId, null, $orderId);
    }

    private function ask(string $method, string $url, string $signed, ?string $body, string $orderId): array
    {
        [$leastS, $why] = [0, 'never tried'];
        foreach ($this->waitsS as $waitS) {
            sleep(max($waitS, $leastS));
            [$status, $answer, $retryAfter, $failure] = $this->send($method, $url, $signed, $body);
            $document = json_decode($answer, true);
            $problem = is_array($document) ? $document : ['detail' => substr($answer, 0, 500)];
            // Only the service's own answer decides: a proxy's page, or a stopped app's, says nothing about an order.
            if ($failure === '' && in_array($status, [200, 202], true) && ($problem['order_id'] ?? null) === $orderId) {
                return $problem;
            }
            $isRefusal = $status >= 400 && $status < 500 && !in_array($status, [408, 429], true);
            if ($failure === '' && $isRefusal && isset($problem['code'])) {
                throw new BallxRefused($status, $problem);
            }
            $leastS = min(ctype_digit($retryAfter) ? (int) $retryAfter : 0, self::RETRY_AFTER_S_MAX);
            $why = $failure !== '' ? $failure : $status . ' ' . $answer;
        }
        throw new BallxNoAnswer("$method $url: $why");
    }

    /** One try: status, body, Retry-After, and why there was no whole answer; empty where there was one. */
    private function send(string $method, string $url, string $signed, ?string $body): array
    {
        $retryAfter = '';
        $sent = time();
        $digest = hash_hmac('sha256', $sent . '.' . $signed, $this->secret);
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => ['Content-Type: application/json', "X-WP-Signature: t=$sent,v1=$digest"],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => $this->timeoutS,
            CURLOPT_FOLLOWLOCATION => false,   // a signed order goes to the configured address, and nowhere else
            CURLOPT_HEADERFUNCTION => function ($_, string $line) use (&$retryAfter): int {
                if (stripos($line, 'retry-after:') === 0) {
                    $retryAfter = trim(substr($line, strlen('retry-after:')));
                }
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
        }
        $answer = curl_exec($curl);
        $failure = $answer === false ? curl_error($curl) : '';
        return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), (string) $answer, $retryAfter, $failure];
    }
}
