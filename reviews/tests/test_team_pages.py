"""The team's pages: leads change members, skills, capacity and rota; ops admins queues and channels."""

from __future__ import annotations

import pytest
from django.urls import reverse

from policies.models import LedgerEntry
from reviews.models import Capacity, Channel, Queue, QueueMember, Shift, Skill
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, held, make_person

pytestmark = pytest.mark.django_db


def test_a_lead_gives_skills_capacity_and_a_rota_and_takes_them_back(cast: Cast) -> None:
    browser = browser_of(make_person("Lea", "lead"))
    page = reverse("reviews:team_person", args=["alice"])
    for form in (
        {"act": "skills", "skills": ["note.add"]},
        {"act": "capacity", "most_held": "3"},
        {"act": "shift", "weekday": "0", "starts": "09:00", "ends": "17:00"},
    ):
        assert browser.post(page, form).status_code == 302
    assert Skill.objects.get().action_type_name == "note.add"
    assert Capacity.objects.get().most_held == 3
    shift = Shift.objects.get()
    answer = browser.post(page, {"act": "shift", "weekday": "0", "on_date": "2026-07-01", "starts": "10:00"})
    assert answer.status_code == 422
    assert "Give a day of the week, or a date." in text_of(answer)
    assert browser.post(page, {"act": "remove", "shift": shift.public_id}).status_code == 302
    assert not Shift.objects.exists()
    text = text_of(browser.get(reverse("reviews:team")))
    assert "note.add" in text
    assert "of 3" in text


def test_who_may_not_lead_changes_nothing_and_sees_their_own_page_alone(cast: Cast) -> None:
    item = held(cast)
    before = LedgerEntry.objects.count()
    browser = browser_of(cast.alice)
    own, other = (reverse("reviews:team_person", args=[name]) for name in ("alice", "bob"))
    assert browser.get(own).status_code == 200
    assert browser.get(other).status_code == 403
    assert browser.get(reverse("reviews:team")).status_code == 403
    assert browser.post(own, {"act": "skills", "skills": ["note.add"]}).status_code == 403
    members = reverse("reviews:team_members", args=[item.queue.slug])
    assert browser.post(members, {"members": [cast.bob.pk]}).status_code == 403
    assert browser_of(cast.olga).post(members, {"members": [cast.bob.pk]}).status_code == 403
    assert not Skill.objects.exists()
    assert not QueueMember.objects.exists()
    assert LedgerEntry.objects.count() == before
    # A manager sees the load, and nobody's own numbers.
    seen = text_of(browser_of(cast.dan).get(other))
    assert "The last 30 days" not in seen


def test_an_ops_admin_makes_queues_and_names_channels_the_operator_has_set(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_of(cast.olga)
    assert (
        browser.post(reverse("reviews:team_queue_new"), {"name": "Money", "slug": "money"}).status_code == 302
    )
    again = browser.post(reverse("reviews:team_queue_new"), {"name": "Other", "slug": "money"})
    assert again.status_code == 422
    assert Queue.objects.get(slug="money").name == "Money"
    to = reverse("reviews:team_channel_new", args=["money"])
    refused = browser.post(to, {"name": "MONEY"})
    assert refused.status_code == 422
    assert "HANDRAIL_CHANNEL_MONEY" in text_of(refused)
    assert not Channel.objects.exists()
    monkeypatch.setenv("HANDRAIL_CHANNEL_MONEY", "json://secret-host/secret-path")
    assert browser.post(to, {"name": "MONEY"}).status_code == 302
    channel = Channel.objects.get()
    assert "secret" not in text_of(browser.get(reverse("reviews:team")))
    end = reverse("reviews:team_channel_end", args=[channel.public_id])
    assert [browser.post(end).status_code for _ in range(2)] == [302, 302]
    channel.refresh_from_db()
    assert channel.ended_at is not None
    assert LedgerEntry.objects.filter(verb="queue.channel_ended").count() == 1
