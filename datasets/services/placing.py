"""Which split each case of a version goes into: groups as a whole, and nothing moves that was placed before.

A group's name says one thing of it alone: the subject, or else the conversation. So one conversation can
hold cases of two groups: its agent learnt in the middle of it who the customer is. Then the cases without a
subject go where the subject goes. Where an earlier version put them elsewhere, they stay, and what would cut
the conversation stays out of this version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from datasets.choices import Split
from datasets.models import DatasetMember, LabelledCase
from datasets.selectors.choices import SplitBy, SplitRule
from datasets.services import splitting

_SUBJECT: Final = "subject:"
_REMEMBERED_GROUPS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Shared:
    """A conversation of several groups: that of its first case, and that of its first subject, if any."""

    first: str
    subject: str | None


def shared_conversations(cases: QuerySet[LabelledCase]) -> dict[str, Shared]:
    """Return the conversations whose cases (``taking.with_standing``) are of several groups. Few are."""
    said = KeyTextTransform("conversation_id", KeyTransform("action", "content"))
    inner: QuerySet[Any] = cases.order_by().annotate(conversation=said)
    rows = inner.filter(standing="").values_list("conversation", "group_key", "ledger_seq")
    query, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH taken (conversation, group_key, ledger_seq) AS ({query})
            SELECT conversation, (array_agg(group_key ORDER BY ledger_seq))[1],
                   (array_agg(group_key ORDER BY ledger_seq) FILTER (WHERE starts_with(group_key, %s)))[1]
              FROM taken WHERE conversation <> ''
             GROUP BY conversation HAVING count(DISTINCT group_key) > 1
            """,  # noqa: S608 - Django wrote the inner query, and its values stay parameters
            [*params, _SUBJECT],
        )
        return {name: Shared(first, subject) for name, first, subject in cursor.fetchall()}


class Places:
    """The places by one rule. What ``since``, the newest version by the same rule, has placed stays there."""

    def __init__(self, rule: SplitRule | None, *, shared: Mapping[str, Shared], since: int | None) -> None:
        self._rule = rule
        self._shared = shared
        self._since = since
        self._firsts: dict[str, datetime] = {}

    def of(self, cases: Iterable[LabelledCase]) -> dict[int, Split | None]:
        """Return the split of each case by its primary key; None where it would cut its conversation."""
        given = list(cases)
        if self._rule is None:
            return dict.fromkeys((case.pk for case in given), Split.NONE)
        shared = {case.pk: self._shared.get(_conversation(case)) for case in given}
        groups = {case.group_key for case in given}
        for each in shared.values():
            groups |= set() if each is None else {each.first, each.subject or each.first}
        where = self._groups(groups)
        places: dict[int, Split | None] = {}
        for case in given:
            of_conversation = shared[case.pk]
            place = where(case.group_key, of_conversation)
            cut = of_conversation is not None and where(of_conversation.first, of_conversation) != place
            places[case.pk] = None if cut else place
        return places

    def _groups(self, groups: set[str]) -> _Where:
        assert self._rule is not None
        firsts = self._first_decisions(groups) if self._rule.by == SplitBy.TIME else {}
        fresh = {
            group: splitting.place(self._rule, group=group, first_decided_at=firsts.get(group))
            for group in groups
        }
        return _Where(self._placed_before(groups), fresh)

    def _placed_before(self, groups: set[str]) -> dict[str, Split]:
        # By hash a group is where it always was, but for one that went with a subject.
        asked = groups
        if self._rule is not None and self._rule.by == SplitBy.GROUP:
            asked = {group for group in groups if self._shared and not group.startswith(_SUBJECT)}
        if self._since is None or not asked:
            return {}
        members = DatasetMember.objects.filter(version=self._since, case__group_key__in=asked)
        return {group: Split(split) for group, split in members.values_list("case__group_key", "split")}

    def _first_decisions(self, groups: set[str]) -> dict[str, datetime]:
        """Return when the first decision of each group was made: the first that became a case."""
        if len(self._firsts) > _REMEMBERED_GROUPS:
            self._firsts.clear()
        firsts = LabelledCase.objects.filter(group_key__in=groups - self._firsts.keys())
        firsts = firsts.order_by("group_key", "ledger_seq").distinct("group_key")
        self._firsts.update(firsts.values_list("group_key", "decided_at"))
        return {group: self._firsts[group] for group in groups}


@dataclass(frozen=True, slots=True)
class _Where:
    """Where groups are: as they were before, or by the rule."""

    before: Mapping[str, Split]
    fresh: Mapping[str, Split]

    def __call__(self, group: str, shared: Shared | None) -> Split:
        if group in self.before:
            return self.before[group]
        if shared is None or shared.subject is None or group.startswith(_SUBJECT):
            return self.fresh[group]
        return self.before.get(shared.subject, self.fresh[shared.subject])


def _conversation(case: LabelledCase) -> str:
    action = case.content.get("action")
    return str(action.get("conversation_id") or "") if isinstance(action, dict) else ""
