<?php

/**
 * Everything put together.
 */

declare(strict_types=1);

namespace Ballx\Distributor;

defined('ABSPATH') || exit;

/**
 * Builds the objects once and hangs them on WordPress' hooks.
 */
final class Plugin
{
    private static ?self $running = null;

    public readonly Entrance $entrance;
    private readonly Settings $settings;
    private readonly Scheduler $scheduler;
    private readonly Deliveries $deliveries;
    private readonly Distribution $distribution;
    private readonly Courier $courier;
    private readonly CustomerWallet $wallets;
    private readonly Problems $problems;
    private readonly Trial $trial;

    private function __construct(private readonly string $file)
    {
        $clock = time(...);
        $this->settings = new Settings();
        $this->scheduler = new Scheduler();
        $this->problems = new Problems();
        $this->wallets = new CustomerWallet();
        $this->deliveries = new Deliveries($GLOBALS['wpdb'], $clock);
        $client = new Client($this->settings, $clock);
        $this->trial = new Trial($client, $this->settings);
        $this->courier = new Courier($this->deliveries, $client, $this->scheduler, $this->settings, $clock);
        $this->distribution = new Distribution($this->deliveries, $this->scheduler, $clock);
        $this->entrance = new Entrance($this->distribution, $this->problems);
    }

    public static function start(string $file): void
    {
        self::$running = new self($file);
        self::$running->listen();
    }

    public static function running(): self
    {
        return self::$running ?? throw new \LogicException('ballx-distributor is called before it is loaded');
    }

    private function listen(): void
    {
        register_activation_hook($this->file, self::install(...));
        register_deactivation_hook($this->file, Scheduler::stop(...));
        add_filter('cron_schedules', Scheduler::withMinute(...));
        add_action('init', $this->prepare(...), 5);
        add_action(Scheduler::WORK, $this->courier->work(...), 10, 0);
        add_action(Scheduler::SWEEP, $this->courier->work(...), 10, 0);
        add_action('ballx_distribute', $this->entrance->onAction(...));
        (new CallBacks($this->deliveries, $this->scheduler, $this->settings, time(...)))->listen();
        (new PersonalData($this->deliveries, $this->wallets))->listen();
        (new ProfileField($this->wallets))->listen();
        $this->listenToWooCommerce();
        if (is_admin()) {
            $this->listenToAdministration();
        }
    }

    /** These hooks are WooCommerce's: where it is missing they never run. */
    private function listenToWooCommerce(): void
    {
        add_action('before_woocommerce_init', fn () => Woo\Features::declare($this->file));
        $orders = new Woo\Orders(
            $this->entrance,
            $this->deliveries,
            $this->wallets,
            $this->settings,
            $this->problems,
            new Woo\Amounts($this->settings)
        );
        $orders->listen();
        (new Woo\Checkout($this->wallets, $this->settings))->listen();
        (new Woo\Account($this->wallets))->listen();
        $later = new Woo\LaterWallet($orders, $this->settings);
        $later->listen();
        (new Woo\WalletPage($later, $orders, $this->wallets))->listen();
        (new Woo\CustomerView($orders, $later, $this->settings))->listen();
        (new Woo\Letters($this->deliveries))->listen();
        (new Woo\Rehearsal($orders))->listen();
        (new Woo\OrderScreen($orders, $this->settings))->listen();
        (new Woo\Privacy())->listen();
        (new Woo\Forgetting($orders, $this->settings))->listen();
        Woo\Tree::listen();
        (new Woo\Following($orders, $this->deliveries, $this->courier, $this->problems))->listen();
    }

    private function listenToAdministration(): void
    {
        $settingsPage = new SettingsPage($this->settings);
        $notices = new Notices($this->deliveries, $this->settings, $this->problems, $this->trial);
        add_action('admin_init', $settingsPage->register(...));
        add_action('admin_menu', fn () => $this->addPages($settingsPage));
        add_action('admin_notices', $notices->show(...));
        (new Actions($this->deliveries, $this->settings, $this->trial, $this->scheduler, $notices))->listen();
        (new ListActions($this->deliveries, $this->distribution, $this->courier, $this->settings))->listen();
        (new Export(new Listing($GLOBALS['wpdb'])))->listen();
        add_filter('plugin_action_links_' . plugin_basename($this->file), fn (array $links): array => [
            '<a href="' . esc_url(SettingsPage::address()) . '">' . esc_html__('Settings', 'ballx-distributor') . '</a>',
            ...$links,
        ]);
    }

    private function addPages(SettingsPage $settingsPage): void
    {
        $list = new DeliveriesPage(new Listing($GLOBALS['wpdb']), $this->settings);
        $deliveries = __('Deliveries', 'ballx-distributor');
        $settings = __('Settings', 'ballx-distributor');
        $slug = DeliveriesPage::SLUG;
        add_menu_page('BALLX', 'BALLX', Access::deliveries(), $slug, $list->show(...), 'dashicons-money-alt', 58);
        // The same page under a name of its own: with the callback a second time it would be shown twice.
        add_submenu_page($slug, $deliveries, $deliveries, Access::deliveries(), $slug);
        add_submenu_page($slug, $settings, $settings, Access::SETTINGS, SettingsPage::SLUG, $settingsPage->show(...));
    }

    private function prepare(): void
    {
        load_plugin_textdomain('ballx-distributor', false, dirname(plugin_basename($this->file)) . '/languages');
        self::install();
        // What waited for the settings goes on as soon as they are there.
        foreach (Settings::CONSTANTS as $option) {
            add_action('update_option_' . $option, $this->resume(...), 10, 0);
        }
    }

    private function resume(): void
    {
        $this->deliveries->hastenUnauthorized();
        $this->scheduler->wakeAt(time());
    }

    /** Also after an update of the files and on a new site of a network, where no activation takes place. */
    private static function install(): void
    {
        if (!Schema::current()) {
            Settings::install();
            Schema::make();
        }
        (new Scheduler())->sweepEachMinute();
    }
}
