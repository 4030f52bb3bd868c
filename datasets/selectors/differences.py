"""What is different between a dataset's version and another one of it, case by case."""

from __future__ import annotations

from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_noop

from datasets.models import DatasetMember, DatasetVersion

ADDED: Final = "added"
REMOVED: Final = "removed"
RELABELLED: Final = "relabelled"
UPDATED: Final = "updated"
TITLES: Final = {
    ADDED: gettext_noop("added"),
    REMOVED: gettext_noop("removed"),
    RELABELLED: gettext_noop("relabelled"),
    UPDATED: gettext_noop("updated"),
}
KINDS: Final = tuple(TITLES)


def previous(version: DatasetVersion) -> DatasetVersion | None:
    """Return the version before this one."""
    earlier = DatasetVersion.objects.filter(dataset_id=version.dataset_id, number__lt=version.number)
    return earlier.order_by("-number").first()


def members(kind: str, *, of: int, since: int) -> QuerySet[DatasetMember]:
    """Return what is different in the version ``of`` since the version ``since``, both primary keys.

    *Removed* are members of the earlier one, everything else of the later one. A case whose composed content
    differs is *relabelled* when another answer to it counts now, else *updated*: its outcome, a late truth or
    a tag came to be known.
    """
    if kind == REMOVED:
        return _without(DatasetMember.objects.filter(version_id=since), other=of)
    here = DatasetMember.objects.filter(version_id=of)
    if kind == ADDED:
        return _without(here, other=since)
    # A member from before versions froze contents has no hash to compare.
    changed = (
        DatasetMember.objects.filter(version_id=since, case_id=OuterRef("case_id"))
        .exclude(content_sha256="")
        .exclude(content_sha256=OuterRef("content_sha256"))
        .annotate(answer=Coalesce(F("revision_id"), Value(0)))
    )
    same_answer = changed.filter(answer=Coalesce(OuterRef("revision_id"), Value(0)))
    if kind == UPDATED:
        return here.filter(Exists(same_answer))
    if kind == RELABELLED:
        return here.filter(Exists(changed), ~Exists(same_answer))
    raise ValueError(f"there is no difference called {kind!r}")


def counts(*, of: int, since: int) -> dict[str, int]:
    """Return how many cases are different, by kind."""
    return {kind: members(kind, of=of, since=since).count() for kind in KINDS}


def _without(those: QuerySet[DatasetMember], *, other: int) -> QuerySet[DatasetMember]:
    return those.filter(~Exists(DatasetMember.objects.filter(version_id=other, case_id=OuterRef("case_id"))))
