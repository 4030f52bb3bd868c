"""Accounts on the record: signing in and out, the admin, the commands; and what is never written down."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client

from hitl_site.lib.clock import database_now
from hitl_site.sign_in import REFUSALS
from policies.models import LedgerEntry
from policies.services import accounts
from reviews.models import Queue

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough password"


@pytest.fixture(autouse=True)
def _nobody_guessed_yet() -> Iterator[None]:
    REFUSALS.forget()
    yield
    REFUSALS.forget()


@pytest.fixture
def rita(db: None) -> User:
    return User.objects.create_user("rita", password=PASSWORD, email="rita@example.com")


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


def told() -> list[tuple[str, str, Any]]:
    """Return who did what, and what is said of it, first things first."""
    entries = LedgerEntry.objects.select_related("payload").order_by("id")
    return [(entry.actor_name, entry.verb, entry.payload.body) for entry in entries]


def sign_in(name: str, password: str) -> Client:
    client = Client()
    client.post("/login/", {"username": name, "password": password}, REMOTE_ADDR="203.0.113.9")
    return client


def test_signing_in_and_out_is_recorded(rita: User) -> None:
    sign_in("rita", PASSWORD).post("/logout/")
    assert told() == [
        ("rita", "account.signed_in", {"name": "rita"}),
        ("rita", "account.signed_out", {"name": "rita"}),
    ]


def test_a_session_ends_half_a_day_after_signing_in(rita: User) -> None:
    browser = sign_in("rita", PASSWORD)
    assert browser.get("/settings/me/").status_code == 200
    assert browser.cookies["handrail-session"]["max-age"] == 12 * 3600
    Session.objects.update(expire_date=database_now())
    assert browser.get("/settings/me/").status_code == 302


def test_sessions_that_are_over_are_taken_away(rita: User) -> None:
    over, lasting = sign_in("rita", PASSWORD), sign_in("rita", PASSWORD)
    now = database_now()
    Session.objects.filter(session_key=over.session.session_key).update(expire_date=now)
    kept = lasting.session.session_key
    assert accounts.forget_sessions(now=now) == 1
    assert list(Session.objects.values_list("session_key", flat=True)) == [kept]
    assert accounts.forget_sessions(now=now) == 0


def test_a_refused_sign_in_names_the_account_and_never_what_was_typed(rita: User) -> None:
    sign_in("rita", "wrong horse")
    sign_in("my secret typed into the wrong field", "x")
    sign_in("", "")
    assert told() == [
        ("sign-in page", "account.sign_in_refused", {"name": "rita"}),
        ("sign-in page", "account.sign_in_refused", {"name": None}),
    ]
    kept = str(list(LedgerEntry.objects.values())) + str(told())
    assert "203.0.113.9" not in kept
    assert "wrong horse" not in kept
    assert "my secret" not in kept


def test_guessing_does_not_fill_the_ledger(rita: User) -> None:
    for _ in range(accounts.REFUSALS_A_MINUTE + 3):
        sign_in("rita", "wrong")
    assert LedgerEntry.objects.count() == accounts.REFUSALS_A_MINUTE
    sign_in("rita", PASSWORD)
    assert told()[-1][1] == "account.signed_in"


def test_who_guessed_too_often_is_not_listened_to_and_nobody_else_is_kept_out(
    rita: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit begins anew every ten minutes of the clock: this test is within one of these spans.
    monkeypatch.setattr(REFUSALS, "_now", lambda: 1)
    for _ in range(REFUSALS.most):
        sign_in("rita", "wrong")
    before = LedgerEntry.objects.count()
    guesser = Client(REMOTE_ADDR="203.0.113.9")
    answer = guesser.post("/login/", {"username": "rita", "password": PASSWORD})
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert "Too many wrong passwords for this name came from your address." in answer.content.decode()
    assert "_auth_user_id" not in guesser.session
    assert LedgerEntry.objects.count() == before
    # An address that the guesser only claims is not believed.
    claimed = {"username": "rita", "password": PASSWORD}
    assert guesser.post("/login/", claimed, headers={"X-Forwarded-For": "198.51.100.7"}).status_code == 429
    # Behind a proxy that nobody told of, all people have one address: the others get in.
    User.objects.create_user("sam", password=PASSWORD)
    neighbour = Client(REMOTE_ADDR="203.0.113.9")
    assert neighbour.post("/login/", {"username": "sam", "password": PASSWORD}).status_code == 302
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert elsewhere.post("/login/", {"username": "rita", "password": PASSWORD}).status_code == 302


def test_rights_given_in_the_admin_are_recorded_with_before_and_after(rita: User, root: Client) -> None:
    lead = Group.objects.get(name="lead")
    joined = rita.date_joined
    form = {
        "username": "rita",
        "email": "other@example.com",
        "first_name": "Rita",
        "is_active": "on",
        "groups": lead.pk,
        "date_joined_0": joined.strftime("%Y-%m-%d"),
        "date_joined_1": joined.strftime("%H:%M:%S"),
    }
    answer = root.post(f"/admin/auth/user/{rita.pk}/change/", form)
    assert answer.status_code == 302
    ((name, verb, payload),) = told()
    assert (name, verb) == ("root", "account.changed")
    assert payload["before"]["groups"] == []
    assert payload["after"]["groups"] == ["lead"]
    assert payload["after"]["email"] == "not kept here"
    assert "example.com" not in str(payload)


def test_a_person_made_in_the_admin_is_recorded(root: Client) -> None:
    answer = root.post(
        "/admin/auth/user/add/",
        {"username": "omar", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert answer.status_code == 302
    ((_, verb, payload),) = told()
    assert (verb, payload["name"], payload["before"]) == ("account.created", "omar", None)
    assert PASSWORD not in str(payload)


def test_nobody_is_deleted_in_the_admin(rita: User, root: Client) -> None:
    assert root.post(f"/admin/auth/user/{rita.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=rita.pk).exists()


def test_a_password_set_in_the_admin_is_recorded(rita: User, root: Client) -> None:
    given = {"usable_password": "true", "password1": f"{PASSWORD}!", "password2": f"{PASSWORD}!"}
    root.post(f"/admin/auth/user/{rita.pk}/password/", {**given, "password2": "another"})
    assert told() == []
    assert root.post(f"/admin/auth/user/{rita.pk}/password/", given).status_code == 302
    assert told() == [("root", "account.password_changed", {"name": "rita"})]


def test_a_password_of_ones_own_is_recorded(root: Client) -> None:
    given = {"old_password": PASSWORD, "new_password1": f"{PASSWORD}!", "new_password2": f"{PASSWORD}!"}
    assert root.post("/admin/password_change/", given).status_code == 302
    assert told() == [("root", "account.password_changed", {"name": "root"})]


def test_groups_and_queues_changed_in_the_admin_are_recorded(root: Client) -> None:
    root.post("/admin/auth/group/add/", {"name": "night shift"})
    group = Group.objects.get(name="night shift")
    root.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})
    root.post("/admin/reviews/queue/add/", {"slug": "money", "name": "Money", "icon": "banknote"})
    queue = Queue.objects.get(slug="money")
    root.post(f"/admin/reviews/queue/{queue.pk}/change/", {"name": "Cash", "icon": "banknote"})
    assert [(verb, payload["before"], payload["after"]) for _, verb, payload in told()] == [
        ("group.created", None, {"name": "night shift"}),
        ("group.deleted", {}, None),
        ("queue.created", None, {"slug": "money", "name": "Money", "icon": "banknote"}),
        ("queue.changed", {"name": "Money"}, {"name": "Cash"}),
    ]
    assert LedgerEntry.objects.filter(object_id=queue.public_id).count() == 2


def test_the_administration_has_no_door_of_its_own(rita: User) -> None:
    answer = Client().get("/admin/login/?next=/admin/")
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/login/")
    client = Client()
    client.force_login(rita)
    assert client.get("/admin/login/").status_code == 403


def test_commands_leave_a_record(rita: User, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("create_user", "omar", group=["lead"], stdout=io.StringIO(), stderr=io.StringIO())
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}!\n"))
    call_command("changepassword", "rita", password_stdin=True, stderr=io.StringIO())
    made = {"active": True, "superuser": False, "groups": ["lead"]}
    assert told() == [
        ("command line", "account.created", {"name": "omar", "before": None, "after": made}),
        ("command line", "account.password_changed", {"name": "rita"}),
    ]
    rita.refresh_from_db()
    assert rita.check_password(f"{PASSWORD}!")


@pytest.mark.parametrize(("typed", "problem"), [("short\n", "too short"), ("", "No password")])
def test_a_password_that_will_not_do_changes_nothing(
    rita: User, monkeypatch: pytest.MonkeyPatch, typed: str, problem: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(CommandError, match=problem):
        call_command("changepassword", "rita", password_stdin=True)
    rita.refresh_from_db()
    assert rita.check_password(PASSWORD)
    assert told() == []


def test_djangos_own_command_for_superusers_leads_to_ours() -> None:
    with pytest.raises(CommandError, match="create_user NAME --superuser"):
        call_command("createsuperuser")
