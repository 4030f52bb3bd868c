from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.choices import Split
from datasets.selectors.choices import Choices, InvalidChoices, Shares, SplitBy, SplitRule
from datasets.services.splitting import cut_fractions, place, split_by_time, split_of
from hitl_site.lib.strict_json import JsonValue

PINNED = [
    "train",
    "train",
    "train",
    "train",
    "train",
    "validation",
    "train",
    "validation",
    "train",
    "train",
    "train",
    "train",
]
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
groups = st.text(min_size=1, max_size=40)
salts = st.text(min_size=1, max_size=20)
moments = st.integers(0, 10_000).map(lambda minutes: MARCH + timedelta(minutes=minutes))


@st.composite
def shares(draw: st.DrawFn) -> Shares:
    train = draw(st.integers(0, 100))
    validation = draw(st.integers(0, 100 - train))
    return Shares(train=train, validation=validation, test=100 - train - validation)


@given(old=st.lists(groups), new=st.lists(groups), shares=shares(), salt=salts)
def test_adding_cases_never_changes_the_split_of_an_old_one(
    old: list[str], new: list[str], shares: Shares, salt: str
) -> None:
    rule = SplitRule(by=SplitBy.GROUP, shares=shares, salt=salt)
    before = [place(rule, group=group, first_decided_at=None) for group in old]
    after = [place(rule, group=group, first_decided_at=None) for group in [*old, *new]]

    assert after[: len(old)] == before


@given(cases=st.lists(st.tuples(st.integers(0, 9), moments), min_size=1), shares=shares(), data=st.data())
def test_no_group_is_in_two_splits_by_either_rule(
    cases: list[tuple[int, datetime]], shares: Shares, data: st.DataObject
) -> None:
    cuts = tuple(sorted(data.draw(moments) for _ in shares.wanted()[:-1]))
    first: dict[int, datetime] = {}
    for group, decided_at in cases:
        first.setdefault(group, decided_at)
    for rule in (SplitRule(SplitBy.GROUP, shares), SplitRule(SplitBy.TIME, shares, cuts=cuts)):
        found: dict[int, set[Split]] = {}
        for group, _ in cases:
            split = place(rule, group=f"subject:{group}", first_decided_at=first[group])
            found.setdefault(group, set()).add(split)
        assert all(len(splits) == 1 for splits in found.values())


@given(shares=shares(), salt=salts)
def test_shares_are_met_within_the_binomial_bound(shares: Shares, salt: str) -> None:
    count = 2000
    found = Counter(split_of(f"subject:{number}", shares, salt) for number in range(count))

    for split, share in zip((Split.TRAIN, Split.VALIDATION, Split.TEST), shares.in_order(), strict=True):
        chance = share / 100
        # Six standard deviations and one group: a true draw goes beyond it once in a thousand million.
        bound = 6 * math.sqrt(count * chance * (1 - chance)) + 1
        assert abs(found[split] - count * chance) <= bound


@given(group=groups, smaller=shares(), salt=salts)
def test_a_larger_share_for_training_never_takes_a_group_out_of_it(
    group: str, smaller: Shares, salt: str
) -> None:
    larger = Shares(train=smaller.train + smaller.validation, validation=0, test=smaller.test)
    if split_of(group, smaller, salt) == Split.TRAIN:
        assert split_of(group, larger, salt) == Split.TRAIN


def test_the_split_of_a_group_is_pinned() -> None:
    # What is frozen anywhere was split by this: another answer here would move cases between splits.
    by_group = Shares(80, 10, 10)
    assert [split_of(f"subject:{number}", by_group).value for number in range(12)] == PINNED
    assert split_of("subject:1", by_group, "another seed") == Split.TRAIN


@given(first=moments, later=moments)
def test_by_time_what_is_newer_is_never_in_an_older_split(first: datetime, later: datetime) -> None:
    shares, cuts = Shares(60, 20, 20), (MARCH + timedelta(minutes=3000), MARCH + timedelta(minutes=6000))
    order = [Split.TRAIN, Split.VALIDATION, Split.TEST]
    older, newer = sorted((first, later))

    assert order.index(split_by_time(older, shares, cuts)) <= order.index(split_by_time(newer, shares, cuts))


def test_a_cut_belongs_to_the_older_split_and_what_comes_after_all_of_them_is_the_newest() -> None:
    cuts = (MARCH, MARCH + timedelta(days=1))
    shares = Shares(80, 10, 10)
    assert split_by_time(MARCH, shares, cuts) == Split.TRAIN
    assert split_by_time(MARCH + timedelta(seconds=1), shares, cuts) == Split.VALIDATION
    assert split_by_time(MARCH + timedelta(days=300), shares, cuts) == Split.TEST
    without_validation = Shares(80, 0, 20)
    assert split_by_time(MARCH + timedelta(seconds=1), without_validation, cuts[:1]) == Split.TEST
    assert split_by_time(MARCH, Shares(0, 0, 100), ()) == Split.TEST


def test_fractions_are_for_every_split_but_the_newest() -> None:
    assert cut_fractions(Shares(80, 10, 10)) == [0.8, 0.9]
    assert cut_fractions(Shares(80, 0, 20)) == [0.8]
    assert cut_fractions(Shares(100, 0, 0)) == []


@pytest.mark.parametrize(
    "document",
    [
        {"colour": "red"},
        {"disputed": "keep"},
        {"weak": "maybe"},
        {"near_duplicates": None},
        {"split": "group"},
        {"split": {"by": "luck"}},
        {"split": {"by": "group", "shares": {"train": 80, "validation": 10, "test": 11}}},
        {"split": {"by": "group", "shares": {"train": 120, "validation": -20, "test": 0}}},
        {"split": {"by": "group", "shares": {"train": 80.5, "validation": 9.5, "test": 10}}},
        {"split": {"by": "group", "shares": {"train": True, "validation": 99, "test": 0}}},
        {"split": {"by": "group", "shares": {"train": 100, "dev": 0}}},
        {"split": {"by": "group", "salt": ""}},
        {"split": {"by": "group", "salt": 3}},
        {"split": {"by": "group", "cuts": ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"]}},
        {"split": {"by": "time", "cuts": ["2026-03-01T00:00:00Z"]}},
        {"split": {"by": "time", "cuts": ["2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"]}},
        {"split": {"by": "time", "cuts": ["2026-03-01T00:00:00", "2026-03-02T00:00:00"]}},
        {"split": {"by": "time", "cuts": [1, 2]}},
    ],
)
def test_what_is_no_choice_is_refused(document: dict[str, JsonValue]) -> None:
    with pytest.raises(InvalidChoices):
        Choices.from_document(document)


@given(shares=shares(), by=st.sampled_from(SplitBy), salt=salts, data=st.data())
def test_choices_survive_being_stored(shares: Shares, by: SplitBy, salt: str, data: st.DataObject) -> None:
    cuts = tuple(sorted(data.draw(moments) for _ in shares.wanted()[:-1])) if by == SplitBy.TIME else ()
    choices = Choices(split=SplitRule(by=by, shares=shares, salt=salt, cuts=cuts))

    assert Choices.from_document(choices.document()) == choices


def test_a_dataset_from_before_there_were_choices_has_the_plain_ones() -> None:
    assert Choices.from_document({}) == Choices()
    assert Choices().document() == {
        "split": None,
        "near_duplicates": "keep",
        "weak": "keep",
        "disputed": "leave_out",
    }
