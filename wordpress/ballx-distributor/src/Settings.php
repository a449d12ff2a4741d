<?php

/**
 * What the shop's owner decided.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Read at each use: a constant of wp-config.php first, the option second.
 */
final class Settings
{
    /** Every option and its default. Those in SECRET are never loaded with each page and never shown. */
    public const DEFAULTS = [
        'ballx_webhook_url' => '',
        'ballx_webhook_secret' => '',
        'ballx_order_status' => 'completed',
        'ballx_order_level' => 'parent',
        'ballx_rate' => '',
        'ballx_amount_meta' => '',
        'ballx_order_prefix' => '',
        'ballx_tipo' => '',
        'ballx_reason' => '',
        'ballx_wallet_required' => '0',
        'ballx_wallet_days' => '30',
        'ballx_delay_days' => '0',
        'ballx_explorer_url' => 'https://polygonscan.com',
    ];
    public const SECRET = ['ballx_webhook_secret'];

    /** Options a constant of the same name in capitals overrides. */
    public const CONSTANTS = ['ballx_webhook_url', 'ballx_webhook_secret'];

    /** A function key, which versions before kept: it opens every shop's orders, so it is deleted. */
    private const FORMER_KEY = 'ballx_status_key';

    /** The address the shop had when the plugin was told to pay for it. */
    private const HOME = 'ballx_home';

    public static function install(): void
    {
        foreach (self::DEFAULTS as $option => $default) {
            add_option($option, $default, '', in_array($option, self::SECRET, true) ? 'no' : 'yes');
        }
        delete_option(self::FORMER_KEY);
        add_option(self::HOME, self::fingerprint());
        // Versions before kept the address itself, which search and replace in a copied database rewrites.
        if (get_option(self::HOME) === self::home()) {
            update_option(self::HOME, self::fingerprint());
        }
    }

    public static function remove(): void
    {
        array_map(delete_option(...), [...array_keys(self::DEFAULTS), self::HOME, self::FORMER_KEY]);
    }

    public function text(string $option): string
    {
        $value = $this->fixed($option) ? constant(strtoupper($option)) : get_option($option, self::DEFAULTS[$option]);
        return is_string($value) ? trim($value) : '';
    }

    /** @return list<string> statuses as hooks name them: without wc-, also where an older version stored it with it */
    public function statuses(): array
    {
        return SettingRules::statusList($this->text('ballx_order_status')) ?: ['completed'];
    }

    /** Return a number of days; 0 where none was chosen. */
    public function days(string $option): int
    {
        return (int) $this->text($option);
    }

    /** Tell whether wp-config.php decides it. */
    public function fixed(string $option): bool
    {
        return in_array($option, self::CONSTANTS, true) && defined(strtoupper($option));
    }

    /** Return the distributor's address of $path, such as /ready. */
    public function address(string $path): string
    {
        return substr($this->text('ballx_webhook_url'), 0, -strlen('/webhook')) . $path;
    }

    /** Return the code of what keeps orders from being sent, '' when nothing does. */
    public function obstacle(): string
    {
        return match (true) {
            $this->text('ballx_webhook_url') === '' => 'no_url',
            SettingRules::url($this->text('ballx_webhook_url')) !== '' => 'bad_url',
            $this->text('ballx_webhook_secret') === '' => 'no_secret',
            SettingRules::secret($this->text('ballx_webhook_secret')) !== '' => 'bad_secret',
            $this->isCopy() => 'copied_shop',
            default => '',
        };
    }

    /**
     * Tell whether this looks like a copy of the shop, made for a trial, with the live shop's settings.
     *
     * 1. The shop is copied to a staging address, secret and all. 2. Somebody completes an order there to
     * see the new theme. 3. Real tokens move; and the live shop's next order has the same id.
     */
    public function isCopy(): bool
    {
        return !in_array(get_option(self::HOME), [self::fingerprint(), self::home()], true);
    }

    public function confirmHome(): void
    {
        update_option(self::HOME, self::fingerprint());
    }

    /** No text of it is in the database: a copy whose addresses were replaced is still known as one. */
    private static function fingerprint(): string
    {
        return hash('sha256', self::home());
    }

    private static function home(): string
    {
        return (string) preg_replace('~\Ahttps?://(www\.)?|/+\z~', '', strtolower(get_option('home')));
    }
}
