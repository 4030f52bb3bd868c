"""Pages by key: all of the list, once, in order, whatever ties there are; only with cursors of our own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from hitl_site.lib.pagination import InvalidCursor, Page, page

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ORDER = ("date_joined", "id")
pytestmark = pytest.mark.django_db


def make_people(minutes: Sequence[int]) -> None:
    User.objects.bulk_create(
        User(username=f"person-{number}", date_joined=NOON + timedelta(minutes=minute))
        for number, minute in enumerate(minutes)
    )


def people() -> QuerySet[User]:
    return User.objects.filter(username__startswith="person-")


def turn(cursor: str | None = None, *, limit: int = 3, order_by: Sequence[str] = ORDER) -> Page[User]:
    return page(people(), order_by=order_by, limit=limit, scope="people", cursor=cursor)


def walk(*, limit: int, order_by: Sequence[str]) -> list[Page[User]]:
    pages = [turn(limit=limit, order_by=order_by)]
    while pages[-1].next_cursor:
        pages.append(turn(pages[-1].next_cursor, limit=limit, order_by=order_by))
    return pages


# Many ties, one value for all, every value different, and a list that ends with a page.
SHAPES = [[0, 0, 0, 1, 1, 2, 2, 2, 2, 3], [5] * 7, list(range(8, 0, -1)), [1, 2, 3, 1, 2, 3], [1], []]


@pytest.mark.parametrize("order_by", [ORDER, ("-date_joined", "-id"), ("-id",)])
@pytest.mark.parametrize("minutes", SHAPES)
def test_the_pages_together_are_the_list(minutes: list[int], order_by: Sequence[str]) -> None:
    make_people(minutes)
    whole = list(people().order_by(*order_by))
    for limit in (1, 2, 3, 100):
        pages = walk(limit=limit, order_by=order_by)
        assert [person for each in pages for person in each.items] == whole
        assert all(len(each.items) == limit for each in pages[:-1])
        assert pages[0].previous_cursor is None
        assert pages[-1].next_cursor is None


@pytest.mark.parametrize("order_by", [ORDER, ("-date_joined", "-id")])
@pytest.mark.parametrize("minutes", [shape for shape in SHAPES if len(shape) > 4])
def test_going_back_shows_the_same_pages(minutes: list[int], order_by: Sequence[str]) -> None:
    make_people(minutes)
    forth = walk(limit=2, order_by=order_by)
    back = forth[-1]
    for expected in reversed(forth[:-1]):
        assert back.previous_cursor is not None
        back = turn(back.previous_cursor, limit=2, order_by=order_by)
        assert back.items == expected.items
        assert back.next_cursor == expected.next_cursor
    assert back.previous_cursor is None


def test_rows_that_come_or_go_meanwhile_shift_nothing() -> None:
    make_people([1, 2, 3, 4, 5, 6])
    first = turn(limit=2)
    first.items[0].delete()
    User.objects.create(username="person-early", date_joined=NOON)
    second = turn(first.next_cursor, limit=2)
    assert [person.username for person in second.items] == ["person-2", "person-3"]


def test_a_page_whose_rows_have_gone_is_empty_and_has_no_cursors() -> None:
    make_people([1, 2, 3])
    first = turn(limit=2)
    people().filter(username="person-2").delete()
    assert turn(first.next_cursor, limit=2) == Page((), None, None)


def test_a_page_is_one_query_with_a_row_comparison() -> None:
    make_people([1, 1, 1, 2])
    cursor = turn(limit=2).next_cursor
    with CaptureQueriesContext(
        connection,
    ) as queries:
        turn(cursor, limit=2)
    assert len(queries) == 1
    sql = queries[0]["sql"]
    assert '("auth_user"."date_joined", "auth_user"."id") > (' in sql
    assert "LIMIT 3" in sql


def test_the_row_comparison_is_answered_by_an_index() -> None:
    make_people([1, 1, 1, 2])
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX people_by_date ON auth_user (date_joined, id)")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    place = turn(limit=2).next_cursor
    with CaptureQueriesContext(connection) as queries:
        turn(place, limit=2)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + queries[0]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Cond: (ROW(date_joined, id) > ROW(" in plan


def test_a_cursor_that_is_not_ours_is_refused() -> None:
    make_people([1, 2, 3, 4])
    good = turn(limit=2).next_cursor
    assert good is not None
    content, _, signature = good.rpartition(".")
    for bad in (
        "x",
        ".",
        good[:-1],
        good + "x",
        good[1:],
        f"{content}.",
        f".{signature}",
        f"{content}A.{signature}",
        "é" + good,
        "\x00",
        "a" * 5000,
    ):
        with pytest.raises(InvalidCursor):
            turn(bad)


def test_a_cursor_is_good_for_one_list_and_one_order() -> None:
    make_people([1, 2, 3, 4])
    good = turn(limit=2).next_cursor
    with pytest.raises(InvalidCursor):
        page(people(), order_by=ORDER, limit=2, scope="people?queue=2", cursor=good)
    with pytest.raises(InvalidCursor):
        turn(good, order_by=("-date_joined", "-id"))
    with pytest.raises(InvalidCursor):
        turn(good, order_by=("id",))


def test_an_empty_cursor_is_the_first_page() -> None:
    make_people([1, 2])
    assert turn("") == turn(None)


@pytest.mark.parametrize(
    "order_by", [(), ("date_joined", "-id"), ("nothing",), ("last_login", "id"), ("groups",)]
)
def test_an_order_that_cannot_be_paged_is_a_programming_error(order_by: Sequence[str]) -> None:
    with pytest.raises(ValueError, match=r"order_by|no field"):
        turn(order_by=order_by)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_bounded_size(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        turn(limit=limit)
