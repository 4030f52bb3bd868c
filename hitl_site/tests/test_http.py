"""What requests carry, and how errors answer. No database: what needs one is told that there is none."""

from __future__ import annotations

import json
import re
import zoneinfo
from importlib import import_module
from typing import cast

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from hitl_site.lib import failures, http, problems, strict_json
from hitl_site.lib.http import SiteRequest

# This module is a URL conf of its own, with the handlers of the real one (see the last test).
handler400 = "hitl_site.lib.failures.bad_request"
handler403 = "hitl_site.lib.failures.permission_denied"
handler404 = "hitl_site.lib.failures.page_not_found"
handler500 = "hitl_site.lib.failures.server_error"


def echo(request: HttpRequest) -> HttpResponse:
    traced = cast(SiteRequest, request)
    trace = traced.traceparent.trace_id if traced.traceparent else ""
    return HttpResponse(f"{http.current_request_id()}|{trace}|{timezone.get_current_timezone_name()}")


def fail(request: HttpRequest, kind: str) -> HttpResponse:
    disk_full = OperationalError("could not extend file")
    disk_full.__cause__ = DiskFull()
    raise {
        "operational": OperationalError("the connection is lost"),
        "interface": InterfaceError("connection already closed"),
        "disk-full": disk_full,
        "too-big": RequestDataTooBig("too big"),
        "denied": PermissionDenied("secret reason"),
        "missing": Http404("secret name"),
        "bug": ZeroDivisionError("secret number"),
        "problem": problems.error("digest-mismatch", "The digests differ."),
        "door": strict_json.NotInteroperable("/a", "The key occurs twice in one object."),
    }[kind]


def read(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


@require_POST
def only_post(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


class DiskFull(Exception):
    sqlstate = "53100"


urlpatterns = [
    path("echo/", echo),
    path("api/v1/echo", echo),
    path("fail/<str:kind>/", fail),
    path("api/v1/fail/<str:kind>", fail),
    path("api/v1/only-post", only_post),
    path("read/", read),
    path("api/v1/read", read),
    path("problems/", problems.index, name="problems"),
    path("problems/<slug:slug>/", problems.page, name="problem"),
]
here = override_settings(ROOT_URLCONF=__name__)


@pytest.fixture
def site() -> Client:
    return Client(raise_request_exception=False)


@here
def test_a_harmless_request_id_goes_in_and_comes_out(site: Client) -> None:
    response = site.get("/api/v1/echo", headers={"X-Request-Id": "trace.me_1-A"})
    assert response.headers["X-Request-Id"] == "trace.me_1-A"
    assert response.content.split(b"|")[0] == b"trace.me_1-A"
    assert http.current_request_id() == ""


@here
@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\u00e9", "a;b", "a/b"])
def test_any_other_request_id_is_replaced(site: Client, given: str) -> None:
    response = site.get("/api/v1/echo", headers={"X-Request-Id": given})
    assert re.fullmatch("req_[0-9a-f]{32}", response.headers["X-Request-Id"])


@here
def test_a_request_keeps_its_id_through_an_error(site: Client) -> None:
    response = site.get("/api/v1/fail/bug", headers={"X-Request-Id": "abc"})
    assert response.status_code == 500
    assert response.json()["request_id"] == response.headers["X-Request-Id"] == "abc"


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_traceparent_is_read() -> None:
    trace = http.parse_traceparent(f"00-{TRACE}-00f067aa0ba902b7-01")
    assert trace == http.TraceParent(trace_id=TRACE, parent_id="00f067aa0ba902b7", flags="01")
    assert trace is not None
    assert trace.sampled
    assert http.parse_traceparent(f"cc-{TRACE}-00f067aa0ba902b7-00-what-comes-later") is not None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
        f"cc-{TRACE}-00f067aa0ba902b7-01more",
        f"00-{TRACE}-00f067aa0ba902b7-1",
    ],
)
def test_an_invalid_traceparent_is_ignored(header: str) -> None:
    assert http.parse_traceparent(header) is None


@here
def test_pages_use_the_zone_of_the_cookie_and_the_api_does_not(site: Client) -> None:
    site.cookies[http.ZONE_COOKIE] = "Europe/Berlin"
    assert site.get("/echo/").content.endswith(b"|Europe/Berlin")
    assert site.get("/api/v1/echo").content.endswith(b"|UTC")
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../../etc/passwd", "/etc/localtime", "Europe", "UTC\x00", "a" * 300]
)
def test_a_zone_that_does_not_exist_is_no_zone(name: str) -> None:
    assert http.parse_zone(name) is None


def test_a_zone_that_exists_is_found() -> None:
    assert http.parse_zone("America/Argentina/Ushuaia") == zoneinfo.ZoneInfo("America/Argentina/Ushuaia")


