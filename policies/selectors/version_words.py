"""How a version of a policy is called in what people are told, in their language."""

from __future__ import annotations

from django.utils.translation import gettext

from policies.models import PolicyVersion
from policies.selectors.policy_words import mid_sentence


def named(version: PolicyVersion) -> str:
    """Return what a version is called: "refund.issue version 3"."""
    told = gettext("{name} version {number}")
    return told.format(name=version.action_type.name, number=version.number)


def state_of(version: PolicyVersion) -> str:
    """Return the state of a version as it stands in a sentence: "retired"."""
    return mid_sentence(version.get_state_display())


def is_in_state(version: PolicyVersion) -> str:
    """Say in which state a version is."""
    return gettext("{version} is {state}.").format(version=named(version), state=state_of(version))


def changed_meanwhile(version: PolicyVersion) -> str:
    """Say that somebody changed the text that was read."""
    told = gettext("{person} changed {version} after you read it: read it again.")
    return told.format(person=version.author_name, version=named(version))
