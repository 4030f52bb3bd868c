"""Saved views: kept, shared, started with, taken away; and what a person sets for themselves."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.models import Preferences, ReviewItem, SavedView
from reviews.selectors import keys
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, held, make_person

VIEWS = "/inbox/views/"


def save(client: Client, name: str, query: str = "type=refund.issue&order=risk", **more: str) -> str:
    answer = client.post(VIEWS, {"name": name, "query": query, **more})
    assert answer.status_code == 302, answer.status_code
    return str(answer["Location"])


def test_a_view_is_filters_and_order_under_a_name_in_the_side_bar(cast: Cast) -> None:
    item = held(cast)
    alice = browser_of(cast.alice)
    address = save(alice, "  Big   refunds ", "type=refund.issue&order=risk&nonsense=1&why=never&after=x")
    view = SavedView.objects.get()
    assert (view.name, view.query, view.order, view.shared) == (
        "Big refunds",
        "type=refund.issue",
        "risk",
        False,
    )
    assert address == f"/inbox/?type=refund.issue&order=risk&saved={view.public_id}"
    page = text_of(alice.get(address))
    assert "<h1>Big refunds</h1>" in page
    assert item.title in page
    current = re.search(r'<a href="([^"]*)" aria-current="page">', page)
    assert current is not None
    assert current[1].replace("&amp;", "&") == address
    # What is changed of it is not that view any more.
    assert f"saved={view.public_id}" not in re.findall(r'href="(\?[^"]*agent=clerk[^"]*)"', page)[0]
    assert "Big refunds" not in text_of(browser_of(cast.bob).get("/inbox/"))
    entry = LedgerEntry.objects.get(verb="view.saved")
    assert entry.object_id == view.public_id


def _counted(entry: str) -> tuple[str, str]:
    name, _, rest = entry.partition('<span class="count">')
    return name.strip(), rest.removesuffix("</span>")


def counts(client: Client) -> dict[str, str]:
    """Return what stands beside each saved view in the side bar."""
    side = text_of(client.get("/inbox/")).partition('id="side-nav"')[2].partition("</aside>")[0]
    linked = re.findall(r'<a href="[^"]*saved=sav_\w+"[^>]*>(.*?)</a>', side, re.DOTALL)
    shown = [re.sub(r"<svg.*?</svg>", "", each, flags=re.DOTALL) for each in linked]
    return {name: number for name, number in (_counted(each) for each in shown) if number}


def test_each_view_has_beside_it_how_much_its_own_page_would_list(cast: Cast) -> None:
    soon = held(cast)
    held(cast)
    held(cast, action_type="note.add", arguments={"text": "x"}, confidence=0.1)
    ReviewItem.objects.filter(pk=soon.pk).update(due_at=database_now())
    ReviewItem.objects.filter(action_type_name="note.add").update(escalated_to=cast.bob)
    alice = browser_of(cast.alice)
    save(alice, "All refunds", "type=refund.issue")
    save(alice, "By clerk", "q=clerk")
    save(alice, "Due", "due=hour")
    save(alice, "Nobody's", "agent=nobody")
    save(alice, "Nothing found", "q=clerk+and+no-such-word")
    expected = {"All refunds": "2", "By clerk": "2", "Due": "1", "Nobody&#x27;s": "0", "Nothing found": "0"}
    assert counts(alice) == expected
    for view in SavedView.objects.all():
        listed = text_of(alice.get(f"/inbox/?{view.query}&saved={view.public_id}"))
        shown = re.search(r'<b class="num">(\d+)</b> waiting', listed)
        assert shown is not None
        assert expected[html.escape(view.name)] == shown[1]


def test_a_shared_view_counts_for_each_person_what_is_theirs(cast: Cast) -> None:
    held(cast)
    ReviewItem.objects.update(escalated_to=cast.bob)
    save(browser_of(make_person("Lena", "lead")), "Ours", "view=mine", shared="on")
    assert counts(browser_of(cast.alice)) == {"Ours": "0"}
    assert counts(browser_of(cast.bob)) == {"Ours": "1"}


def test_the_counts_of_all_views_are_one_query_and_none_beside_an_item(cast: Cast) -> None:
    item, alice = held(cast), browser_of(cast.alice)

    def queries(address: str) -> list[str]:
        with CaptureQueriesContext(connection) as found:
            assert alice.get(address).status_code == 200
        return [query["sql"] for query in found]

    before = len(queries("/inbox/"))
    for number in range(6):
        save(alice, f"View {number}", f"type=refund.issue&why={['high_risk', 'low_confidence'][number % 2]}")
    asked = queries("/inbox/")
    assert len(asked) == before + 1
    assert ["reading_5" in query for query in asked if "reading_0" in query] == [True]
    save(alice, "One that searches", "q=refund+clerk")
    save(alice, "Another", "q=clerk+SO")
    assert len(queries("/inbox/")) == before + 2
    assert not any("reading_0" in query for query in queries(f"/review/{item.public_id}/"))


def test_the_same_name_again_replaces_the_view(cast: Cast) -> None:
    alice = browser_of(cast.alice)
    save(alice, "Mine")
    save(alice, "Mine", "due=hour")
    assert list(SavedView.objects.values_list("query", "order")) == [("due=hour", "")]


def test_sharing_takes_the_right_and_shows_the_view_to_everybody(cast: Cast) -> None:
    lena = make_person("Lena", "lead")
    alice, lead = browser_of(cast.alice), browser_of(lena)
    assert alice.post(VIEWS, {"name": "All", "query": "", "shared": "on"}).status_code == 403
    assert not SavedView.objects.exists()
    save(lead, "Night shift", shared="on")
    view = SavedView.objects.get()
    assert "Night shift" in text_of(alice.get("/inbox/"))
    for act in ("delete", "change"):
        assert alice.post(f"{VIEWS}{view.public_id}/", {"do": act, "name": "X"}).status_code == 403
    view.refresh_from_db()
    assert view.name == "Night shift"
    other = browser_of(make_person("Lola", "lead"))
    other.post(f"{VIEWS}{view.public_id}/", {"do": "change", "name": "Nights", "shared": "on"})
    view.refresh_from_db()
    assert (view.name, view.shared, view.owner) == ("Nights", True, lena)


def test_a_private_view_is_nobody_elses_to_open_change_or_start_with(cast: Cast) -> None:
    save(browser_of(cast.alice), "Mine")
    view, bob = SavedView.objects.get(), browser_of(make_person("Lena", "lead"))
    for act in ("delete", "change", "start"):
        assert bob.post(f"{VIEWS}{view.public_id}/", {"do": act, "name": "X"}).status_code == 403
    assert "<h1>My turn</h1>" in text_of(bob.get(f"/inbox/?saved={view.public_id}"))
    assert SavedView.objects.get().name == "Mine"


def test_a_person_starts_where_they_chose_to_until_the_view_is_gone(cast: Cast) -> None:
    alice = browser_of(cast.alice)
    address = save(alice, "Mine", "due=hour")
    view = SavedView.objects.get()
    alice.post(f"{VIEWS}{view.public_id}/", {"do": "start"})
    assert alice.get("/")["Location"] == address
    assert "You start here" in text_of(alice.get(VIEWS))
    assert alice.get("/inbox/").status_code == 200
    alice.post(f"{VIEWS}{view.public_id}/", {"do": "delete"})
    assert alice.get("/")["Location"] == "/inbox/"
    assert not SavedView.objects.exists()
    assert LedgerEntry.objects.filter(verb="view.deleted").count() == 1


def test_a_view_that_is_shared_no_more_is_nobodys_start(cast: Cast) -> None:
    lead, alice = browser_of(make_person("Lena", "lead")), browser_of(cast.alice)
    save(lead, "Ours", shared="on")
    url = f"{VIEWS}{SavedView.objects.get().public_id}/"
    alice.post(url, {"do": "start"})
    lead.post(url, {"do": "change", "name": "Ours"})
    assert alice.get("/")["Location"] == "/inbox/"


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_view_without_a_proper_name_is_not_kept_and_nothing_is_lost(cast: Cast, name: str) -> None:
    answer = browser_of(cast.alice).post(VIEWS, {"name": name, "query": "due=hour"})
    assert answer.status_code == 422
    assert 'value="due=hour"' in text_of(answer)
    assert not SavedView.objects.exists()


def test_what_is_set_goes_with_the_person_and_not_with_the_browser(cast: Cast) -> None:
    browser_of(cast.alice).post(
        "/settings/appearance/", {"theme": "dark", "density": "compact", "keys": "off"}
    )
    browser_of(cast.alice).post("/settings/appearance/", {"tz": "Asia/Tokyo"})
    page = text_of(browser_of(cast.alice).get("/inbox/"))
    assert 'data-theme="dark" data-density="compact" data-keys="off"' in page
    assert "Times in Asia/Tokyo." in page
    assert 'data-theme="dark"' not in text_of(browser_of(cast.bob).get("/inbox/"))
    own = Preferences.objects.get()
    assert (own.user, own.theme, own.single_keys, own.time_zone) == (cast.alice, "dark", False, "Asia/Tokyo")


def given_keys(**changes: str) -> dict[str, str]:
    return {f"key-{key.code}": changes.get(key.code, key.code) for key in keys.ALL} | {"single_keys": "on"}


def test_keys_are_given_to_other_acts_and_put_back(cast: Cast) -> None:
    alice = browser_of(cast.alice)
    assert alice.post("/settings/keys/", given_keys(a="Y", j="n", n="j")).status_code == 302
    assert Preferences.objects.get().keys == {"a": "y", "j": "n", "n": "j"}
    page = text_of(alice.get("/inbox/"))
    assert (
        'data-own-keys="{&quot;a&quot;:&quot;y&quot;,&quot;j&quot;:&quot;n&quot;,&quot;n&quot;:&quot;j&quot;}"'
        in page
    )
    alice.post("/settings/keys/", {"reset": "yes"})
    assert "data-own-keys" not in text_of(alice.get("/inbox/"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"a": "c"}, "“C” is given to two acts."),
        ({"a": "?"}, "“Approve” needs one character"),
        ({"a": "7"}, "“Approve” needs one character"),
        ({"a": ""}, "“Approve” needs one character"),
        ({"a": "ab"}, "“Approve” needs one character"),
    ],
)
def test_a_key_that_cannot_be_changes_nothing(cast: Cast, changes: dict[str, str], problem: str) -> None:
    answer = browser_of(cast.alice).post("/settings/keys/", given_keys(**changes))
    assert answer.status_code == 422
    assert problem in text_of(answer)
    assert not Preferences.objects.exists()


def test_the_list_of_places_is_a_page_and_data_and_shows_what_one_may_go_to(cast: Cast) -> None:
    alice = browser_of(cast.alice)
    save(alice, "Mine")
    page = text_of(alice.get("/go/"))
    found = alice.get("/go/", headers={"Accept": "application/json"}).json()["places"]
    labels = [place["label"] for place in found]
    assert {"My turn", "Mine", "Keys", "Appearance and time zone"} <= set(labels)
    assert "Policies" not in labels
    assert all(f'href="{place["url"].replace("&", "&amp;")}"' in page for place in found)
    assert Client().get("/go/").status_code == 302