@here
@pytest.mark.parametrize(
    ("kind", "status", "slug"),
    [
        ("operational", 503, "database-unavailable"),
        ("interface", 503, "database-unavailable"),
        ("disk-full", 503, "storage-full"),
        ("too-big", 413, "body-too-large"),
        ("denied", 403, "forbidden"),
        ("missing", 404, "not-found"),
        ("bug", 500, "internal"),
        ("problem", 409, "digest-mismatch"),
        ("door", 422, "non-ijson"),
    ],
)
def test_the_api_answers_every_error_with_a_problem(site: Client, kind: str, status: int, slug: str) -> None:
    response = site.get(f"/api/v1/fail/{kind}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    document = response.json()
    assert set(document) == {
        "type", "title", "status", "detail", "instance", "request_id", "errors", "retryable",
    }  # fmt: skip
    assert document["type"] == f"/problems/{slug}/"
    assert document["status"] == status
    assert document["instance"] == f"/api/v1/fail/{kind}"
    assert "secret" not in response.content.decode()
    assert ("Retry-After" in response.headers) == (status == 503)


@here
@pytest.mark.parametrize(
    ("kind", "status"),
    [("operational", 503), ("too-big", 413), ("denied", 403), ("missing", 404), ("bug", 500)],
)
def test_pages_answer_errors_with_html_even_without_a_database(site: Client, kind: str, status: int) -> None:
    response = site.get(f"/fail/{kind}/")
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert b"<h1" in response.content
    assert b"secret" not in response.content
    assert ("Retry-After" in response.headers) == (status == 503)


@here
def test_an_unknown_address_of_the_api_is_a_problem(site: Client) -> None:
    document = site.get("/api/v1/nothing").json()
    assert document["type"] == "/problems/not-found/"
    assert document["detail"].startswith("There is no such address: /api/v1/docs lists those that there are.")


@here
def test_what_a_view_does_not_find_is_not_told_from_what_is_another_s(site: Client) -> None:
    document = site.get("/api/v1/fail/missing").json()
    assert document["detail"] == "There is nothing here, or it belongs to another agent."


@here
def test_a_host_name_that_is_not_ours_is_told_to_who_may_mend_it(site: Client) -> None:
    response = site.get("/api/v1/echo", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400
    assert "HANDRAIL_ALLOWED_HOSTS" in response.json()["detail"]


@here
def test_a_wrong_method_of_the_api_is_a_problem_that_names_the_right_one(site: Client) -> None:
    response = site.get("/api/v1/only-post", headers={"X-Request-Id": "abc"})
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert (document["type"], document["request_id"]) == ("/problems/method-not-allowed/", "abc")
    assert document["detail"] == "This address answers POST alone."


@here
@pytest.mark.parametrize(("address", "status"), [("/api/v1/e%00cho", 404), ("/api/v1/echo?a=%00", 400)])
def test_an_address_of_the_api_with_a_nul_is_a_problem(site: Client, address: str, status: int) -> None:
    response = site.get(address)
    assert response.status_code == response.json()["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"


@here
@pytest.mark.parametrize("address", ["/api/v1/echo", "/api/v1/nothing", "/api/v1/only-post"])
def test_every_answer_of_the_api_is_protected_and_has_a_length(site: Client, address: str) -> None:
    response = site.get(address)
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src" in response.headers["Content-Security-Policy"]
    assert response.headers["Content-Length"] == str(len(response.content))


@here
def test_the_api_is_answered_without_the_sessions_of_people(site: Client) -> None:
    # A cookie of a session would be looked up, and without a database that fails.
    site.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32
    response = site.post("/api/v1/only-post", b"{}", content_type="application/json")
    assert (response.status_code, response.cookies) == (200, {})


@here
@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
@pytest.mark.parametrize("address", ["/read/", "/api/v1/read"])
def test_a_body_over_the_cap_is_413_and_not_400(site: Client, address: str) -> None:
    assert site.post(address, b"x" * 11, content_type="application/octet-stream").status_code == 413
    assert site.post(address, b"x" * 10, content_type="application/octet-stream").content == b"10"


@here
def test_a_foreign_host_is_refused_with_a_page(site: Client) -> None:
    response = site.get("/echo/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert b"<h1" in response.content
    assert b"evil" not in response.content


@here
def test_a_form_without_its_token_is_refused_with_our_own_page() -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    response = strict.post("/read/")
    assert response.status_code == 403
    assert b"<h1" in response.content


def test_a_failure_outside_a_view_is_known_too() -> None:
    request = RequestFactory().get("/api/v1/x")
    try:
        raise OperationalError("the session cannot be saved")
    except OperationalError:
        response = failures.server_error(request)
    assert response.status_code == 503
    assert json.loads(response.content)["retryable"] is True


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
        ({"HX-Request": "1"}, False),
    ],
)
def test_a_fragment_is_what_htmx_asks_for_by_itself(headers: dict[str, str], expected: bool) -> None:
    assert http.is_fragment(RequestFactory().get("/", headers=headers)) is expected


@pytest.mark.parametrize(
    ("remote", "forwarded", "direct", "proxied"),
    [
        ("192.0.2.1", "", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        ("192.0.2.1", "10.0.0.1, 203.0.113.9", "192.0.2.1", "203.0.113.9"),
        ("::ffff:192.0.2.1", "", "192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "", "2001:db8::1", "2001:db8::1"),
        ("", "", "", ""),
        ("192.0.2.1", "nonsense", "192.0.2.1", ""),
    ],
)
def test_the_callers_address_cannot_be_made_up(
    remote: str, forwarded: str, direct: str, proxied: str
) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)
    assert http.client_address(request) == direct
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        assert http.client_address(request) == proxied


def test_cookies_choose_the_looks_and_nothing_else() -> None:
    request = RequestFactory().get("/")
    request.COOKIES.update({"handrail-theme": "dark", "handrail-density": '"><script>'})
    context = http.site_context(request)
    assert (context["theme"], context["density"], context["single_keys"]) == ("dark", "comfortable", "on")


def test_the_site_answers_errors_with_these_handlers() -> None:
    real = import_module("hitl_site.urls")
    assert (real.handler400, real.handler403, real.handler404, real.handler500) == (
        handler400,
        handler403,
        handler404,
        handler500,
    )
    assert settings.CSRF_FAILURE_VIEW == "hitl_site.lib.failures.csrf_failure"
