"""The policy is on every answer, and loose nowhere but in Django's admin."""

from __future__ import annotations

import re
from pathlib import Path

import django_htmx
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from hitl_site.lib import csp

EXACT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self' http://testserver:8001; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'; "
    "manifest-src 'self'; worker-src 'self'; require-trusted-types-for 'script'; trusted-types htmx"
)


def answer(address: str, **headers: str) -> HttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("", headers=headers)

    response = csp.ContentSecurityPolicyMiddleware(view)(RequestFactory().get(address))
    assert isinstance(response, HttpResponse)
    return response


def test_every_answer_carries_exactly_this_policy() -> None:
    for address in ("/", "/review/itm_1/", "/api/v1/actions", "/adminx/", "/admin"):
        assert answer(address).headers["Content-Security-Policy"] == EXACT


def connect_src(address: str = "/", **meta: str) -> str:
    response = csp.ContentSecurityPolicyMiddleware(lambda request: HttpResponse(""))(
        RequestFactory().get(address, **meta)  # type: ignore[arg-type]  # META values
    )
    return next(part for part in response.headers[csp.HEADER].split("; ") if part.startswith("connect-src"))


@pytest.mark.parametrize(
    ("stream", "allowed"),
    [
        ("https://live.example.com/stream", "connect-src 'self' https://live.example.com"),
        ("http://testserver/stream", "connect-src 'self'"),
        ("https://[broken", "connect-src 'self'"),
        ("/stream", "connect-src 'self'"),
    ],
)
def test_pages_may_listen_to_the_stream_where_that_is_another_origin(stream: str, allowed: str) -> None:
    with override_settings(STREAM_URL=stream):
        assert connect_src() == allowed


def test_a_host_that_is_not_ours_never_gets_into_the_policy() -> None:
    for host in ("evil.example", "testserver; script-src *", "testserver:80:80", ""):
        assert connect_src(HTTP_HOST=host) == "connect-src 'self'", host
    assert connect_src("/admin/") == "connect-src 'self'"


def test_a_page_asked_for_under_another_host_is_a_400(client: Client) -> None:
    assert client.get("/login/", HTTP_HOST="evil.example").status_code == 400


def test_the_admin_may_style_inline_but_still_runs_no_inline_script() -> None:
    value = answer("/admin/auth/user/").headers["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in value
    assert "script-src 'self';" in value
    assert "unsafe-eval" not in value
    assert value.count("unsafe-inline") == 1


def test_no_page_may_use_the_camera_or_the_place() -> None:
    features = answer("/").headers["Permissions-Policy"].split(", ")
    assert {"camera=()", "microphone=()", "geolocation=()"} <= set(features)
    assert all(re.fullmatch(r"[a-z-]+=\(\)", feature) for feature in features)


def test_a_policy_that_a_view_has_set_is_kept() -> None:
    response = answer("/file", **{"Content-Security-Policy": "sandbox"})
    assert response.headers["Content-Security-Policy"] == "sandbox"


def test_htmx_makes_no_policy_by_itself_so_ours_gives_it_one() -> None:
    shipped = Path(django_htmx.__file__).parent / "static" / "django_htmx"
    htmx = (shipped / "htmx-4.js").read_text(encoding="utf-8")
    assert "createPolicy" not in htmx
    assert "initSecurity" in htmx
    ours = Path(__file__).parents[2] / "static" / "js" / "trusted_types.js"
    assert re.search(r'createPolicy\(\s*"htmx"', ours.read_text(encoding="utf-8"))
