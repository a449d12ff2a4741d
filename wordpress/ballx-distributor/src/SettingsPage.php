<?php

/**
 * The page with the settings.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Made with WordPress' Settings API, which checks the capability and the nonce.
 *
 * Source: https://developer.wordpress.org/plugins/settings/settings-api/
 */
final class SettingsPage
{
    public const SLUG = 'ballx-settings';

    private const RULES = [
        'ballx_webhook_url' => 'newUrl',
        'ballx_webhook_secret' => 'secret',
        'ballx_order_status' => 'statuses',
        'ballx_order_level' => 'level',
        'ballx_rate' => 'rate',
        'ballx_amount_meta' => 'word',
        'ballx_order_prefix' => 'prefix',
        'ballx_tipo' => 'line',
        'ballx_reason' => 'line',
        'ballx_wallet_required' => 'word',
        'ballx_wallet_days' => 'days',
        'ballx_delay_days' => 'days',
        'ballx_explorer_url' => 'explorer',
    ];

    public function __construct(private readonly Settings $settings)
    {
    }

    public static function address(): string
    {
        return admin_url('admin.php?page=' . self::SLUG);
    }

    public function register(): void
    {
        foreach (self::RULES as $option => $rule) {
            register_setting(self::SLUG, $option, [
                'type' => 'string',
                'default' => Settings::DEFAULTS[$option],
                'show_in_rest' => false,
                'sanitize_callback' => fn (mixed $value): string => $this->checked($option, $rule, $value),
            ]);
        }
        add_settings_section('ballx_connection', __('Connection', 'ballx-distributor'), '__return_null', self::SLUG);
        add_settings_section('ballx_orders', __('Orders', 'ballx-distributor'), '__return_null', self::SLUG);
        foreach (self::fields() as $option => $field) {
            $section = in_array($option, Settings::CONSTANTS, true) ? 'ballx_connection' : 'ballx_orders';
            $arguments = ['label_for' => $option] + $field;
            add_settings_field($option, $field['label'], $this->field(...), self::SLUG, $section, $arguments);
        }
        $label = __('Address for call-backs', 'ballx-distributor');
        $shown = ['label_for' => 'ballx_call_back'];
        add_settings_field('ballx_call_back', $label, self::showCallBacks(...), self::SLUG, 'ballx_connection', $shown);
    }

    private static function showCallBacks(): void
    {
        $last = (int) get_option(CallBacks::LAST, 0);
        $when = (string) wp_date('Y-m-d H:i', $last);
        /* translators: %s: day and time */
        $came = sprintf(__('The last one came on %s.', 'ballx-distributor'), $when);
        echo '<input type="text" class="large-text code" readonly id="ballx_call_back" value="',
            esc_attr(CallBacks::address()), '"><p class="description">',
            esc_html__('Optional. Give it to the operator of the distributor: what becomes of an order is then known here within a minute. It must be https and open to the internet; without it the plugin asks by itself.', 'ballx-distributor'),
            ' <strong>', esc_html($last > 0 ? $came : __('None came yet.', 'ballx-distributor')), '</strong></p>';
    }

    public function show(): void
    {
        if (!current_user_can(Access::SETTINGS)) {
            wp_die(esc_html__('You are not allowed to see this page.', 'ballx-distributor'), '', ['response' => 403]);
        }
        echo '<div class="wrap"><h1>', esc_html__('BALLX settings', 'ballx-distributor'), '</h1>';
        settings_errors();
        echo '<form action="', esc_url(admin_url('options.php')), '" method="post">';
        settings_fields(self::SLUG);
        do_settings_sections(self::SLUG);
        submit_button();
        echo '</form>';
        $this->showTest();
        echo '</div>';
    }

    /** @param array{label_for: string, help: string} $field */
    public function field(array $field): void
    {
        $option = $field['label_for'];
        match (true) {
            $this->settings->fixed($option) => self::showFixed($option),
            in_array($option, Settings::SECRET, true) => $this->showSecret($option),
            $option === 'ballx_wallet_required' => $this->showCheckbox($option),
            $option === 'ballx_order_status' && function_exists('wc_get_order_statuses')
                => $this->showStatuses($option),
            $option === 'ballx_order_level' => $this->showLevels($option),
            default => $this->showText($option),
        };
        echo '<p class="description">', esc_html($field['help']), '</p>';
    }

    /** Return what is stored: the new value when it is right, else the old one and a sentence why. */
    private function checked(string $option, string $rule, mixed $value): string
    {
        $stored = get_option($option);
        $old = is_string($stored) ? $stored : Settings::DEFAULTS[$option];
        $secret = in_array($option, Settings::SECRET, true);
        // A secret is taken as it is: cleaning it would change it, and no signature would fit.
        $value = is_array($value) ? implode(',', array_filter($value, is_string(...))) : $value;
        $new = is_string($value) ? trim($secret ? $value : sanitize_text_field($value)) : '';
        if ($this->settings->fixed($option) || ($secret && $new === '')) {
            return $old;
        }
        $problem = SettingRules::$rule($new);
        if ($problem !== '') {
            $label = self::fields()[$option]['label'];
            add_settings_error($option, $option, $label . ': ' . Sentences::setting($problem));
            return $old;
        }
        return $new;
    }

    private static function showFixed(string $option): void
    {
        echo '<input type="text" class="regular-text" disabled id="', esc_attr($option), '" value="',
            esc_attr__('Set in wp-config.php', 'ballx-distributor'), '">';
    }

