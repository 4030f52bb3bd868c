"""Freeze windows: instants, weekly times, nights, and days on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.engine.evaluation import evaluate
from policies.engine.facts import Verdict
from policies.engine.freezing import WEEKDAYS, FreezeWindow
from policies.tests.engine_facts import facts, policy

BERLIN = ZoneInfo("Europe/Berlin")
CHRISTMAS = FreezeWindow(
    title="Christmas", starts="2026-12-24T18:00:00+01:00", ends="2026-12-27T08:00:00+01:00"
)
NIGHTS = FreezeWindow(
    title="Nights", starts="18:00", ends="08:00", weekdays=("mon", "fri"), zone="Europe/Berlin"
)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-12-24T17:59:59.999999", False),
        ("2026-12-24T18:00:00", True),
        ("2026-12-27T07:59:59", True),
        ("2026-12-27T08:00:00", False),
    ],
)
def test_a_window_holds_from_its_start_up_to_its_end(now: str, frozen: bool) -> None:
    assert CHRISTMAS.covers(berlin(now)) is frozen
    assert CHRISTMAS.covers(berlin(now).astimezone(UTC)) is frozen


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-06-01T17:59:59", False),  # a Monday
        ("2026-06-01T18:00:00", True),
        ("2026-06-02T07:59:59", True),
        ("2026-06-02T08:00:00", False),
        ("2026-06-02T18:00:00", False),
        ("2026-06-05T23:59:59", True),  # a Friday
        ("2026-06-06T00:00:00", True),
        ("2026-06-06T08:00:00", False),
        ("2026-06-01T00:00:00", False),  # Sunday's night is not Monday's
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(now: str, frozen: bool) -> None:
    assert NIGHTS.covers(berlin(now)) is frozen


def test_a_window_that_ends_when_it_begins_lasts_a_day() -> None:
    whole = FreezeWindow(title="Sundays", starts="00:00", ends="00:00", weekdays=("sun",), zone="UTC")
    sunday = datetime(2026, 6, 7, tzinfo=UTC)
    assert [whole.covers(sunday + timedelta(hours=hours)) for hours in (-1, 0, 23, 24)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        # The night of 29 March has no half past two: the hour before and the hour after are frozen.
        ("2026-03-29T00:29:59+00:00", False),
        ("2026-03-29T00:30:00+00:00", True),
        ("2026-03-29T01:44:59+00:00", True),
        ("2026-03-29T01:45:00+00:00", False),
        # The night of 25 October has it twice: frozen from the first to the end of the second.
        ("2026-10-25T00:29:59+00:00", False),
        ("2026-10-25T00:30:00+00:00", True),
        ("2026-10-25T01:00:00+00:00", True),
        ("2026-10-25T01:44:59+00:00", True),
        ("2026-10-25T01:45:00+00:00", False),
    ],
)
def test_where_the_clock_changes_a_window_holds_longer_rather_than_shorter(now: str, frozen: bool) -> None:
    window = FreezeWindow(
        title="Backup", starts="02:30", ends="02:45", weekdays=("sun",), zone="Europe/Berlin"
    )
    assert window.covers(datetime.fromisoformat(now)) is frozen


clocks = st.times().map(lambda each: each.replace(second=0, microsecond=0))
windows = st.builds(
    lambda starts, ends, weekdays, zone: FreezeWindow(
        title="Some", starts=f"{starts:%H:%M}", ends=f"{ends:%H:%M}", weekdays=tuple(weekdays), zone=zone
    ),
    clocks,
    clocks,
    st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True),
    st.sampled_from(ZONES),
)
# Around the days on which some of the zones change their clocks.
moments = st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 7)) | st.datetimes(
    datetime(2018, 11, 2), datetime(2018, 11, 6)
)


def by_the_wall_clock(window: FreezeWindow, now: datetime) -> bool:
    """Say whether the window holds as a clock on the wall reads, with no thought of a change."""
    local = now.astimezone(ZoneInfo(window.zone))
    starts, ends, reading = time.fromisoformat(window.starts), time.fromisoformat(window.ends), local.time()
    today = WEEKDAYS[local.weekday()] in window.weekdays
    yesterday = WEEKDAYS[local.weekday() - 1] in window.weekdays
    if starts < ends:
        return today and starts <= reading < ends
    return (today and reading >= starts) or (yesterday and reading < ends)


@given(window=windows, moment=moments)
@example(
    window=FreezeWindow(title="x", starts="23:30", ends="00:30", weekdays=("sun",), zone="America/Sao_Paulo"),
    moment=datetime(2018, 11, 4, 3, 10),
)
def test_what_the_wall_clock_freezes_is_frozen_and_little_more(
    window: FreezeWindow, moment: datetime
) -> None:
    now = moment.replace(tzinfo=UTC)
    frozen = window.covers(now)

    if by_the_wall_clock(window, now):
        assert frozen
    elif frozen:
        # Only near a change: within the hour the clock moves by, and the length of the window itself.
        zone = ZoneInfo(window.zone)
        offsets = {(now + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-27, 28)}
        assert len(offsets) > 1


@given(window=windows, day=st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_every_beginning_is_frozen_on_its_days(window: FreezeWindow, day: date) -> None:
    begins = datetime.combine(day, time.fromisoformat(window.starts), tzinfo=ZoneInfo(window.zone))
    if WEEKDAYS[day.weekday()] in window.weekdays:
        assert window.covers(begins)


def test_a_frozen_action_is_held_or_refused_as_the_window_says() -> None:
    during, after = berlin("2026-12-25T12:00:00"), berlin("2026-12-28T12:00:00")
    frozen = policy(freeze_windows=(CHRISTMAS,))
    held = evaluate(facts(policy=frozen, now=during))
    assert (held.verdict, [reason.code for reason in held.reasons]) == (Verdict.REVIEW, ["freeze_window"])
    assert (held.reasons[0].title, held.reasons[0].detail) == (
        "Freeze: Christmas",
        "Policy version 7 freezes this action type now; what comes in goes to a person.",
    )
    assert evaluate(facts(policy=frozen, now=after)).verdict is Verdict.ALLOW

    closed = FreezeWindow(title="Closed", starts=CHRISTMAS.starts, ends=CHRISTMAS.ends, then=Verdict.DENY)
    denied = evaluate(facts(policy=policy(freeze_windows=(CHRISTMAS, closed)), now=during))
    assert [(reason.title, reason.strictness) for reason in denied.reasons] == [
        ("Freeze: Closed", Verdict.DENY),
        ("Freeze: Christmas", Verdict.REVIEW),
    ]


def test_a_window_that_cannot_be_compared_with_the_time_holds() -> None:
    frozen = policy(freeze_windows=(CHRISTMAS,))
    for now in (None, datetime(2026, 12, 28, 12), "2026-12-28", 7):
        found = evaluate(facts(policy=frozen, now=now))
        assert (found.verdict, [reason.code for reason in found.reasons]) == (
            Verdict.REVIEW,
            ["freeze_window"],
        )
