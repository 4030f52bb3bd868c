"""The demo data: complete, possible, and made once however often they are asked for."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from datasets.choices import CaseKind
from datasets.demo import climbing, conversations, history, inbox, newer_version, privacy, seeding
from datasets.demo.inbox import DUE_IN_MINUTES
from datasets.models import CaseCuration, LabelledCase
from datasets.tests import demo_learning
from hitl_site.groups import make_groups
from hitl_site.lib.clock import database_now
from policies.models import DrillResult, LedgerEntry, Observation, Publication, ShadowCheck
from policies.services import ledger
from reviews.choices import ActionState, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, Execution, ReviewItem
from reviews.selectors.independence import APART

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four days instead of thirty, with the same days in them: the first, the change, the freeze, today."""
    make_groups()
    monkeypatch.setattr(history, "DAYS", 3)
    monkeypatch.setattr(history, "POLICIES_CHANGED", 2)
    # Too few to earn anything; that a version earns its level is held elsewhere.
    monkeypatch.setattr(climbing, "_FIRST", 3)
    monkeypatch.setattr(climbing, "_LATER", 3)
    monkeypatch.setattr(newer_version, "_A_DAY", 4)
    # Every conversation is read, so that no chance decides how many are.
    monkeypatch.setattr(conversations, "_SHARE", 1.0)


def quiet(text: str) -> None:
    """Say nothing."""


class Interrupted(Exception):
    pass


def interrupt(*args: object, **options: object) -> None:
    raise Interrupted


def test_the_demo_is_made_once_after_an_interruption_too_and_everything_about_it_is_possible(
    short_month: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = database_now()
    admin = User.objects.create_superuser("admin", password="a long enough password")
    with monkeypatch.context() as cut_short:
        cut_short.setattr(inbox, "fill", interrupt)
        with pytest.raises(Interrupted):
            seeding.seed(now=now, say=quiet)
    made = ActionRequest.objects.filter(drill=False).exclude(action_type_name=climbing.TYPE).count()
    with monkeypatch.context() as cut_short:
        cut_short.setattr(privacy, "look_after", interrupt)
        with pytest.raises(Interrupted):
            seeding.seed(now=now, say=quiet)

    assert seeding.seed(now=now, say=quiet) is True

    real_actions = ActionRequest.objects.exclude(action_type_name=climbing.TYPE).filter(drill=False)
    assert real_actions.count() == made + len(DUE_IN_MINUTES) + newer_version.LATEST
    verbs = Counter(LedgerEntry.objects.values_list("verb", flat=True))
    assert (verbs["demo.started"], verbs["demo.completed"], verbs["agent.created"]) == (1, 1, 4)
    # Nobody of the demo can sign in: it is no way into an installation.
    people = User.objects.exclude(pk=admin.pk)
    assert people.count() == 7
    assert not any(user.has_usable_password() for user in people)
    waiting = ReviewItem.objects.filter(status=ItemStatus.OPEN, kind=ItemKind.GATE)
    assert waiting.count() == len(DUE_IN_MINUTES) == 40
    assert waiting.filter(due_at__lte=now + timedelta(hours=1)).count() == 6
    assert waiting.filter(due_at__gt=now + timedelta(hours=24)).count() >= 20
    assert set(waiting.values_list("trigger", flat=True)) == {"high_risk", "low_confidence", "policy_edge"}
    assert waiting.get(escalated_to=admin).escalations.get().reviewer.username == "sam"
    assert waiting.exclude(claimed_by=None).count() == 2
    publication = Publication.objects.get()
    assert (publication.state, publication.loosens, publication.people_required) == ("open", True, 2)
    assert ShadowCheck.objects.filter(policy_version__state="shadow").exists()
    states = Counter(ActionRequest.objects.values_list("state", flat=True))
    assert states[ActionState.ALLOWED] > 0
    assert states[ActionState.APPROVED] > 0
    assert not Decision.objects.filter(terminal=True, released_at=None).exists()
    # A drill says nothing of an agent: it is neither a case nor an observation.
    real = Decision.objects.filter(terminal=True, action__drill=False)
    released = real.exclude(item__kind__in=APART).count()
    assert 0 < DrillResult.objects.count() == ActionRequest.objects.filter(drill=True).count()
    assert (
        LabelledCase.objects.filter(kind=CaseKind.PROPOSAL).count() == released == Observation.objects.count()
    )
    assert Execution.objects.exclude(outcome="").count() == Execution.objects.count() > 0
    demo_learning.the_cases_were_curated_and_late_truth_came_to_them()
    demo_learning.what_was_missing_in_conversations_is_known()
    demo_learning.versions_were_frozen_and_handed_over()
    demo_learning.a_newer_version_was_tried_on_the_golden_cases()
    demo_learning.privacy_was_looked_after()
    second_looks = ReviewItem.objects.filter(kind=ItemKind.SECOND_OPINION)
    assert second_looks.filter(status=ItemStatus.OPEN).count() >= 1
    assert ReviewItem.objects.get(kind=ItemKind.ADJUDICATION, status=ItemStatus.OPEN).blind
    assert CaseCuration.objects.filter(disputed_at__isnull=False).count() == 2
    assert ledger.verify().is_intact
    entries = LedgerEntry.objects.count()

    assert seeding.seed(now=database_now(), say=quiet) is False
    assert LedgerEntry.objects.count() == entries
