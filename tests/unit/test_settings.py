from __future__ import annotations

from collections.abc import Mapping

import pytest

from distributor.caps import NO_CAPS, Caps
from distributor.settings import ALL, about
from distributor.settings.chain import (
    ContractSettings,
    FeeSettings,
    LaneSettings,
    NodeSettings,
    SettlementSettings,
    SigningSettings,
)
from distributor.settings.operations import LogSettings, StorageSettings, VaultSettings
from distributor.settings.use_cases import (
    ChainSettings,
    DistributionSettings,
    IntakeSettings,
    MonitorSettings,
    PayoutSettings,
    StatusSettings,
)
from distributor.units import TokenUnits
from foundation.alarms.settings import AlarmSettings
from foundation.errors import ConfigurationError
from foundation.settings.groups import SettingsGroup, settings_of
from foundation.settings.reading import problems, read_group, secrets_of
from foundation.settings.references import VaultItem

KEY = "0x" + "11" * 32
OTHER_KEY = "22" * 32
GOOD = {
    "CHAIN_ID": "137",
    "RPC_URL": "https://one.example/v2/node-key, http://127.0.0.1:8545",
    "OPERATOR_PK": KEY,
    "AUTHORITY_ADDRESS": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "TOKEN_ADDRESS": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "RESERVE_ADDRESS": "0xdbf03b407c01e7cd3cbea99509d93f8dddc8c6fb",
    "WEBHOOK_SECRET": "sixteen bytes or more",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


def named(environ: Mapping[str, str], use: type[SettingsGroup]) -> list[str]:
    """Return the names of the settings that are missing or wrong."""
    return [problem.setting for problem in problems(use, environ, {})]


def sentence(use: type[SettingsGroup], **changed: str) -> str:
    """Return what is said about good settings with these changed."""
    with pytest.raises(ConfigurationError) as caught:
        read_group(use, {**GOOD, **changed})
    return str(caught.value)


@pytest.mark.parametrize("use", ALL)
def test_the_required_settings_are_enough_for_every_use_case(use: type[SettingsGroup]) -> None:
    """Everything else has a default that works on Polygon."""
    assert problems(use, GOOD, {}) == []


def test_the_defaults_are_those_of_polygon() -> None:
    """Prices become wei and times milliseconds, once, here."""
    settings = read_group(DistributionSettings, GOOD).payout
    fees, settlement, lane = settings.fees, settings.settlement, settings.lane

    assert (fees.gas_limit, fees.max_fee_wei) == (300_000, 60 * 10**9)
    assert (fees.max_tip_wei, fees.min_tip_wei) == (40 * 10**9, 30 * 10**9)
    assert (settlement.finality_depth, settlement.min_confirmations, settlement.release_confirmations) == (None, 3, 500)
    assert (lane.max_in_flight, lane.max_orders_per_transaction, settlement.max_attempts) == (16, 1, 10)
    assert (settlement.resubmit_after_ms, settlement.replace_after_ms) == (10_000, 30_000)
    assert (lane.block_time_s, settings.nodes.rpc_timeout_s) == (2, 10)
    assert (settings.storage.ledger_connection, settings.storage.ledger_table) == ("AzureWebJobsStorage", "ledger")
    assert (settings.contracts.ledger_id, settings.signing.operator_pk_retiring) == (None, None)
    assert read_group(AlarmSettings, {}).alarm_webhook_url is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("FINALITY", "depth:1"),
        ("FINALITY", "depth:159"),
        ("MIN_CONFIRMATIONS", "1"),
        ("MIN_CONFIRMATIONS", "2"),
        ("RELEASE_CONFIRMATIONS", "1"),
        ("RELEASE_CONFIRMATIONS", "159"),
    ],
)
def test_finality_without_margin_is_refused_on_polygon(setting: str, value: str) -> None:
    """A reorganisation there has been 157 deep: what counts as final sooner is paid twice. A local chain may."""
    assert f"{setting} must be" in sentence(PayoutSettings, **{setting: value})
    assert problems(PayoutSettings, {**GOOD, setting: value, "CHAIN_ID": "31337"}, {}) == []


