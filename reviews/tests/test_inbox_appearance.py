"""Theme, rows, keys and time zone: kept in cookies, and a way back that never leaves the site."""

from __future__ import annotations

from http.cookies import Morsel

import pytest

from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast

URL = "/settings/appearance/"


@pytest.mark.parametrize(
    ("field", "value", "cookie", "mark"),
    [
        ("theme", "dark", "handrail-theme", 'data-theme="dark"'),
        ("density", "compact", "handrail-density", 'data-density="compact"'),
        ("keys", "off", "handrail-keys", 'data-keys="off"'),
        ("tz", "Asia/Kolkata", "handrail-tz", "Times in Asia/Kolkata"),
    ],
)
def test_a_choice_is_kept_and_shapes_the_next_page(
    cast: Cast, field: str, value: str, cookie: str, mark: str
) -> None:
    browser = browser_of(cast.alice)
    assert mark not in text_of(browser.get("/inbox/"))
    response = browser.post(URL, {field: value, "next": "/inbox/?q=x"})
    assert response["Location"] == "/inbox/?q=x"
    kept: Morsel[str] = response.cookies[cookie]
    assert (kept.value, kept["samesite"], kept["max-age"]) == (value, "Lax", 365 * 86_400)
    assert bool(kept["httponly"]) is (field != "tz")  # zone.js must see that somebody chose
    assert mark in text_of(browser.get("/inbox/"))


@pytest.mark.parametrize(
    "given", [{"theme": "pink"}, {"density": ""}, {"keys": "ON"}, {"theme": "dark\r\nSet-Cookie: a=b"}, {}]
)
def test_nonsense_changes_nothing(cast: Cast, given: dict[str, str]) -> None:
    response = browser_of(cast.alice).post(URL, given)
    assert response["Location"] == "/"
    assert [name for name in response.cookies if name.startswith("handrail-t")] == []


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe/Berlin\x00", "x" * 5000])
def test_a_zone_that_is_none_is_refused_in_words(cast: Cast, zone: str) -> None:
    response = browser_of(cast.alice).post(URL, {"tz": zone, "theme": "dark"})
    assert response.status_code == 422
    assert "There is no such time zone." in text_of(response)
    assert "handrail-tz" not in response.cookies
    assert "handrail-theme" not in response.cookies


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:///evil.example",
        "",
    ],
)
def test_the_way_back_stays_on_the_site(cast: Cast, target: str) -> None:
    assert browser_of(cast.alice).post(URL, {"theme": "dark", "next": target})["Location"] == "/"
