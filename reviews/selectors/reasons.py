"""The reasons a reviewer can give, per action type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext, gettext_noop

from policies.models import ActionType
from policies.services.action_types import DEFAULT_REASON_CODES

_OURS: Final = frozenset((each["code"], each["label"]) for each in DEFAULT_REASON_CODES)
# What they say, marked for translation.
_MARKED: Final = (
    gettext_noop("Wrong action for this case"),
    gettext_noop("Right action, wrong details"),
    gettext_noop("Wrong person, account or object"),
    gettext_noop("Information is missing"),
    gettext_noop("Against our policy"),
    gettext_noop("Not needed"),
    gettext_noop("Something else"),
)


@dataclass(frozen=True)
class ReasonCode:
    code: str
    label: str

    @property
    def words(self) -> str:
        """Return the label to be shown: one of ours in the language of the reader, a team's own as it is."""
        return gettext(self.label) if (self.code, self.label) in _OURS else self.label


def reason_codes(action_type: ActionType | None) -> tuple[ReasonCode, ...]:
    """Return the reasons in the order of their digits; the default ones where the type declares none."""
    declared = (
        action_type.reason_codes
        if action_type is not None and action_type.reason_codes
        else DEFAULT_REASON_CODES
    )
    return tuple(ReasonCode(code=reason["code"], label=reason["label"]) for reason in declared)


def reason_labels() -> dict[str, str]:
    """Return what each reason of any action type is called, for where several types stand together."""
    return {
        reason.code: reason.words
        for action_type in [None, *ActionType.objects.order_by("-id")]
        for reason in reason_codes(action_type)
    }