@pytest.mark.parametrize(
    ("setting", "value"), [("FINALITY", "depth:160"), ("MIN_CONFIRMATIONS", "3"), ("RELEASE_CONFIRMATIONS", "160")]
)
def test_finality_with_margin_is_accepted_on_polygon(setting: str, value: str) -> None:
    """The least that is."""
    assert problems(PayoutSettings, {**GOOD, setting: value}, {}) == []


def test_a_broken_node_url_does_not_refuse_orders_at_the_webhook() -> None:
    """Intake looks only at what intake needs."""
    broken = {**GOOD, "RPC_URL": "nonsense", "OPERATOR_PK": "", "MAX_FEE_GWEI": "many"}

    assert read_group(IntakeSettings, broken).contracts.reserve == "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"


def test_where_alarms_go_is_known_when_nothing_else_is() -> None:
    """What is not configured is itself an alarm."""
    settings = read_group(AlarmSettings, {"ALARM_WEBHOOK_URL": "https://hooks.example/key"})

    assert settings.alarm_webhook_url is not None


def test_a_setting_of_another_use_case_is_absent_not_a_default() -> None:
    """Code that reads what its use case never checked does not pass the type check, and finds nothing."""
    assert "max_fee_wei" not in repr(read_group(IntakeSettings, GOOD))
    assert {"MAX_FEE_GWEI", "RPC_URL", "OPERATOR_PK"}.isdisjoint(settings_of([IntakeSettings]))


def test_everything_that_is_wrong_is_named_at_once() -> None:
    """Missing, malformed and contradictory settings in one error."""
    environ = {
        **GOOD,
        "CHAIN_ID": " ",
        "TOKEN_ADDRESS": "0x1",
        "GAS_LIMIT": "20",
        "MAX_FEE_GWEI": "39",
        "LEDGER_ID": "x",
    }
    del environ["AzureWebJobsStorage"]

    assert named(environ, DistributionSettings) == [
        "CHAIN_ID",
        "TOKEN_ADDRESS",
        "LEDGER_ID",
        "GAS_LIMIT",
        "MAX_FEE_GWEI",
        "AzureWebJobsStorage",
    ]


def test_a_secret_that_could_not_be_resolved_is_named_with_the_rest() -> None:
    """The vault's answer and a wrong number are one error, not two evenings."""
    with pytest.raises(ConfigurationError) as caught:
        read_group(IntakeSettings, {**GOOD, "CHAIN_ID": "zero"}, {"WEBHOOK_SECRET": "is in no vault"})

    assert str(caught.value) == (
        "CHAIN_ID must be a whole number from 1 to 1000000000000000; WEBHOOK_SECRET is in no vault"
    )


def test_a_ws_address_of_a_node_is_never_asked() -> None:
    """It announces blocks; those that are asked keep their order and are all there was before."""
    asked = ("https://one.example/a", "HTTP://127.0.0.1:8545")
    nodes = read_group(NodeSettings, {"RPC_URL": f"wss://one.example/a,{asked[0]}, WS://127.0.0.1:8546 ,{asked[1]}"})
    before = read_group(NodeSettings, {"RPC_URL": ",".join(asked)})

    assert (nodes.rpc_urls, nodes.head_urls) == (asked, ("wss://one.example/a", "WS://127.0.0.1:8546"))
    assert (before.rpc_urls, before.head_urls) == (asked, ())


def test_a_connection_string_that_could_not_be_resolved_is_named() -> None:
    """The storage account's own setting may be a reference too."""
    unresolved = {"AzureWebJobsStorage": "is in no vault"}

    assert [str(one) for one in problems(StorageSettings, GOOD, unresolved)] == ["AzureWebJobsStorage is in no vault"]


