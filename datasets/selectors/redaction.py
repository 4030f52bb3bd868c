"""Questions about redaction: the profiles, where each is used, and what it did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext, gettext_noop

from datasets.choices import ExportState
from datasets.models import Dataset, DatasetVersion, Export, RedactionProfile
from datasets.redaction import Detector, FieldRule, InvalidProfile, Profile, Treatment
from datasets.selectors import words

MAX_USES: Final = 200
DETECTORS: Final = {
    Detector.EMAIL: gettext_noop("E-mail addresses"),
    Detector.PHONE: gettext_noop("Telephone numbers"),
    Detector.IBAN: gettext_noop("Bank accounts (IBAN)"),
    Detector.CARD: gettext_noop("Payment cards"),
    Detector.IP: gettext_noop("IP addresses"),
    Detector.SECRET: gettext_noop("Keys, tokens and passwords"),
    Detector.URL_CREDENTIALS: gettext_noop("Names and passwords in addresses"),
}
TREATMENTS: Final = {
    Treatment.PSEUDONYM: gettext_noop("Pseudonym"),
    Treatment.MASK: gettext_noop("Mask"),
    Treatment.DROP: gettext_noop("Leave out"),
    Treatment.YEAR: gettext_noop("Only the year of a date"),
    Treatment.MONTH: gettext_noop("Only year and month of a date"),
    Treatment.KEEP: gettext_noop("Keep as it is"),
}


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A profile by its newest number, what it looks for, and how many datasets chose it."""

    profile: RedactionProfile
    detectors: tuple[str, ...]
    rules: int
    datasets: int


@dataclass(frozen=True, slots=True)
class Use:
    """A version that was frozen with a profile, and what its newest finished export replaced."""

    version: DatasetVersion
    number: int
    exported: bool
    replaced: tuple[tuple[str, int], ...]


def profiles() -> list[ProfileRow]:
    """Return the newest number of each profile, by name."""
    chosen = Counter(
        Dataset.objects.exclude(redaction=None).order_by().values_list("redaction__name", flat=True)
    )
    newest = RedactionProfile.objects.order_by("name", "-number").distinct("name")
    return [_row(profile, chosen[profile.name]) for profile in newest]


def numbers(name: str) -> list[RedactionProfile]:
    """Return every number of a profile, newest first."""
    return list(RedactionProfile.objects.filter(name=name).order_by("-number"))


def uses(name: str) -> list[Use]:
    """Return the versions that were frozen with a profile, newest first, and what was replaced in each."""
    versions = DatasetVersion.objects.filter(redaction__name=name).select_related("dataset", "redaction")
    found = list(versions.order_by("-id")[:MAX_USES])
    exported: dict[int, list[Export]] = defaultdict(list)
    done = Export.objects.filter(version__in=found, state=ExportState.DONE).order_by("-id")
    for export in done:
        exported[export.version_id].append(export)
    rows = []
    for version in found:
        assert version.redaction is not None
        newest = next(iter(exported[version.pk]), None)
        replaced = () if newest is None else by_kind(_replaced(newest))
        rows.append(Use(version, version.redaction.number, newest is not None, replaced))
    return rows


def by_kind(replaced: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return counts in words, the most frequent first."""
    ordered = sorted(replaced.items(), key=lambda one: (-one[1], one[0]))
    return tuple((_said(kind), count) for kind, count in ordered)


def rules_of(profile: RedactionProfile) -> tuple[FieldRule, ...]:
    """Return the field rules of a stored profile; none when this release cannot read it."""
    read = _read(profile)
    return () if read is None else read.rules


def detectors_of(profile: RedactionProfile) -> frozenset[Detector]:
    """Return the detectors of a stored profile; none when this release cannot read it."""
    read = _read(profile)
    return frozenset() if read is None else read.detectors


def _row(profile: RedactionProfile, datasets: int) -> ProfileRow:
    on = detectors_of(profile)
    told = tuple(gettext(title) for detector, title in DETECTORS.items() if detector in on)
    return ProfileRow(profile=profile, detectors=told, rules=len(rules_of(profile)), datasets=datasets)


def _read(profile: RedactionProfile) -> Profile | None:
    try:
        return Profile.from_document(profile.document)
    except InvalidProfile:
        return None


def _said(kind: str) -> str:
    """Return what replaced something: a detector, or a field rule with what it does."""
    if kind in set(Detector):
        return gettext(DETECTORS[Detector(kind)])
    if kind in set(Treatment):
        treatment = words.inside(gettext(TREATMENTS[Treatment(kind)]))
        return gettext("Field rule: {treatment}").format(treatment=treatment)
    return kind


def _replaced(export: Export) -> dict[str, int]:
    manifest = export.manifest if isinstance(export.manifest, dict) else {}
    told = manifest.get("redaction")
    counts = told.get("replaced") if isinstance(told, dict) else None
    if not isinstance(counts, dict):
        return {}
    return {str(kind): count for kind, count in counts.items() if isinstance(count, int)}
