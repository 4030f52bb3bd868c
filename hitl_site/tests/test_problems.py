"""Problem documents say one thing in one way, and each kind has its page."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client, RequestFactory
from django.urls import resolve, reverse

from hitl_site.lib import problem_kinds, problems, strict_json
from hitl_site.lib.problems import FieldError

# docs/api: what agents program against. A kind may be added; none of these may change.
PROMISED = {
    "malformed-json": 400, "missing-idempotency-key": 400, "unauthenticated": 401, "scope": 403,
    "not-found": 404,
    "already-decided": 409, "already-consumed": 409, "digest-mismatch": 409, "permit-expired": 409,
    "permit-revoked": 409, "not-approved": 409, "idempotency-in-progress": 409, "kill-switch-active": 409,
    "body-too-large": 413,
    "unsupported-media-type": 415, "validation": 422, "non-ijson": 422, "too-deep": 422,
    "idempotency-key-reused": 422, "rate-limited": 429, "too-many-pending": 429, "database-unavailable": 503,
    "storage-full": 503, "internal": 500,
}  # fmt: skip


def test_every_promised_kind_is_registered_with_its_status() -> None:
    assert {slug: problem_kinds.KINDS[slug].status for slug in PROMISED} == PROMISED


@pytest.mark.parametrize("kind", problem_kinds.KINDS.values(), ids=list(problem_kinds.KINDS))
def test_a_kind_is_fit_to_be_shown(kind: problem_kinds.ProblemKind) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert 400 <= kind.status <= 599
    assert kind.explanation.endswith(".")
    assert kind.remedy.endswith(".")
    assert resolve(problems.page_path(kind.slug)).func is problems.page
    assert reverse("problem", args=[kind.slug]) == problems.page_path(kind.slug)


@pytest.mark.parametrize("slug", problem_kinds.KINDS)
def test_no_problem_carries_a_verdict(slug: str) -> None:
    response = problems.response(problems.named(slug), RequestFactory().post("/api/v1/actions"))
    document = json.loads(response.content)
    assert "verdict" not in document
    assert document["type"] == f"/problems/{slug}/"
    assert response.status_code == document["status"] == problem_kinds.KINDS[slug].status


def test_a_problem_tells_where_and_why() -> None:
    problem = problems.named(
        "validation", "Two fields.", errors=(FieldError("/a~1b", "type", "Not a number."),)
    )
    request = RequestFactory().post("/api/v1/actions?x=1")
    document = json.loads(problems.response(problem, request).content)
    assert document == {
        "type": "/problems/validation/",
        "title": "Not valid",
        "status": 422,
        "detail": "Two fields.",
        "instance": "/api/v1/actions",
        "request_id": "",
        "errors": [{"pointer": "/a~1b", "code": "type", "message": "Not a number."}],
        "retryable": False,
    }


def test_a_wait_is_told_in_seconds() -> None:
    request = RequestFactory().get("/api/v1/actions")
    headers = problems.response(problems.named("rate-limited", retry_after=7), request).headers
    assert headers["Retry-After"] == "7"
    assert problems.named("database-unavailable").headers == {"Retry-After": "2"}


def test_a_refusal_at_the_door_becomes_a_problem_with_its_pointer() -> None:
    with pytest.raises(strict_json.DoorError) as caught:
        strict_json.parse(b'{"a":[NaN]}')
    problem = problems.from_door(caught.value)
    assert (problem.status, problem.slug) == (422, "non-ijson")
    assert problem.errors == (FieldError("/a/0", "non-ijson", "NaN is not a JSON number."),)


def test_a_problem_of_no_registered_kind_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        problems.named("made-up")


@pytest.mark.django_db
def test_every_kind_has_a_page_and_a_line_in_the_list(client: Client) -> None:
    listing = client.get("/problems/")
    assert listing.status_code == 200
    for slug in problem_kinds.KINDS:
        assert f'href="/problems/{slug}/"' in listing.content.decode()
    page = client.get("/problems/digest-mismatch/")
    assert page.status_code == 200
    assert "Digest mismatch" in page.content.decode()
    assert client.get("/problems/made-up/").status_code == 404