@pytest.mark.parametrize(
    ("name", "value", "use"),
    [
        ("RPC_URL", "ftp://user:node-key@one.example", DistributionSettings),
        ("RPC_URL", "wss://user:node-key@one.example/node-key", DistributionSettings),
        ("RPC_URL", "https://one.example:port/node-key", ChainSettings),
        ("OPERATOR_PK", "33" * 31, PayoutSettings),
        ("OPERATOR_PK_RETIRING", "zz" * 32, DistributionSettings),
        ("WEBHOOK_SECRET", "too short", IntakeSettings),
        ("WEBHOOK_SECRET", " begins with a blank", IntakeSettings),
        ("WEBHOOK_SECRET", "not text \udcff\udcfe\udcfd\udcfc", IntakeSettings),
        ("ALARM_WEBHOOK_URL", "http://hooks.example/services/T0/B0/key", AlarmSettings),
        ("AzureWebJobsStorage", "AccountKey", StatusSettings),
    ],
)
def test_an_error_never_repeats_a_value(name: str, value: str, use: type[SettingsGroup]) -> None:
    """The error goes into logs; the value may be a secret."""
    text = sentence(use, **{name: value})

    assert name in text
    assert value not in text
    assert value.strip() not in text


def test_a_setting_never_shows_a_secret_by_itself() -> None:
    """Keys, shared secrets and node URLs, which carry keys, stay out of repr."""
    secrets = {
        **GOOD,
        "OPERATOR_PK_RETIRING": OTHER_KEY,
        "ALARM_WEBHOOK_URL": "https://hooks.example/hook-key",
    }
    shown = "".join(repr(read_group(use, secrets)) for use in ALL)

    for value in (KEY[2:], OTHER_KEY, GOOD["WEBHOOK_SECRET"], "node-key", "hook-key", "UseDevelopmentStorage"):
        assert value not in shown


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("OPERATOR_PK", DistributionSettings),
        ("OPERATOR_PK_RETIRING", DistributionSettings),
        ("RPC_URL", DistributionSettings),
        ("ALARM_WEBHOOK_URL", AlarmSettings),
    ],
)
def test_a_reference_that_stayed_a_reference_is_no_secret(name: str, use: type[SettingsGroup]) -> None:
    """Where the platform could not resolve a reference its text arrives; it must not pass for the secret."""
    text = sentence(use, **{name: "@Microsoft.KeyVault(VaultName=ballx;SecretName=anything)"})

    assert text == f"{name} is a Key Vault reference that was not resolved"