    private function showSecret(string $option): void
    {
        $hint = $this->settings->text($option) === ''
            ? __('Not set', 'ballx-distributor') : __('Set; leave empty to keep it', 'ballx-distributor');
        echo '<input type="password" class="regular-text" autocomplete="new-password" value="" id="',
            esc_attr($option), '" name="', esc_attr($option), '" placeholder="', esc_attr($hint), '">';
    }

    private function showCheckbox(string $option): void
    {
        echo '<input type="checkbox" value="1" id="', esc_attr($option), '" name="', esc_attr($option), '"',
            checked($this->settings->text($option), '1', false), '>';
    }

    /** The shop's own list: what is not in it can never come. */
    private function showStatuses(string $option): void
    {
        $chosen = $this->settings->statuses();
        foreach (wc_get_order_statuses() as $status => $label) {
            $status = (string) preg_replace('/\Awc-/', '', (string) $status);
            if (in_array($status, SettingRules::NOTHING_OWED, true)) {
                continue;
            }
            echo '<label><input type="checkbox" name="', esc_attr($option), '[]" value="', esc_attr($status), '"',
                checked(in_array($status, $chosen, true), true, false), '> ', esc_html($label), '</label><br>';
        }
    }

    private function showLevels(string $option): void
    {
        $levels = [
            'parent' => __('The customer\'s whole order', 'ballx-distributor'),
            'sub' => __('Each vendor\'s part of it', 'ballx-distributor'),
        ];
        echo '<select id="', esc_attr($option), '" name="', esc_attr($option), '">';
        foreach ($levels as $level => $label) {
            echo '<option value="', esc_attr($level), '"', selected($this->settings->text($option), $level, false),
                '>', esc_html($label), '</option>';
        }
        echo '</select>';
    }

    private function showText(string $option): void
    {
        echo '<input type="text" class="regular-text" id="', esc_attr($option), '" name="', esc_attr($option),
            '" value="', esc_attr($this->settings->text($option)), '">';
    }

    private function showTest(): void
    {
        echo '<h2>', esc_html__('Test', 'ballx-distributor'), '</h2><p>',
            esc_html__('Sends a signed request that pays nothing, asks whether the distributor is ready, and says which of the shop\'s latest ten orders would be sent. Save first.', 'ballx-distributor'),
            '</p>';
        Buttons::show(Actions::TEST, __('Send a test', 'ballx-distributor'));
    }

    /** @return array<string, array{label: string, help: string}> */
    private static function fields(): array
    {
        return [
            'ballx_webhook_url' => [
                'label' => __('Webhook address', 'ballx-distributor'),
                'help' => __('The address of the distributor, with /webhook at its end.', 'ballx-distributor'),
            ],
            'ballx_webhook_secret' => [
                'label' => __('Webhook secret', 'ballx-distributor'),
                'help' => __('The same text as WEBHOOK_SECRET of the distributor. It is never shown again.', 'ballx-distributor'),
            ],
            'ballx_order_status' => [
                'label' => __('Send orders that are', 'ballx-distributor'),
                'help' => __('An order is sent once, when it first reaches one of these.', 'ballx-distributor'),
            ],
            'ballx_order_level' => [
                'label' => __('Orders of a marketplace', 'ballx-distributor'),
                'help' => __('Where an order is split among vendors only one of the two is sent, so that it is paid once.', 'ballx-distributor'),
            ],
            'ballx_rate' => [
                'label' => __('Tokens per currency unit', 'ballx-distributor'),
                'help' => __('The order total, less refunds, times this number is sent, rounded down to 18 decimals. Only for orders in the shop\'s own currency. Example: 0.5', 'ballx-distributor'),
            ],
            'ballx_amount_meta' => [
                'label' => __('Order field with the amount', 'ballx-distributor'),
                'help' => __('The key of an order field that holds the tokens to send. Where an order has it, it goes before the rate.', 'ballx-distributor'),
            ],
            'ballx_order_prefix' => [
                'label' => __('Prefix of order ids', 'ballx-distributor'),
                'help' => __('Only needed when two shops sign with the same secret. Never change it later: an order under a new id is a new order.', 'ballx-distributor'),
            ],
            'ballx_tipo' => [
                'label' => __('Kind of payment', 'ballx-distributor'),
                'help' => __('Optional, such as cashback. Never change it while orders are being sent again.', 'ballx-distributor'),
            ],
            'ballx_reason' => [
                'label' => __('Reason', 'ballx-distributor'),
                'help' => __('Optional; stands on the chain for everybody to read. {order} becomes the order number.', 'ballx-distributor'),
            ],
            'ballx_wallet_required' => [
                'label' => __('Wallet required at the checkout', 'ballx-distributor'),
                'help' => __('Otherwise an order without a wallet is completed and no tokens are sent.', 'ballx-distributor'),
            ],
            'ballx_wallet_days' => [
                'label' => __('Days to add a wallet', 'ballx-distributor'),
                'help' => __('A customer who ordered without a wallet may add one for so many days, in the account or by the link in the e-mail of the order. 0: never.', 'ballx-distributor'),
            ],
            'ballx_delay_days' => [
                'label' => __('Days to wait', 'ballx-distributor'),
                'help' => __('Tokens are sent so many days after the order was completed, and not at all when it is refunded before. 0: at once.', 'ballx-distributor'),
            ],
            'ballx_explorer_url' => [
                'label' => __('Block explorer', 'ballx-distributor'),
                'help' => __('Where transactions are linked to.', 'ballx-distributor'),
            ],
        ];
    }
}
