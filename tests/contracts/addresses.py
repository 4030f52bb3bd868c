"""Every address of the site, as the tests that ask all of them fill it in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

# Django's own administration has one gate for all of it: is_superuser (datasets/tests/test_admin.py). Whether
# the site is ready depends on its worker, and is told to everybody (hitl_site/tests).
_ELSEWHERE = ("admin/", "readyz")
_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
_NOBODYS = "0" * 32
_GROUP = re.compile(r"\(\?P<(\w+)>((?:[^()]|\([^()]*\))*)\)")
_PREFIX = re.compile(r"([a-z]+)_|\(\?:([a-z]+)\|")


class Undone(Exception):
    """Ends the transaction of a request, so that nothing of it stays."""


def routes() -> list[str]:
    """Return every route, as Django writes it."""
    return sorted(set(_routes(get_resolver().url_patterns)))


def filled_in(route: str, known: Mapping[str, str]) -> str:
    """Return an address of the route: with what is known by a parameter's name, else with what nobody has."""

    def value(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if name in known:
            return known[name]
        return {"int": "1", "uuid": "00000000-0000-0000-0000-000000000000"}.get(kind or "", f"x_{_NOBODYS}")

    def expression(match: re.Match[str]) -> str:
        name, pattern = match.groups()
        prefix = _PREFIX.match(pattern)
        made = f"{prefix[1] or prefix[2]}_{_NOBODYS}" if prefix else "x"
        return known[name] if re.fullmatch(pattern, known.get(name, "")) else made

    if "(?P<" in route:
        return "/" + _GROUP.sub(expression, route).replace("^", "").replace("$", "")
    return "/" + _PARAMETER.sub(value, route)


def _routes(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if route.startswith(_ELSEWHERE):
            continue
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route