def test_an_unresolved_reference_never_verifies_a_webhook() -> None:
    """Its text is public knowledge; as a secret anybody could sign with it."""
    text = sentence(IntakeSettings, WEBHOOK_SECRET="@Microsoft.KeyVault(VaultName=ballx;SecretName=WEBHOOK-SECRET)")

    assert text == "WEBHOOK_SECRET is a Key Vault reference that was not resolved"


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("CHAIN_ID", "0x89", "a whole number"),
        ("RPC_URL", ",", "separated by commas"),
        ("RPC_URL", "https://one.example,https://one.example", "names a node twice"),
        ("RPC_URL", "one.example", "separated by commas"),
        ("RPC_URL", "https://one.example,ftp://one.example", "separated by commas"),
        ("RPC_URL", "wss://one.example,ws://two.example", "names no http(s) URL"),
        ("RPC_URL", "https://one.example,wss://one.example/a,wss://one.example/a", "names a node twice"),
        ("OPERATOR_PK", "0" * 64, "not a private key"),
        ("OPERATOR_PK", "f" * 64, "not a private key"),
        ("TOKEN_ADDRESS", "0x" + "0" * 40, "zero address"),
        ("TOKEN_ADDRESS", "0xFb6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "checksum"),
        ("TOKEN_ADDRESS", GOOD["AUTHORITY_ADDRESS"], "three addresses"),
        ("TOKEN_DECIMALS", "37", "from 0 to 36"),
        ("KEYVAULT_URI", "https://vault.example", "not the URL of a vault"),
        ("BALLX_USE_KV", "maybe", "1 or 0"),
        ("GAS_LIMIT", "-1", "a whole number"),
        ("GAS_LIMIT", "\u0663\u0660\u0660\u0660\u0660\u0660", "a whole number"),
        ("MAX_FEE_GWEI", "1e3", "a price in gwei"),
        ("MAX_FEE_GWEI", "60.0000000001", "more than 9 decimals"),
        ("MAX_FEE_GWEI", "20000", "below 5 POL"),
        ("MAX_PRIORITY_FEE_GWEI", "29", "below MIN_PRIORITY_FEE_GWEI"),
        ("MAX_PRIORITY_FEE_GWEI", "61", "MAX_FEE_GWEI must not be below"),
        ("MIN_PRIORITY_FEE_GWEI", "24.9", "at least 25"),
        ("OPERATOR_PK_RETIRING", KEY[2:].upper(), "another key"),
        ("FINALITY", "depth:0", "tag"),
        ("FINALITY", "latest", "tag"),
        ("MIN_CONFIRMATIONS", "0", "from 1"),
        ("MAX_IN_FLIGHT", "17", "from 1 to 16"),
        ("MAX_ORDERS_PER_TRANSACTION", "31", "from 1 to 30"),
        ("BLOCK_TIME_S", "0", "more than 0"),
        ("BLOCK_TIME_S", "inf", "more than 0"),
        ("RESUBMIT_AFTER_S", "86401", "at most 86400"),
        ("MAX_ATTEMPTS", "0", "from 1 to 100"),
        ("LEDGER_CONNECTION", "UseDevelopmentStorage=true", "not a connection string"),
        ("LEDGER_TABLE", "1st", "3 to 63"),
        ("LEDGER_ID", "mine", "32 hex digits"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_accepted(name: str, value: str, wrong: str) -> None:
    """Each sentence says what to write instead."""
    assert wrong in sentence(DistributionSettings, **{name: value})


@pytest.mark.parametrize(
    ("group", "name", "value", "wrong"),
    [
        (AlarmSettings, "ALARM_WEBHOOK_URL", "hooks.example", "https"),
        (LogSettings, "LOG_LEVEL", "loud", "DEBUG"),
    ],
)
def test_a_wrong_target_or_log_level_is_named_and_stops_no_payout(
    group: type[SettingsGroup], name: str, value: str, wrong: str
) -> None:
    """Where alarms go and how much is logged is no reason to keep customers waiting."""
    assert wrong in sentence(group, **{name: value})
    assert problems(DistributionSettings, {**GOOD, name: value}) == []


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("LOW_RESERVE_TOKENS", "-1", "an amount of tokens"),
        ("LOW_ALLOWANCE_TOKENS", "NaN", "an amount of tokens"),
        ("LOW_RESERVE_TOKENS", "0.001", "more decimals than the token"),
    ],
)
def test_a_threshold_is_an_amount_the_token_can_count(name: str, value: str, wrong: str) -> None:
    """A threshold that cannot be compared is refused, not rounded."""
    assert wrong in sentence(MonitorSettings, **{name: value, "TOKEN_DECIMALS": "2"})


@pytest.mark.parametrize(
    ("group", "name", "value", "field", "expected"),
    [
        (SigningSettings, "OPERATOR_PK", OTHER_KEY.upper() + "\n", "operator_pk", "0x" + OTHER_KEY),
        (
            NodeSettings,
            "RPC_URL",
            "https://a.example ,\thttps://b.example,",
            "urls",
            ("https://a.example", "https://b.example"),
        ),
        (SettlementSettings, "FINALITY", "depth:640", "finality_depth", 640),
        (FeeSettings, "MAX_FEE_GWEI", "60.5", "max_fee_wei", 60_500_000_000),
        (SettlementSettings, "REPLACE_AFTER_S", "0.5", "replace_after_ms", 500),
        (LogSettings, "LOG_LEVEL", "debug", "log_level", "DEBUG"),
        (VaultSettings, "BALLX_USE_KV", "False", "use_keyvault", False),
        (
            VaultSettings,
            "KEYVAULT_URI",
            "https://Ballx.vault.azure.net/",
            "keyvault_uri",
            "https://ballx.vault.azure.net",
        ),
        (ContractSettings, "LEDGER_ID", "0af" + "0" * 29, "ledger_id", "0af" + "0" * 29),
        (AlarmSettings, "ALARM_WEBHOOK_URL", "http://127.0.0.1:9/hook", "alarm_webhook_url", "http://127.0.0.1:9/hook"),
        (LaneSettings, "MAX_IN_FLIGHT", "", "max_in_flight", 16),
    ],
)
def test_a_value_is_read_in_the_forms_people_write(
    group: type[SettingsGroup], name: str, value: str, field: str, expected: object
) -> None:
    """Spaces, case, prefixes and trailing newlines are no reason to fail; blank means the default."""
    found = getattr(read_group(group, {**GOOD, name: value}), field)

    assert (found.get_secret_value() if hasattr(found, "get_secret_value") else found) == expected


