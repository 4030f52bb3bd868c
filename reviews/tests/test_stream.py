"""The stream process for real: events, long waits, who may follow, and what happens when somebody leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES
from policies.services import agents
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, NoticeKind
from reviews.services import claims, deadlines, notices
from reviews.tests.browsing import browser_of
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person
from reviews.tests.stream_server import StreamServer, next_event, serve_stream

pytestmark = pytest.mark.django_db(transaction=True)

SITE_PORT = 8000


@pytest.fixture(scope="module")
def stream(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[StreamServer]:
    with serve_stream(site_port=SITE_PORT) as server:
        yield server


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    from hitl_site.groups import make_groups

    make_groups()
    return make_cast()


def cookie_of(browser: Client) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def test_an_item_that_comes_is_held_or_goes_ticks_in_every_open_inbox(
    stream: StreamServer, cast: Cast
) -> None:
    followers = [
        stream.get("/live/inbox", Cookie=cookie_of(browser_of(person))) for person in (cast.alice, cast.dan)
    ]
    for answer in followers:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        next_event(answer, "hello")
    item = held(cast)
    for answer in followers:
        next_event(answer, "inbox-changed")
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=database_now())
    for answer in followers:
        next_event(answer, "inbox-changed")
    decide_as(cast.alice, item)
    for answer in followers:
        next_event(answer, "inbox-changed")
        answer.close()


def test_what_one_person_is_told_ticks_on_their_pages_alone(stream: StreamServer, cast: Cast) -> None:
    alice, bob = (
        stream.get("/live/inbox", Cookie=cookie_of(browser_of(person))) for person in (cast.alice, cast.bob)
    )
    for answer in (alice, bob):
        next_event(answer, "hello")
    item = held(cast)
    for answer in (alice, bob):
        next_event(answer, "inbox-changed")
    notices.tell(user=cast.alice, kind=NoticeKind.HALF_TIME, item=item, key="a", now=database_now())
    next_event(alice, "notices-changed")
    notices.mark_read(user=cast.alice, now=database_now())
    next_event(alice, "notices-changed")
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=database_now())
    # Notifications keep their order: the first that Bob hears of is of the item.
    assert next(line for line in bob if line.startswith(b"event:")) == b"event: inbox-changed\n"
    for answer in (alice, bob):
        answer.close()


def test_only_people_who_may_see_the_inbox_can_follow_it(stream: StreamServer, cast: Cast) -> None:
    gone = browser_of(cast.bob)
    signed_out = cookie_of(gone)
    gone.logout()
    stale = cookie_of(browser_of(cast.carol))
    cast.carol.set_password("another-password")
    cast.carol.save()
    inactive = cookie_of(browser_of(cast.olga))
    cast.olga.is_active = False
    cast.olga.save()
    cookies = {
        "nobody": "",
        "nonsense": f"{settings.SESSION_COOKIE_NAME}=%00; x; =;",
        "a stranger": f"{settings.SESSION_COOKIE_NAME}={'a' * 32}",
        "signed out": signed_out,
        "with an old password": stale,
        "deactivated": inactive,
        "without the right": cookie_of(browser_of(make_person("Otto"))),
    }
    refused = {}
    for who, cookie in cookies.items():
        answer = stream.get("/live/inbox", Cookie=cookie)
        refused[who] = (answer.status, answer.read())
    assert refused == dict.fromkeys(cookies, (403, b"Sign in to follow the inbox."))


def test_only_the_sites_own_pages_may_read_it_from_another_origin(stream: StreamServer, cast: Cast) -> None:
    cookie = cookie_of(browser_of(cast.alice))
    allowed = {}
    origins = (
        f"http://localhost:{SITE_PORT}",
        "http://localhost:9999",
        "http://localhost",
        f"http://evil.example:{SITE_PORT}",
        f"http://localhost.evil.example:{SITE_PORT}",
        f"http://localhost:{SITE_PORT}@evil.example",
        "null",
        "http://localhost:99999999",
        "http://[",
        "",
    )
    for origin in origins:
        answer = stream.get("/live/inbox", Cookie=cookie, Origin=origin)
        next_event(answer, "hello")
        allowed[origin] = (
            answer.headers["Access-Control-Allow-Origin"],
            answer.headers["Access-Control-Allow-Credentials"],
        )
        answer.close()
    own = f"http://localhost:{SITE_PORT}"
    assert allowed == {**dict.fromkeys(origins, (None, None)), own: (own, "true")}


def test_a_wait_ends_when_a_person_has_decided(stream: StreamServer, cast: Cast) -> None:
    item = held(cast)
    key = {"Authorization": f"Bearer {cast.token}"}
    answers: list[dict[str, object]] = []

    def wait() -> None:
        answer = stream.get(f"/api/v1/actions/{item.action.public_id}?wait=15", **key)
        answers.append(json.loads(answer.read()))

    waiter = threading.Thread(target=wait)
    waiter.start()
    decided = decide_as(cast.alice, item, DecisionKind.APPROVE)
    waiter.join(0.5)
    assert waiter.is_alive()  # an answer in its undo window is none yet
    deadlines.release_due(now=decided.decision.release_at)
    waiter.join(10)
    assert [answer["state"] for answer in answers] == ["approved"]


def test_a_wait_by_a_stranger_or_by_another_agent_learns_nothing(stream: StreamServer, cast: Cast) -> None:
    action = held(cast).action
    decide_as(cast.alice, action.items.get(), DecisionKind.REJECT)
    now, olga = database_now(), Actor.person(cast.olga)
    deadlines.release_due(now=now + timedelta(days=365))
    other = agents.create_agent(name="other", actor=olga, now=now)
    _, token = agents.create_key(agent=other, scopes=AGENT_SCOPES, actor=olga, now=now)
    url = f"/api/v1/actions/{action.public_id}?wait=5"
    assert stream.get(url).status == 401
    assert stream.get(url, Authorization=f"Bearer {token}").status == 404
    assert stream.get(url, Authorization=f"Bearer {cast.token}").status == 200


def test_strangers_and_other_agents_are_not_kept_waiting_for_what_is_open(
    stream: StreamServer, cast: Cast
) -> None:
    """How long their answer takes would tell when it is decided: longer than this client waits."""
    action = held(cast).action
    olga = Actor.person(cast.olga)
    other = agents.create_agent(name="other", actor=olga, now=database_now())
    _, token = agents.create_key(agent=other, scopes=AGENT_SCOPES, actor=olga, now=database_now())
    url = f"/api/v1/actions/{action.public_id}?wait=30"
    assert stream.get(url).status == 401
    assert stream.get(url, Authorization=f"Bearer {token}").status == 404
    action.refresh_from_db()
    assert action.state == "pending_review"


def test_what_does_not_wait_is_not_here(stream: StreamServer) -> None:
    for path in ("/", "/inbox/", "/login/", "/api/v1/actions", "/live/inbox/", "/live/other"):
        assert stream.get(path).status == 404, path


def test_followers_that_leave_hold_nothing(stream: StreamServer, cast: Cast) -> None:
    cookie = cookie_of(browser_of(cast.alice))
    for _ in range(40):
        answer = stream.get("/live/inbox", Cookie=cookie)
        next_event(answer, "hello")
        answer.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'handrail-stream'")
        (connections,) = cursor.fetchone()
    assert connections <= 5  # the listener and the pool of four
    last = stream.get("/live/inbox", Cookie=cookie)
    next_event(last, "hello")
    held(cast)
    next_event(last, "inbox-changed")
    last.close()


def test_the_stream_survives_the_loss_of_every_database_connection(stream: StreamServer, cast: Cast) -> None:
    cookie, item = cookie_of(browser_of(cast.alice)), held(cast)
    open_before = stream.get("/live/inbox", Cookie=cookie)
    next_event(open_before, "hello")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    # Whoever follows is told to look again, since what was missed cannot be known.
    next_event(open_before, "inbox-changed")
    open_before.close()
    again = stream.get("/live/inbox", Cookie=cookie)
    assert again.status == 200
    next_event(again, "hello")
    again.close()
    key = {"Authorization": f"Bearer {cast.token}"}
    assert stream.get(f"/api/v1/actions/{item.action.public_id}?wait=1", **key).status == 200
