"""The settings page, used as its owner uses it: through a browser's forms."""

from __future__ import annotations

import pytest

from devstack.stack import FUNCTION_KEY
from devstack.wordpress.shop import Shop
from tests.wordpress.admin import Administrator
from tests.wordpress.conftest import Distributor

PAGE = "/wp-admin/admin.php?page=ballx-settings"
FORM = 'form[action$="options.php"]'
SECRET = "a-secret-nobody-sees-again"


def test_settings_are_saved_by_the_form_and_secrets_never_shown(
    shop: Shop, distributor: Distributor, administrator: Administrator
) -> None:
    """An empty secret field keeps the secret; what is stored is nowhere in the page."""
    administrator.open(PAGE)
    filled = {"ballx_webhook_url": distributor.url, "ballx_webhook_secret": SECRET, "ballx_rate": "0.5"}
    saved = administrator.send(FORM, filled)
    again = administrator.send(FORM, {"ballx_reason": "Pedido {order} ç"})

    assert "Settings saved." in saved.text
    assert shop.option("ballx_webhook_secret") == SECRET
    assert (shop.option("ballx_rate"), shop.option("ballx_reason")) == ("0.5", "Pedido {order} ç")
    for page in (saved, again):
        assert distributor.url in page.html
        assert SECRET not in page.html
        assert FUNCTION_KEY not in page.html


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("ballx_webhook_url", "https://example.com/", "The webhook address must end with /webhook"),
        ("ballx_webhook_url", "ftp://example.com/webhook", "The webhook address must begin with https://."),
        ("ballx_webhook_secret", "short", "The secret must have at least 16 characters."),
        ("ballx_rate", "0,5", "Tokens per currency unit must be a number above 0"),
        ("ballx_rate", "0.0", "Tokens per currency unit must be a number above 0"),
        ("ballx_webhook_secret", '"quoted-secret-of-16"', "The secret is wrapped in quotes."),
        ("ballx_explorer_url", "http://example.com", "The block explorer must begin with https://."),
    ],
)
def test_a_wrong_setting_is_refused_in_words_and_the_old_one_kept(
    shop: Shop, administrator: Administrator, field: str, value: str, sentence: str
) -> None:
    """One sentence that says what to do."""
    before = shop.option(field)
    administrator.open(PAGE)
    page = administrator.send(FORM, {field: value})

    assert sentence in page.text
    assert shop.option(field) == before


def test_without_the_nonce_nothing_is_saved(shop: Shop, administrator: Administrator) -> None:
    """A form on another site cannot change where tokens are asked for."""
    before = shop.option("ballx_webhook_url")
    administrator.open(PAGE)
    page = administrator.send(FORM, {"_wpnonce": "0123456789", "ballx_webhook_url": "https://example.com/webhook"})

    assert page.status == 403
    assert shop.option("ballx_webhook_url") == before


def test_a_subscriber_sees_neither_settings_nor_deliveries(shop: Shop) -> None:
    """And cannot press a button either."""
    shop.site.evaluate(
        "wp_insert_user( array( 'user_login' => 'guest', 'user_pass' => 'g', 'role' => 'subscriber' ) );"
    )
    with Administrator(shop.site.url, "g", user="guest") as guest:
        assert guest.open(PAGE).status == 403
        assert guest.open("/wp-admin/admin.php?page=ballx-deliveries").status == 403
        assert guest.post("/wp-admin/admin-post.php", {"action": "ballx_test", "id": "0"}).status == 403


def test_the_test_button_says_that_everything_fits(
    shop: Shop, distributor: Distributor, administrator: Administrator
) -> None:
    """Address and secret are tried without an order; nothing is stored anywhere."""
    paid = len(distributor.chain.payouts())
    distributor.sweep()
    text = administrator.press(PAGE, "ballx_test").text

    assert "The webhook answers and the secret fits." in text
    assert "The distributor is ready to pay." in text
    assert "The shop learns what was paid." in text
    assert (shop.deliveries(), len(distributor.chain.payouts())) == ([], paid)


def test_the_test_button_says_what_does_not_fit(shop: Shop, administrator: Administrator) -> None:
    """With the distributor's code and the number of the request, for the reader of its log."""
    shop.set({"ballx_webhook_secret": "another-secret-of-16"})
    text = administrator.press(PAGE, "ballx_test").text

    assert "The webhook answers, but the secret does not fit." in text
    assert "X-Error-Code: bad_signature, X-Request-Id: " in text
    assert "The shop does not learn what was paid; orders are paid all the same." in text