@pytest.mark.parametrize("name", ["MAX_ORDER_TOKENS", "MAX_DAILY_TOKENS", "MAX_DAILY_WALLET_TOKENS"])
def test_a_cap_is_an_amount_the_token_can_count(name: str) -> None:
    """Never rounded, and never a word that might mean no cap."""
    assert "an amount of tokens" in sentence(IntakeSettings, **{name: "none"})
    assert f"{name} has more decimals than the token" in sentence(
        IntakeSettings, **{name: "0.001", "TOKEN_DECIMALS": "2"}
    )


@pytest.mark.parametrize("use", [IntakeSettings, DistributionSettings])
def test_caps_are_off_until_they_are_set(use: type[IntakeSettings | DistributionSettings]) -> None:
    """Intake and distribution keep the same ones."""
    assert read_group(use, GOOD).caps.caps == NO_CAPS
    assert read_group(use, {**GOOD, "MAX_DAILY_TOKENS": "2"}).caps.caps == Caps(day_units=TokenUnits(2 * 10**18))


def test_thresholds_are_compared_in_the_tokens_smallest_units() -> None:
    """The model hands out units; tokens are for people."""
    settings = read_group(
        MonitorSettings, {**GOOD, "LOW_RESERVE_TOKENS": "1000", "LOW_ALLOWANCE_TOKENS": "0.5"}
    ).thresholds

    assert (settings.low_reserve_units, settings.low_allowance_units) == (1000 * 10**18, 5 * 10**17)


def test_a_local_chain_may_have_any_tip() -> None:
    """The floor of 25 gwei is Polygon's, not everybody's."""
    local = {**GOOD, "CHAIN_ID": "31337", "MIN_PRIORITY_FEE_GWEI": "1"}

    assert read_group(DistributionSettings, local).payout.fees.min_tip_wei == 10**9


def test_the_vault_is_asked_only_for_the_secrets_of_the_use_case() -> None:
    """The webhook never reads the operator's key."""
    assert secrets_of(IntakeSettings, GOOD) == ["WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS"]
    assert secrets_of(ChainSettings, GOOD) == ["RPC_URL"]
    assert secrets_of(StatusSettings, GOOD) == []


def test_every_setting_says_what_it_means() -> None:
    """The README's table and the checks are made of this."""
    assert all(one.meaning for one in about().values())
    assert {name for name, one in about().items() if one.default is None} == set(GOOD) - {
        "AzureWebJobsStorage",
        "OPERATOR_PK",
        "WEBHOOK_SECRET",
    }


def test_every_default_is_one_the_checks_accept() -> None:
    """A default written out in the settings means what leaving it out means."""
    written = {**GOOD, **{name: one.default for name, one in about().items() if one.default}}

    assert [problems(use, written, {}) for use in ALL] == [[]] * len(ALL)


KEY_ID = "https://ballx.vault.azure.net/keys/operator/0123456789abcdef"


def test_the_operator_is_a_key_or_a_vaults_key() -> None:
    """A key in a vault takes the place of the private key, which then must not be set."""
    settings = read_group(SigningSettings, {**GOOD, "OPERATOR_PK": "", "OPERATOR_KEY_ID": KEY_ID})

    assert settings.operator_pk is None
    assert settings.operator_key == VaultItem(
        vault_url="https://ballx.vault.azure.net", name="operator", version="0123456789abcdef"
    )


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"OPERATOR_PK__B": "nonsense"}, "OPERATOR_PK__B is not a private key"),
        ({"OPERATOR_PK__b": OTHER_KEY}, "OPERATOR_PK__b must end in the name of a lane"),
        ({"OPERATOR_KEY_ID__B": "nonsense"}, "OPERATOR_KEY_ID__B is not the identifier"),
    ],
)
def test_a_further_lanes_wrong_key_is_reported_and_the_others_are_read(changed: dict[str, str], wrong: str) -> None:
    """One person's mistake about one operator stops no other one."""
    given = {**GOOD, **changed, "OPERATOR_PK__C": "33" * 32}

    assert [str(problem)[: len(wrong)] for problem in problems(SigningSettings, given, {})] == [wrong]
    assert list(read_group(SigningSettings, given).lanes) == ["c"]


