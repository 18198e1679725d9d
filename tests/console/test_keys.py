"""The page of keys in a browser: a key is revoked in a dialog, and the way out leaves it as it was."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from operations.key_file import list_keys, new_key
from tests.console.conftest import Site, window
from tests.console.test_browser import findings


def test_a_key_is_revoked_in_a_dialog_by_keyboard(chromium: Browser, site: Site) -> None:
    keys = [new_key(site.settings.api.keys_file, "viewer", f"tablet {number}")[0] for number in range(2)]
    with window(chromium, site, "admin") as found:
        page = found.open("/console/keys")
        link = page.get_by_role("link", name=f"Revoke… tablet 1 {keys[1].id}")
        link.press("Enter")
        dialog = page.get_by_role("dialog", name="Revoke the key of tablet 1?")
        expect(dialog).to_contain_text(keys[1].id)
        assert findings(page) == []
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(link).to_be_focused()
        link.press("Enter")
        dialog.get_by_role("button", name="Keep it").press("Enter")
        expect(dialog).to_be_hidden()
        assert page.url.endswith("/console/keys")
        link.press("Enter")
        dialog.get_by_role("button", name="Revoke").press("Enter")
        expect(page.locator("#said")).to_have_text("Key of tablet 1 revoked")
        expect(link).to_have_count(0)
        expect(page.get_by_role("link", name=f"Revoke… tablet 0 {keys[0].id}")).to_be_visible()
        assert found.said == []


def test_a_key_is_made_once_and_copied(chromium: Browser, site: Site) -> None:
    """Loading the page again makes no other key."""

    def made() -> int:
        return sum(key.note == "wall screen" for key in list_keys(site.settings.api.keys_file))

    with window(chromium, site, "admin", permissions=["clipboard-read", "clipboard-write"]) as found:
        page = found.open("/console/keys")
        page.fill("#for", "wall screen")
        page.press("#for", "Enter")
        expect(page.locator("#fresh")).to_have_text("Key for “wall screen” made")
        key = page.locator("#newkey").inner_text()
        button = page.locator("[data-copy=newkey]")
        button.press("Enter")
        expect(button).to_have_text("Copied")
        expect(page.locator("#say")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == key
        page.reload()
        expect(page.locator("h1")).to_have_text("Keys")
        expect(page.locator("#newkey")).to_have_count(0)
        assert made() == 1
