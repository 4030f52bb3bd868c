"""Choices of a dataset: what is made of the cases that its selection takes.

How they are split, and what is done about near duplicates and weak labels. What is excluded, disputed or
erased is never in a version, whatever is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from datasets.choices import Split
from hitl_site.lib.strict_json import JsonValue

# The same groups get the same split in every dataset with this salt and these shares: what one dataset tests
# with is never trained on from another.
DEFAULT_SALT: Final = "handrail"
MAX_SALT_LENGTH: Final = 60


class SplitBy(TextChoices):
    GROUP = "group", _("By a hash of the group")
    TIME = "time", _("By the time of the group's first decision")


class NearDuplicates(TextChoices):
    KEEP = "keep", _("Keep all of them")
    ONE_PER_GROUP = "one_per_group", _("Keep the first of each group")


class WeakLabels(TextChoices):
    KEEP = "keep", _("Keep them")
    LEAVE_OUT = "leave_out", _("Leave them out")


class InvalidChoices(ValueError):
    """The document does not say what is made of the cases."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of a hundred go into each split."""

    train: int
    validation: int
    test: int

    def __post_init__(self) -> None:
        if any(share < 0 for share in self.in_order()) or sum(self.in_order()) != 100:
            raise InvalidChoices(
                gettext("The shares of the splits are whole numbers from 0 up and make 100 together.")
            )

    def in_order(self) -> tuple[int, int, int]:
        """Return the shares from the oldest data to the newest."""
        return (self.train, self.validation, self.test)

    def wanted(self) -> tuple[tuple[Split, int], ...]:
        """Return the splits that get anything, in order, with their shares."""
        named = zip((Split.TRAIN, Split.VALIDATION, Split.TEST), self.in_order(), strict=True)
        return tuple((split, share) for split, share in named if share)


DEFAULT_SHARES: Final = Shares(train=80, validation=10, test=10)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How groups of cases are put into splits.

    By time, ``cuts`` are the last moments of all splits but the newest. The first version fixes them: what is
    decided later never moves what is there. A dataset has none, its versions have.
    """

    by: SplitBy
    shares: Shares = DEFAULT_SHARES
    salt: str = DEFAULT_SALT
    cuts: tuple[datetime, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.salt) <= MAX_SALT_LENGTH:
            said = gettext("The seed of the split has 1 to {most} characters.")
            raise InvalidChoices(said.format(most=MAX_SALT_LENGTH))
        if self.cuts and (self.by != SplitBy.TIME or len(self.cuts) != len(self.shares.wanted()) - 1):
            raise InvalidChoices("There is one cut between two splits, and only in a split by time.")
        if list(self.cuts) != sorted(self.cuts):
            raise InvalidChoices("The cuts are in the order of time.")

    def same_rule(self, other: SplitRule) -> bool:
        """Say whether the other one splits by the same rule, wherever its cuts are."""
        return (self.by, self.shares, self.salt) == (other.by, other.shares, other.salt)

    def document(self) -> dict[str, JsonValue]:
        """Return it as it is stored."""
        shares = self.shares
        return {
            "by": self.by.value,
            "shares": {"train": shares.train, "validation": shares.validation, "test": shares.test},
            "salt": self.salt,
            "cuts": [cut.astimezone(UTC).isoformat().replace("+00:00", "Z") for cut in self.cuts],
        }


@dataclass(frozen=True, slots=True)
class Choices:
    """What is made of the cases that a selection takes."""

    split: SplitRule | None = None
    near_duplicates: NearDuplicates = NearDuplicates.KEEP
    weak: WeakLabels = WeakLabels.KEEP
    # The one answer there is, written down so that whoever reads a version need not know.
    disputed: str = field(default="leave_out", init=False)

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> Choices:
        """Return the choices that a stored or sent document describes, or raise ``InvalidChoices``."""
        _refuse_unknown(document, {"split", "near_duplicates", "weak", "disputed"}, "Choices have")
        if document.get("disputed", "leave_out") != "leave_out":
            raise InvalidChoices("Disputed cases are always left out.")
        return cls(
            split=_split(document.get("split")),
            near_duplicates=_one_of(NearDuplicates, document.get("near_duplicates", "keep")),
            weak=_one_of(WeakLabels, document.get("weak", "keep")),
        )

    def document(self) -> dict[str, JsonValue]:
        """Return the choices as they are stored: equal choices give equal documents."""
        return {
            "split": None if self.split is None else self.split.document(),
            "near_duplicates": self.near_duplicates.value,
            "weak": self.weak.value,
            "disputed": self.disputed,
        }


def _split(value: JsonValue) -> SplitRule | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidChoices("split is an object, or null for none.")
    _refuse_unknown(value, {"by", "shares", "salt", "cuts"}, "A split has")
    salt = value.get("salt", DEFAULT_SALT)
    if not isinstance(salt, str):
        raise InvalidChoices("The seed of the split is a text.")
    return SplitRule(
        by=_one_of(SplitBy, value.get("by")),
        shares=_shares(value.get("shares")),
        salt=salt,
        cuts=_cuts(value.get("cuts", [])),
    )


def _shares(value: JsonValue) -> Shares:
    if value is None:
        return DEFAULT_SHARES
    if not isinstance(value, dict):
        raise InvalidChoices("shares is an object of whole numbers.")
    _refuse_unknown(value, {"train", "validation", "test"}, "Shares have")
    numbers = [value.get(name, 0) for name in ("train", "validation", "test")]
    if any(not isinstance(number, int) or isinstance(number, bool) for number in numbers):
        raise InvalidChoices("The shares of the splits are whole numbers.")
    train, validation, test = cast(list[int], numbers)
    return Shares(train=train, validation=validation, test=test)


def _cuts(value: JsonValue) -> tuple[datetime, ...]:
    if not isinstance(value, list):
        raise InvalidChoices("cuts is a list of times.")
    try:
        cuts = tuple(datetime.fromisoformat(cast(str, cut)) for cut in value)
    except (ValueError, TypeError):
        raise InvalidChoices("A cut is a time such as 2026-03-01T00:00:00Z.") from None
    if any(cut.tzinfo is None for cut in cuts):
        raise InvalidChoices("A cut needs a zone, such as 2026-03-01T00:00:00Z.")
    return cuts


C = TypeVar("C", bound=TextChoices)


def _one_of(kind: type[C], value: JsonValue) -> C:
    if value not in kind.values:
        raise InvalidChoices(f"{value!r} is none of {', '.join(kind.values)}.")
    return kind(value)


def _refuse_unknown(document: Mapping[str, JsonValue], known: set[str], what: str) -> None:
    unknown = sorted(set(document) - known)
    if unknown:
        raise InvalidChoices(f"{what} no field {unknown[0]!r}.")
