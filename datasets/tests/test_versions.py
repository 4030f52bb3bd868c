"""What freezing makes of a dataset: what stays out, splits, differences, and two people at once."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from datasets.choices import Split
from datasets.models import (
    CaseCuration,
    CaseIndex,
    Dataset,
    DatasetMember,
    DatasetVersion,
    LabelledCase,
    LabelRevision,
    RedactionProfile,
)
from datasets.selectors import differences, taking
from datasets.selectors.choices import Choices, NearDuplicates, Shares, SplitBy, SplitRule, WeakLabels
from datasets.selectors.selection import Selection
from datasets.services import datasets, freezing, labelling, members, placing, splitting, taking_away
from datasets.services.splitting import split_of
from datasets.tests.base import bulk_content, many_cases
from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.clock import database_now
from policies.choices import RemovalKind, RemovalState
from policies.models import LedgerCursor, LedgerEntry, Removal

pytestmark = pytest.mark.django_db
HALVES = Shares(train=50, validation=0, test=50)


def make(choices: Choices | None = None, name: str = "Refunds", **selection: Any) -> Dataset:
    return datasets.create_dataset(
        name=name,
        selection=Selection(**selection),
        choices=choices,
        created_by=None,
        now=database_now(),
    )


def freeze(dataset: Dataset) -> freezing.Frozen:
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now())


def cases() -> list[LabelledCase]:
    return list(LabelledCase.objects.order_by("id"))


def curate(case: LabelledCase, **given: Any) -> None:
    CaseCuration.objects.update_or_create(case=case, defaults={**given, "updated_at": database_now()})


def say_the_same(case: LabelledCase, *, group: LabelledCase) -> None:
    CaseIndex.objects.create(case=case, near_group=group.public_id, words="", indexed_at=database_now())


def exclude(case: LabelledCase) -> None:
    curate(case, excluded_because="Made up", excluded_by_name="Mia", excluded_at=database_now())


def answer_again(case: LabelledCase, label: str = "corrected", **given: Any) -> LabelRevision:
    return LabelRevision.objects.create(
        case=case,
        number=case.revisions.count() + 1,
        kind="edit",
        label=label,
        arguments_canonical=None if label == "rejected" else canonicalize({"order": "SO", "amount": 1}),
        note="Looked again",
        author_name="Mia",
        created_at=database_now(),
        **given,
    )


def add_case(seq: int, *, group: str, decided_at: datetime, **given: Any) -> LabelledCase:
    """Make one more case, of any group and time, as the labeller would."""
    content = {**bulk_content(seq), "group": group}
    content["action"]["conversation_id"] = given.pop("conversation", "")
    case = LabelledCase.objects.create(
        public_id=content["id"],
        decision_id=f"dec_{seq:032x}",
        action_id=f"act_{seq:032x}",
        ledger_seq=seq,
        action_type="refund.issue",
        agent="clerk",
        agent_version="1",
        label=content["label"],
        source="review",
        strength=given.pop("strength", "strong"),
        group_key=group,
        decided_at=decided_at,
        content=content,
        content_sha256=sha256_hex(canonicalize(content)),
        created_at=decided_at,
        **given,
    )
    LedgerCursor.objects.update_or_create(
        reader=labelling.READER, defaults={"seq": seq, "updated_at": decided_at}
    )
    return case


def splits(version: DatasetVersion) -> dict[str, str]:
    return dict(version.members.values_list("case__public_id", "split"))


def test_what_is_excluded_disputed_erased_weak_or_said_before_stays_out_and_is_counted_by_its_reason() -> (
    None
):
    now = database_now()
    first = add_case(1, group="subject:a", decided_at=now)
    twin = add_case(2, group="subject:b", decided_at=now + timedelta(minutes=1))
    add_case(3, group="subject:c", decided_at=now, strength="weak")
    excluded = add_case(4, group="subject:d", decided_at=now)
    disputed = add_case(5, group="subject:e", decided_at=now)
    add_case(6, group="subject:f", decided_at=now, erased_at=now)
    kept = add_case(7, group="subject:g", decided_at=now)
    say_the_same(twin, group=first)
    exclude(excluded)
    curate(disputed, disputed_because="Two answers", disputed_at=now)
    choices = Choices(near_duplicates=NearDuplicates.ONE_PER_GROUP, weak=WeakLabels.LEAVE_OUT)

    version = freeze(make(choices)).version

    assert set(splits(version)) == {first.public_id, kept.public_id}
    assert version.left_out == {"erased": 1, "excluded": 1, "disputed": 1, "weak": 1, "near_duplicate": 1}
    assert version.case_count == 2
    assert freeze(make(name="With everything that may be in")).version.left_out == {
        "erased": 1,
        "excluded": 1,
        "disputed": 1,
    }


def test_of_near_duplicates_the_first_that_nothing_else_keeps_out_is_in() -> None:
    now = database_now()
    late = add_case(1, group="subject:a", decided_at=now + timedelta(minutes=2))
    early_but_excluded = add_case(2, group="subject:a", decided_at=now)
    middle = add_case(3, group="subject:a", decided_at=now + timedelta(minutes=1))
    for case in (late, early_but_excluded, middle):
        say_the_same(case, group=late)
    exclude(early_but_excluded)

    version = freeze(make(Choices(near_duplicates=NearDuplicates.ONE_PER_GROUP))).version

    assert set(splits(version)) == {middle.public_id}
    assert version.left_out == {"excluded": 1, "near_duplicate": 1}


def test_a_dataset_whose_cases_all_stay_out_is_not_frozen_and_says_why() -> None:
    many_cases(2)
    for case in cases():
        exclude(case)

    with pytest.raises(freezing.NothingToFreeze, match=r"stays out \(excluded by a person: 2\)"):
        freeze(make())

    assert not DatasetVersion.objects.exists()
    assert not DatasetMember.objects.exists()


def test_a_label_given_later_is_the_one_that_counts() -> None:
    many_cases(3)
    rejected = LabelledCase.objects.get(label="rejected")
    answer_again(rejected, "approved")
    newest = answer_again(rejected, "corrected", reasons=["seen_again"])

    version = freeze(make(labels=("corrected",))).version

    assert version.label_counts == {"approved": 0, "corrected": 2, "rejected": 0}
    member = version.members.get(case=rejected)
    assert member.revision == newest
    assert [revision["number"] for revision in member.later["revisions"]] == [1, 2]
    assert freeze(make(name="Reasons", reasons=("seen_again",))).version.members.get().case == rejected
    with pytest.raises(freezing.NothingToFreeze):
        freeze(make(name="No longer", labels=("rejected",)))


def test_a_version_says_what_was_added_removed_relabelled_and_learnt_since_the_one_before() -> None:
    many_cases(5)
    dataset = make()
    first = freeze(dataset).version
    assert first.difference == {}
    one, two, three, *_ = cases()
    exclude(one)
    answer_again(two)
    curate(three, tags=["golden"])
    new = add_case(6, group="subject:new", decided_at=database_now())

    second = freeze(dataset).version

    assert second.difference == {"added": 1, "removed": 1, "relabelled": 1, "updated": 1}
    found = {
        kind: [member.case for member in differences.members(kind, of=second.pk, since=first.pk)]
        for kind in differences.KINDS
    }
    assert found == {"added": [new], "removed": [one], "relabelled": [two], "updated": [three]}
    assert differences.previous(second) == first
    assert differences.previous(first) is None
    entry = LedgerEntry.objects.get(object_id=second.public_id)
    assert entry.payload.body["difference"] == second.difference  # type: ignore[index]  # it is there
    # A second answer to what was answered again is a new label too.
    answer_again(two, "rejected")
    assert freeze(dataset).version.difference == {"added": 0, "removed": 0, "relabelled": 1, "updated": 0}


def test_other_choices_make_another_version_of_the_same_cases() -> None:
    many_cases(3)
    dataset = make()
    first = freeze(dataset).version
    change(dataset, Choices(split=SplitRule(SplitBy.GROUP)))

    second = freeze(dataset)

    assert second.created
    assert second.version.content_sha256 == first.content_sha256
    assert second.version.choices["split"]["by"] == "group"
    assert not freeze(dataset).created


def test_a_version_is_redacted_by_the_newest_profile_of_the_name() -> None:
    many_cases(1)
    for number in (1, 2):
        RedactionProfile.objects.create(
            public_id=f"rdp_{number}",
            name="Strict",
            number=number,
            document={},
            created_by_name="Mia",
            created_at=database_now(),
        )
    dataset = datasets.create_dataset(
        name="Refunds", selection=Selection(), redaction="Strict", created_by=None, now=database_now()
    )
    assert freeze(dataset).version.redaction.number == 2  # type: ignore[union-attr]  # it has one
    RedactionProfile.objects.create(
        public_id="rdp_3",
        name="Strict",
        number=3,
        document={},
        created_by_name="Mia",
        created_at=database_now(),
    )

    again = freeze(dataset)

    assert again.created
    assert again.version.redaction.number == 3  # type: ignore[union-attr]  # it has one
    with pytest.raises(datasets.UnknownProfile):
        datasets.create_dataset(
            name="Other", selection=Selection(), redaction="Lax", created_by=None, now=database_now()
        )


def change(dataset: Dataset, choices: Choices, **selection: Any) -> None:
    datasets.change_dataset(
        dataset_id=dataset.public_id,
        description="",
        selection=Selection(**selection),
        choices=choices,
        changed_by=None,
        now=database_now(),
    )


def test_changing_a_dataset_is_recorded_with_before_and_after_and_changing_nothing_is_not() -> None:
    dataset = make()
    change(dataset, Choices(weak=WeakLabels.LEAVE_OUT), labels=("rejected",))
    change(dataset, Choices(weak=WeakLabels.LEAVE_OUT), labels=("rejected",))

    entry = LedgerEntry.objects.get(verb="dataset.changed")
    body: Any = entry.payload.body
    assert (body["before"]["choices"]["weak"], body["after"]["choices"]["weak"]) == ("keep", "leave_out")
    assert (body["before"]["selection"]["labels"], body["after"]["selection"]["labels"]) == ([], ["rejected"])
    dataset.refresh_from_db()
    assert dataset.choices["weak"] == "leave_out"


def test_a_split_by_group_is_in_the_members_and_counted_and_no_group_is_cut() -> None:
    many_cases(60)
    dataset = make(Choices(split=SplitRule(SplitBy.GROUP, Shares(60, 20, 20))))

    version = freeze(dataset).version

    by_group: dict[str, set[str]] = defaultdict(set)
    for group, split in version.members.values_list("case__group_key", "split"):
        by_group[group].add(split)
    assert by_group == {group: {split_of(group, Shares(60, 20, 20)).value} for group in by_group}
    counted = {
        split: list(splits(version).values()).count(split) for split in ("train", "validation", "test")
    }
    assert version.split_counts == counted
    assert sum(counted.values()) == 60


@pytest.mark.parametrize("by", [SplitBy.GROUP, SplitBy.TIME])
def test_what_is_frozen_keeps_its_split_when_more_comes(by: SplitBy) -> None:
    start = database_now() - timedelta(days=100)
    for seq in range(1, 41):
        add_case(seq, group=f"subject:{seq % 13}", decided_at=start + timedelta(days=seq))
    dataset = make(Choices(split=SplitRule(by, Shares(60, 20, 20))))
    before = splits(freeze(dataset).version)

    # New groups, groups that are known, and decisions older than everything that was there.
    for seq in range(41, 81):
        add_case(seq, group=f"subject:{seq % 29}", decided_at=start + timedelta(days=2 * (seq % 41) - 20))
    after = freeze(dataset).version

    assert {case_id: split for case_id, split in splits(after).items() if case_id in before} == before
    by_group: dict[str, set[str]] = defaultdict(set)
    for group, split in after.members.values_list("case__group_key", "split"):
        by_group[group].add(split)
    assert all(len(found) == 1 for found in by_group.values())


def test_a_split_by_time_cuts_where_the_shares_say_and_what_comes_later_is_the_newest() -> None:
    start = database_now() - timedelta(days=100)
    made = [add_case(n, group=f"subject:{n}", decided_at=start + timedelta(days=n)) for n in range(1, 11)]
    dataset = make(Choices(split=SplitRule(SplitBy.TIME, Shares(60, 20, 20))))

    first = freeze(dataset).version

    assert first.split_counts == {"train": 6, "validation": 2, "test": 2}
    rule = Choices.from_document(first.choices).split
    assert rule is not None
    assert rule.cuts == (made[5].decided_at, made[7].decided_at)
    # The dataset itself has no cuts: they are the version's.
    dataset.refresh_from_db()
    assert dataset.choices["split"]["cuts"] == []
    newest = add_case(11, group="subject:new", decided_at=start + timedelta(days=50))
    of_an_old_group = add_case(12, group="subject:1", decided_at=start + timedelta(days=51))
    second = freeze(dataset).version
    assert second.choices == first.choices
    assert splits(second)[newest.public_id] == "test"
    assert splits(second)[of_an_old_group.public_id] == "train"


def test_a_split_by_time_that_was_left_for_another_one_finds_its_cuts_again() -> None:
    start = database_now() - timedelta(days=100)
    for seq in range(1, 11):
        add_case(seq, group=f"subject:{seq}", decided_at=start + timedelta(days=seq))
    by_time = Choices(split=SplitRule(SplitBy.TIME, HALVES))
    dataset = make(by_time)
    first = freeze(dataset).version
    change(dataset, Choices())
    freeze(dataset)
    add_case(11, group="subject:new", decided_at=start)
    change(dataset, by_time)

    third = freeze(dataset).version

    assert third.number == 3
    assert third.choices == first.choices


def test_the_first_decision_of_a_group_counts_even_when_that_case_is_not_in_the_dataset() -> None:
    start = database_now() - timedelta(days=100)
    first = add_case(1, group="subject:a", decided_at=start)
    exclude(first)
    later = add_case(2, group="subject:a", decided_at=start + timedelta(days=30))
    for seq in range(3, 9):
        add_case(seq, group=f"subject:{seq}", decided_at=start + timedelta(days=seq))

    version = freeze(make(Choices(split=SplitRule(SplitBy.TIME, HALVES)))).version

    assert splits(version)[later.public_id] == "train"


def test_the_database_is_asked_and_a_group_in_two_splits_is_never_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many_cases(6)
    dataset = make(Choices(split=SplitRule(SplitBy.GROUP)))
    turns = itertools.cycle([Split.TRAIN, Split.TEST])
    monkeypatch.setattr(placing.Places, "of", lambda _, given: {case.pk: next(turns) for case in given})

    with pytest.raises(members.SplitCut, match="two splits"):
        freeze(dataset)

    assert not DatasetVersion.objects.exists()
    assert not DatasetMember.objects.exists()


def test_the_database_is_asked_and_a_case_that_would_change_its_split_is_never_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many_cases(3)
    dataset = make(Choices(split=SplitRule(SplitBy.GROUP)))
    monkeypatch.setattr(splitting, "place", lambda *_, **__: "train")
    freeze(dataset)
    add_case(4, group="subject:new", decided_at=database_now())
    monkeypatch.setattr(splitting, "place", lambda *_, **__: "test")

    with pytest.raises(members.SplitCut, match="move to another split"):
        freeze(dataset)

    assert DatasetVersion.objects.count() == 1
    assert DatasetMember.objects.count() == 3


def take_away(*given: LabelledCase) -> None:
    """Take away what cases say, as the time to keep them is over."""
    now = database_now()
    removal = Removal.objects.create(
        public_id=ids.new("rtn"), kind=RemovalKind.RETENTION, reason="?", asked_by_name="?", asked_at=now
    )
    taking_away.name(removal)
    taking_away.cases(removal, LabelledCase.objects.filter(pk__in=[case.pk for case in given]), now=now)
    Removal.objects.filter(pk=removal.pk).update(state=RemovalState.DONE, finished_at=now)


def test_a_group_stays_where_its_first_decision_put_it_when_that_case_is_gone() -> None:
    start = database_now() - timedelta(days=100)
    first = add_case(1, group="subject:a", decided_at=start)
    for seq in range(2, 9):
        add_case(seq, group=f"subject:{seq}", decided_at=start + timedelta(days=seq))
    later = add_case(9, group="subject:a", decided_at=start + timedelta(days=90))
    dataset = make(Choices(split=SplitRule(SplitBy.TIME, HALVES)))
    assert splits(freeze(dataset).version)[later.public_id] == "train"

    take_away(first)
    latest = add_case(10, group="subject:a", decided_at=start + timedelta(days=95))
    again = freeze(dataset).version

    assert again.number == 2
    assert (splits(again)[later.public_id], splits(again)[latest.public_id]) == ("train", "train")
    assert first.public_id not in splits(again)


def in_conversation(seq: int, name: str, group: str) -> LabelledCase:
    return add_case(seq, group=group, decided_at=database_now(), conversation=name)


def test_a_conversation_goes_where_its_customer_goes_as_soon_as_that_is_known() -> None:
    ours, theirs = group_in(Split.TRAIN, "conversation"), group_in(Split.TEST, "subject")
    name = ours.partition(":")[2]
    before = in_conversation(1, name, ours)
    after = in_conversation(2, name, theirs)
    dataset = make(Choices(split=SplitRule(SplitBy.GROUP, HALVES)))

    version = freeze(dataset).version

    assert splits(version) == {before.public_id: "test", after.public_id: "test"}
    # What comes later moves nothing.
    another = in_conversation(3, name, ours)
    assert splits(freeze(dataset).version) == {**splits(version), another.public_id: "test"}


def test_what_would_cut_a_conversation_that_was_placed_before_stays_out_and_is_counted() -> None:
    ours, theirs = group_in(Split.TRAIN, "conversation"), group_in(Split.TEST, "subject")
    name = ours.partition(":")[2]
    before = in_conversation(1, name, ours)
    dataset = make(Choices(split=SplitRule(SplitBy.GROUP, HALVES)))
    assert splits(freeze(dataset).version) == {before.public_id: "train"}
    in_conversation(2, name, theirs)
    elsewhere = in_conversation(3, "another", theirs)

    version = freeze(dataset).version

    assert splits(version) == {before.public_id: "train", elsewhere.public_id: "test"}
    assert version.left_out == {"cut_conversation": 1}
    # Without splits there is nothing to cut.
    assert freeze(make(name="Whole")).version.case_count == 3


def test_two_customers_in_one_conversation_are_never_in_two_splits() -> None:
    one, other = group_in(Split.TRAIN, "subject"), group_in(Split.TEST, "subject")
    first = in_conversation(1, "talk", one)
    in_conversation(2, "talk", other)

    version = freeze(make(Choices(split=SplitRule(SplitBy.GROUP, HALVES)))).version

    assert splits(version) == {first.public_id: "train"}
    assert version.left_out == {"cut_conversation": 1}


def group_in(split: Split, kind: str) -> str:
    """Return a group that the hash puts into this split."""
    names = (f"{kind}:{number}" for number in itertools.count())
    return next(name for name in names if split_of(name, HALVES) == split)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"kinds": ("omission",)}, 0),
        ({"kinds": ("proposal",)}, 6),
        ({"sources": ("review",)}, 6),
        ({"sources": ("audit",)}, 0),
        ({"agents": ("clerk",), "agent_versions": ("1",)}, 6),
        ({"agent_versions": ("2",)}, 0),
        ({"tags": ("golden", "other")}, 2),
        ({"text": "SO-3"}, 1),
        ({"text": "so-3"}, 1),
        ({"text": "one CUP broke"}, 6),
        ({"text": 'a "quoted" 100% word'}, 1),
        ({"text": "SO_3"}, 0),
        ({"blind_only": True}, 1),
    ],
)
def test_a_selection_takes_what_each_of_its_fields_says(selection: dict[str, Any], expected: int) -> None:
    many_cases(4)
    quoted = {**bulk_content(5), "note_of_a_test": 'a "quoted" 100% word'}
    blind = bulk_content(6)
    blind["decision"] = {**blind["decision"], "blind": True}
    for seq, content in ((5, quoted), (6, blind)):
        case = add_case(seq, group=f"subject:{seq}", decided_at=database_now())
        with connection.cursor() as cursor:
            # As another release might have written it.
            cursor.execute("ALTER TABLE datasets_labelledcase DISABLE TRIGGER labelled_case_never_changes")
            LabelledCase.objects.filter(pk=case.pk).update(content=content)
            cursor.execute(
                "ALTER TABLE datasets_labelledcase ENABLE ALWAYS TRIGGER labelled_case_never_changes"
            )
    one, two, *_ = cases()
    curate(one, tags=["golden", "x"])
    curate(two, tags=["other"])

    assert taking.taken(Selection(**selection)).count() == expected


def test_a_selection_by_time_takes_its_first_moment_and_not_its_last() -> None:
    now = database_now()
    made = [add_case(n, group="subject:a", decided_at=now + timedelta(hours=n)) for n in range(1, 4)]

    found = taking.taken(Selection(since=made[0].decided_at, until=made[2].decided_at))

    assert set(found) == {made[0], made[1]}


@pytest.mark.django_db(transaction=True)
def test_two_people_who_freeze_at_once_get_one_version() -> None:
    many_cases(40)
    dataset = make(Choices(split=SplitRule(SplitBy.GROUP)))
    together = threading.Barrier(4)
    answers: list[freezing.Frozen | freezing.UnableToFreeze] = []

    def person() -> None:
        try:
            together.wait(timeout=30)
            answers.append(freeze(dataset))
        except freezing.UnableToFreeze as exc:
            answers.append(exc)
        finally:
            connection.close()

    people = [threading.Thread(target=person) for _ in range(4)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()

    version = DatasetVersion.objects.get()
    # Who waited too long for the first one is told to try again; nobody makes a second version.
    versions = [answer for answer in answers if isinstance(answer, freezing.Frozen)]
    assert len(answers) == 4
    assert [frozen.created for frozen in versions].count(True) == 1
    assert {frozen.version for frozen in versions} == {version}
    assert DatasetMember.objects.count() == 40
    assert LedgerEntry.objects.filter(verb="dataset.frozen").count() == 1
