<?php
// Pay one order, with the client beside: pay.php ORDER_ID WALLET AMOUNT. Exit code 1: refused; 75: send it again later.
declare(strict_types=1);

require __DIR__ . '/../BallxClient.php';

if ($argc !== 4 || !getenv('WEBHOOK_URL') || !getenv('WEBHOOK_SECRET')) {
    fwrite(STDERR, "Set WEBHOOK_URL and WEBHOOK_SECRET, and say ORDER_ID WALLET AMOUNT.\n");
    exit(2);
}
[, $orderId, $wallet, $amount] = $argv;
$waitsS = array_map(intval(...), explode(' ', getenv('WAITS') ?: '0 10 60 300'));
$client = new BallxClient((string) getenv('WEBHOOK_URL'), (string) getenv('WEBHOOK_SECRET'), $waitsS);
try {
    echo json_encode($client->pay(['order_id' => $orderId, 'wallet' => $wallet, 'amount' => $amount])), "\n";
} catch (BallxRefused $refused) {
    fwrite(STDERR, json_encode($refused->problem, JSON_PRETTY_PRINT) . "\n");
    exit(1);
} catch (BallxNoAnswer $unknown) {
    fwrite(STDERR, $unknown->getMessage() . "\n");
    exit(75);
}
