"""The team's pages: leads change members, skills, capacity and rota; ops admins queues and channels."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import NoticeKind
from reviews.models import (
    Capacity,
    Channel,
    Notice,
    Preferences,
    Queue,
    QueueMember,
    SecondOpinion,
    Shift,
    Skill,
)
from reviews.selectors.team import skills_of
from reviews.services import deadlines, notices, team
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, decide_as, held, make_person

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


def test_only_the_choice_of_everybody_opens_a_queue_to_them_all(cast: Cast) -> None:
    item = held(cast)
    browser = browser_of(make_person("Lea", "lead"))
    members = reverse("reviews:team_members", args=[item.queue.slug])
    assert browser.post(members, {"members": [cast.bob.pk]}).status_code == 302
    refused = browser.post(members, {})
    assert refused.status_code == 422
    assert "Choose at least one member" in text_of(refused)
    assert QueueMember.objects.get().user == cast.bob
    assert browser.post(members, {"open_to_all": "on", "members": [cast.bob.pk]}).status_code == 302
    assert not QueueMember.objects.exists()


def test_only_the_choice_of_every_action_type_opens_them_all(cast: Cast) -> None:
    browser = browser_of(make_person("Lea", "lead"))
    page = reverse("reviews:team_person", args=["alice"])
    assert "Every action type" in text_of(browser.get(reverse("reviews:team")))
    browser.post(page, {"act": "skills", "skills": ["note.add"]})
    browser.post(page, {"act": "skills", "reach": "these"})
    assert skills_of(cast.alice) == frozenset()
    assert "No action type" in text_of(browser.get(reverse("reviews:team")))
    browser.post(page, {"act": "skills", "reach": "every", "skills": ["note.add"]})
    assert skills_of(cast.alice) is None
    assert not Skill.objects.exists()
    assert "Every action type" in text_of(browser_of(cast.alice).get(page))


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


def test_settings_are_kept_and_a_wish_for_a_shorter_undo_is_heeded(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    page = reverse("reviews:me")
    half = browser.post(page, {"mail": "urgent", "quiet_from": "22:00"})
    assert half.status_code == 422
    assert "Quiet hours have a beginning and an end." in text_of(half)
    assert not Preferences.objects.exists()
    form = {"mail": "urgent", "quiet_from": "22:00", "quiet_until": "06:00", "undo_seconds": "2"}
    assert browser.post(page, form).status_code == 302
    own = Preferences.objects.get()
    assert (own.mail, own.undo_seconds, own.time_zone) == ("urgent", 2, "UTC")
    first = decide_as(cast.alice, held(cast)).decision
    assert first.release_at - first.decided_at == timedelta(seconds=2)
    own.undo_seconds = 600
    own.save()
    second = decide_as(cast.alice, held(cast)).decision
    assert second.release_at - second.decided_at == timedelta(seconds=5)


def test_all_settings_stand_on_one_page_and_lead_back_to_it(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    page = reverse("reviews:me")
    shown = text_of(browser.get(page))
    fields = (
        "theme",
        "density",
        "tz",
        "single_keys",
        "key-a",
        "language",
        "mail",
        "quiet_from",
        "undo_seconds",
    )
    for field in fields:
        assert f'name="{field}"' in shown
    reset = browser.post(reverse("reviews:keys"), {"reset": "yes", "next": page})
    assert reset.headers["Location"] == page
    elsewhere = browser.post(reverse("reviews:keys"), {"reset": "yes", "next": "//evil.example/"})
    assert elsewhere.headers["Location"] == reverse("reviews:keys")


def test_the_console_speaks_the_language_that_the_person_chose_else_the_browsers(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    page = reverse("reviews:me")
    answer = browser.get(page, headers={"accept-language": "de-AT,de;q=0.9,en;q=0.5"})
    assert (answer.headers["Content-Language"], 'lang="de"' in text_of(answer)) == ("de", True)
    assert "Accept-Language" in answer.headers["Vary"]
    assert browser.get(page, headers={"accept-language": "fr"}).headers["Content-Language"] == "en"

    saved = browser.post(page, {"language": "de", "mail": "urgent"}, headers={"accept-language": "en"})
    assert saved.status_code == 302
    assert Preferences.objects.get().language == "de"
    answer = browser.get(page, headers={"accept-language": "en"})
    assert answer.headers["Content-Language"] == "de"
    assert "Ihre Einstellungen sind gespeichert." in text_of(answer)

    refused = browser.post(page, {"language": "tlh", "mail": "urgent"})
    assert refused.status_code == 422
    assert Preferences.objects.get().language == "de"
    # An agent's side of the site speaks English whatever it asks for.
    problem = browser.get("/api/v1/agent", headers={"accept-language": "de"})
    assert (problem.status_code, problem.json()["title"]) == (401, "No valid key")


def test_ones_own_decision_can_be_given_to_somebody_else_for_a_second_look(cast: Cast) -> None:
    decision = decide_as(cast.alice, held(cast)).decision
    ask = reverse("reviews:second_look", args=[decision.public_id])
    browser = browser_of(cast.alice)
    assert browser_of(cast.bob).post(ask).status_code == 404
    assert browser.post(ask).status_code == 302
    assert not SecondOpinion.objects.exists()
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    assert "Ask for a second look" in text_of(browser.get(reverse("reviews:history")))
    assert [browser.post(ask).status_code for _ in range(2)] == [302, 302]
    assert SecondOpinion.objects.get().asked_by == cast.alice
    assert "No decisions match" in text_of(browser.get(reverse("reviews:history") + "?kind=reject"))
    shown = text_of(browser.get(reverse("reviews:history") + "?kind=approve&type=refund.issue"))
    assert "Refund 184 for SO-48213" in shown


def test_notices_are_listed_counted_and_marked_as_seen_by_a_post_alone(cast: Cast) -> None:
    item = held(cast)
    notices.tell(user=cast.alice, kind=NoticeKind.ESCALATED, item=item, key="a", now=database_now())
    notices.tell(user=cast.alice, kind=NoticeKind.ESCALATED, item=item, key="a", now=database_now())
    browser = browser_of(cast.alice)
    page = reverse("reviews:notices")
    assert "(1) Notices" in text_of(browser.get(page))
    assert Notice.objects.get().read_at is None
    assert browser.get(reverse("reviews:notices_read")).status_code == 405
    assert browser_of(cast.bob).post(reverse("reviews:notices_read")).status_code == 302
    assert Notice.objects.get().read_at is None
    assert browser.post(reverse("reviews:notices_read")).status_code == 302
    assert Notice.objects.get().read_at is not None


def test_who_is_off_duty_is_served_and_told_so(cast: Cast) -> None:
    held(cast)
    lead = make_person("Lea", "lead")
    now = database_now()
    team.add_shift(
        person=cast.alice,
        weekday=None,
        on_date=now.date() - timedelta(days=30),
        starts=time(9),
        ends=time(10),
        time_zone="UTC",
        by=lead,
        now=now,
    )
    answer = browser_of(cast.alice).post(reverse("reviews:next"), follow=True)
    assert "You are off duty by the rota." in text_of(answer)
