"""The examples of docs/api.md, run one after the other as they stand."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from hitl_site.lib.clock import database_now
from hitl_site.lib.problem_kinds import KINDS
from policies.choices import Scope
from policies.services import agents
from policies.services.ledger import Actor
from reviews.tests.api_client import content_of
from reviews.tests.cast import make_cast

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^(curl .*?)\n# (\d{3})$", re.DOTALL | re.MULTILINE)
BASE = "http://localhost/api/v1"


def examples() -> list[tuple[str, int]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [(command, int(status)) for block in blocks for command, status in EXAMPLE.findall(block)]


def expanded(command: str, values: dict[str, str]) -> list[str]:
    """Return the words of a command as a shell would: variables stand in double quotes alone here."""
    for name, value in values.items():
        command = command.replace(f"${name}", value)
    assert "$" not in command, command
    return shlex.split(command.replace("\\\n", " "))


def send(words: list[str]) -> Any:
    method, url, data, headers = "", "", None, {}
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(rest)
        else:
            url = word
    assert url.startswith(BASE)
    media_type = headers.pop("Content-Type", "application/octet-stream")
    return Client().generic(
        method or ("GET" if data is None else "POST"),
        url.removeprefix("http://localhost"),
        data=data or "",
        content_type=media_type,
        headers=headers,
    )


@pytest.mark.django_db
def test_every_example_answers_what_the_page_says() -> None:
    cast = make_cast()
    _, reporting = agents.create_key(
        agent=cast.clerk, scopes=[Scope.LABELS_WRITE], actor=Actor.system(), now=database_now()
    )
    values = {"HANDRAIL_URL": BASE, "HANDRAIL_KEY": cast.token, "LABELS_KEY": reporting}
    assert len(examples()) >= 11
    for command, status in examples():
        response = send(expanded(command, values))
        assert response.status_code == status, (command, content_of(response))
        answer = json.loads(content_of(response))
        if str(answer.get("id")).startswith("act_"):
            values |= {"ACTION": answer["id"], "DIGEST": answer["digest"]}
        if answer.get("permit"):
            values["PERMIT"] = answer["permit"]["id"]
        if answer.get("execution_id"):
            values["EXECUTION"] = answer["execution_id"]


def test_the_page_names_only_problems_that_exist_with_their_status() -> None:
    section = PAGE.split("## Errors")[1]
    rows = re.findall(r"^\| ([\d, ]+) \| (.*) \|$", section, re.MULTILINE)
    assert rows
    for statuses, kinds in rows:
        for slug in re.findall(r"`([a-z-]+)`", kinds):
            assert slug in KINDS, slug
            assert str(KINDS[slug].status) in statuses, slug