def test_each_further_lane_has_a_key_of_its_own() -> None:
    """Named as the shops are; by a private key, or by one inside Key Vault."""
    settings = read_group(SigningSettings, {**GOOD, "OPERATOR_PK__B": OTHER_KEY, "OPERATOR_KEY_ID__LANE_C": KEY_ID})

    private, in_vault = settings.lanes["b"], settings.lanes["lane-c"]
    assert private[0] is not None
    assert (private[0].get_secret_value(), private[1]) == ("0x" + OTHER_KEY, None)
    assert (in_vault[0], in_vault[1] and in_vault[1].name) == (None, "operator")


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"OPERATOR_PK": ""}, "OPERATOR_PK or OPERATOR_KEY_ID must be set"),
        ({"OPERATOR_KEY_ID": KEY_ID}, "OPERATOR_PK or OPERATOR_KEY_ID must be set, and not both"),
        (
            {"OPERATOR_KEY_ID": "https://ballx.vault.azure.net/secrets/operator"},
            "OPERATOR_KEY_ID is not the identifier",
        ),
        ({"OPERATOR_PK": "", "OPERATOR_KEY_ID": KEY_ID, "BALLX_USE_KV": "0"}, "OPERATOR_KEY_ID is a key in a vault"),
        ({"OPERATOR_KEY_ID_RETIRING": KEY_ID, "BALLX_USE_KV": "0"}, "OPERATOR_KEY_ID_RETIRING is a key in a vault"),
        (
            {"OPERATOR_PK": "", "OPERATOR_KEY_ID": KEY_ID, "OPERATOR_KEY_ID_RETIRING": KEY_ID},
            "OPERATOR_KEY_ID_RETIRING must be another key",
        ),
        ({"OPERATOR_PK__B": KEY}, "OPERATOR_PK__B must be another key than OPERATOR_PK"),
        (
            {"OPERATOR_PK__B": OTHER_KEY, "OPERATOR_PK__C": OTHER_KEY},
            "OPERATOR_PK__C must be another key than OPERATOR_PK__B",
        ),
        (
            {"OPERATOR_PK__B": OTHER_KEY, "OPERATOR_PK_RETIRING": OTHER_KEY},
            "OPERATOR_PK__B must be another key than OPERATOR_PK_RETIRING",
        ),
        (
            {"OPERATOR_KEY_ID__B": KEY_ID, "OPERATOR_KEY_ID__C": KEY_ID},
            "OPERATOR_KEY_ID__C must be another key than OPERATOR_KEY_ID__B",
        ),
        (
            {"OPERATOR_PK__B": OTHER_KEY, "OPERATOR_KEY_ID__B": KEY_ID},
            "OPERATOR_KEY_ID__B and OPERATOR_PK__B must not both be set",
        ),
        ({"OPERATOR_KEY_ID__B": KEY_ID, "BALLX_USE_KV": "0"}, "OPERATOR_KEY_ID__B is a key in a vault"),
        ({"OPERATOR_PK": "", "OPERATOR_PK__B": OTHER_KEY}, "OPERATOR_PK or OPERATOR_KEY_ID must be set"),
        (
            {"OPERATOR_PK_RETIRING": OTHER_KEY, "OPERATOR_KEY_ID_RETIRING": KEY_ID},
            "OPERATOR_PK_RETIRING and OPERATOR_KEY_ID_RETIRING must not both be set",
        ),
    ],
)
def test_an_operator_has_exactly_one_key(changed: dict[str, str], wrong: str) -> None:
    """Two would leave open who pays; a vault's needs a vault that may be asked."""
    assert wrong in sentence(DistributionSettings, **changed)
