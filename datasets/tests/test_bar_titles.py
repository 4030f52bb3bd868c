"""On a small screen the bar names the page: cases, datasets, exports, evals, redaction, like any other."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from datasets.models import LabelledCase, RedactionProfile
from datasets.services import redaction
from datasets.tests.base import Learners, make_learners
from datasets.tests.evals import finished, make_judged
from hitl_site.lib.clock import database_now

pytestmark = pytest.mark.django_db

_BAR = re.compile(r'<header class="bar mob">.*?<span class="b grow">([^<]*)</span>', re.DOTALL)


@pytest.fixture
def learners() -> Learners:
    return make_learners()


def test_the_bar_of_each_page_about_data_names_it(learners: Learners) -> None:
    judged = make_judged(learners.cast)
    before, now = finished(judged, failing=[]), finished(judged, failing=[], label="3")
    redaction.default_profile(now=database_now())
    profile = RedactionProfile.objects.earliest("pk").public_id
    case, version = LabelledCase.objects.earliest("pk").public_id, now.version
    run = reverse("datasets:eval", args=[now.public_id])
    pages = {
        reverse("datasets:cases"): ("Cases", "Fälle"),
        reverse("datasets:case", args=[case]): ("Case", "Fall"),
        reverse("datasets:index"): ("Datasets", "Datensätze"),
        reverse("datasets:new"): ("Datasets", "Datensätze"),
        reverse("datasets:edit", args=[version.dataset.public_id]): ("Datasets", "Datensätze"),
        reverse("datasets:detail", args=[version.dataset.public_id]): ("Datasets", "Datensätze"),
        reverse("datasets:version", args=[version.public_id]): ("Datasets", "Datensätze"),
        reverse("datasets:export", args=[version.public_id]): ("Exports", "Exporte"),
        reverse("datasets:exports"): ("Exports", "Exporte"),
        reverse("datasets:schedules", args=[version.dataset.public_id]): ("Exports", "Exporte"),
        reverse("datasets:evals"): ("Evals", "Evals"),
        run: ("Evals", "Evals"),
        f"{run}compare/?with={before.public_id}": ("Evals", "Evals"),
        reverse("datasets:graders"): ("Graders", "Bewerter"),
        reverse("datasets:grader", args=["refund.issue"]): ("Graders", "Bewerter"),
        reverse("datasets:learning"): ("What was learned", "Was gelernt wurde"),
        reverse("datasets:redaction"): ("Redaction", "Schwärzung"),
        reverse("datasets:redaction_edit", args=[profile]): ("Redaction", "Schwärzung"),
        reverse("datasets:redaction_preview", args=[profile]): ("Redaction", "Schwärzung"),
    }
    browser = Client()
    browser.force_login(learners.mia)
    found = {
        address: tuple(
            _BAR.findall(browser.get(address, headers={"accept-language": language}).content.decode())
            for language in ("en", "de")
        )
        for address in pages
    }
    assert found == {address: ([english], [german]) for address, (english, german) in pages.items()}
