"""Questions about redaction: the profiles, where each is used, and what it did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from datasets.choices import ExportState
from datasets.models import Dataset, DatasetVersion, Export, RedactionProfile
from datasets.redaction import Detector, FieldRule, InvalidProfile, Profile, Treatment

MAX_USES: Final = 200
DETECTORS: Final = {
    Detector.EMAIL: "E-mail addresses",
    Detector.PHONE: "Telephone numbers",
    Detector.IBAN: "Bank accounts (IBAN)",
    Detector.CARD: "Payment cards",
    Detector.IP: "IP addresses",
    Detector.SECRET: "Keys, tokens and passwords",
    Detector.URL_CREDENTIALS: "Names and passwords in addresses",
}
TREATMENTS: Final = {
    Treatment.PSEUDONYM: "Pseudonym",
    Treatment.MASK: "Mask",
    Treatment.DROP: "Leave out",
    Treatment.YEAR: "Only the year of a date",
    Treatment.MONTH: "Only year and month of a date",
    Treatment.KEEP: "Keep as it is",
}
_WORDS: Final[Mapping[str, str]] = {
    **{str(detector): words for detector, words in DETECTORS.items()},
    **{str(treatment): f"Field rule: {words.lower()}" for treatment, words in TREATMENTS.items()},
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
    return tuple((_WORDS.get(kind, kind), count) for kind, count in ordered)


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
    words = tuple(words for detector, words in DETECTORS.items() if detector in on)
    return ProfileRow(profile=profile, detectors=words, rules=len(rules_of(profile)), datasets=datasets)


def _read(profile: RedactionProfile) -> Profile | None:
    try:
        return Profile.from_document(profile.document)
    except InvalidProfile:
        return None


def _replaced(export: Export) -> dict[str, int]:
    manifest = export.manifest if isinstance(export.manifest, dict) else {}
    told = manifest.get("redaction")
    counts = told.get("replaced") if isinstance(told, dict) else None
    if not isinstance(counts, dict):
        return {}
    return {str(kind): count for kind, count in counts.items() if isinstance(count, int)}
