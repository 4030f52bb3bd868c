"""A reviewer's browser without JavaScript, and with htmx: what its tests read and send."""

from __future__ import annotations

import html
import re
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import ZONE_COOKIE
from reviews.models import ReviewItem
from reviews.schema_form.plan import field_name

HTMX = {"HX-Request": "true"}
_INPUT = re.compile(r"<(input|textarea|select)\b([^>]*)>(?:\n?(.*?)</\1>)?", re.DOTALL)


def browser_of(person: User | None) -> Client:
    """Return the browser of somebody who has signed in; of a stranger for None."""
    client = Client()
    if person is not None:
        client.force_login(person)
    return client


def at_noon(client: Client) -> Client:
    """Put the browser where it is noon: what its pages say of today does not end while a test runs."""
    client.cookies[ZONE_COOKIE] = f"Etc/GMT{database_now().hour - 12:+d}"
    return client


def text_of(response: HttpResponseBase) -> str:
    """Return the page as text."""
    assert isinstance(response, HttpResponse)
    return response.content.decode()


def url(name: str, item: ReviewItem) -> str:
    """Return an address of the item."""
    return reverse(f"reviews:{name}", args=[item.public_id])


def name_of(*place: str) -> str:
    """Return the name of the control of one place in the arguments."""
    return field_name(place)


def open_form(client: Client, item: ReviewItem) -> dict[str, Any]:
    """Open the item's page and return the fields of its form, as a browser would send them untouched."""
    page = text_of(client.get(url("review", item)))
    form = page[page.index('<form id="review-form"') :]
    return fields_in(form[: form.index("</form>")])


def fields_in(markup: str) -> dict[str, Any]:
    """Return names and values of the controls in some markup."""
    fields: dict[str, Any] = {}
    for kind, attributes, inner in _INPUT.findall(markup):
        if kind == "select":
            continue
        given = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', attributes))
        name = given.get("name")
        if not name:
            continue
        if given.get("type") in {"checkbox", "radio"} and not re.search(r"\bchecked\b", attributes):
            continue
        value = html.unescape(inner if kind == "textarea" else given.get("value", ""))
        if given.get("type") == "checkbox":
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    fields.pop("csrfmiddlewaretoken", None)
    return fields
