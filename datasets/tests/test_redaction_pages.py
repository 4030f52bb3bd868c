from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from datasets.models import LabelledCase, RedactionProfile
from datasets.redaction import everything
from datasets.services import redaction
from datasets.tests.base import Learners, decide, label, make_dataset
from datasets.tests.test_dataset_pages import as_
from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind
from reviews.tests.cast import REFUND


@pytest.fixture
def profile(db: None) -> RedactionProfile:
    return redaction.default_profile(now=database_now())


def addresses(profile: RedactionProfile) -> list[str]:
    return [
        reverse("datasets:redaction"),
        reverse("datasets:redaction_new"),
        reverse("datasets:redaction_edit", args=[profile.public_id]),
        reverse("datasets:redaction_preview", args=[profile.public_id]),
    ]


def form(*rules: dict[str, str], **given: object) -> dict[str, object]:
    data: dict[str, object] = {
        "based_on": "0",
        "detectors": ["email", "iban"],
        "rules-TOTAL_FORMS": str(len(rules)),
        "rules-INITIAL_FORMS": "0",
    }
    for number, rule in enumerate(rules):
        for name, value in {"treatment": "mask", "action_types": "", **rule}.items():
            data[f"rules-{number}-{name}"] = value
    return {**data, **given}


def test_only_who_exports_sees_the_profiles(learners: Learners, profile: RedactionProfile) -> None:
    for address in addresses(profile):
        assert Client().get(address).status_code == 302
        assert as_(learners.rita).get(address).status_code == 403
        assert as_(learners.vic).get(address).status_code == 403
        assert as_(learners.vic).post(address, form(name="Mine")).status_code in (403, 405)
        assert as_(learners.mia).get(address).status_code == 200
    assert as_(learners.mia).get(f"/redaction/rdp_{'0' * 32}/").status_code == 404
    assert RedactionProfile.objects.count() == 1


def test_the_first_look_makes_the_profile_that_everybody_needs(learners: Learners) -> None:
    page = as_(learners.mia).get(reverse("datasets:redaction"))

    assert RedactionProfile.objects.get().name == "Personal data"
    assert "Personal data" in page.content.decode()


def test_a_profile_is_made_and_changed_in_a_form(learners: Learners) -> None:
    mia = as_(learners.mia)
    rules = (
        {"pointer": "/arguments/name", "treatment": "pseudonym", "action_types": "refund.issue, parcel.send"},
        {"pointer": ""},
        {"pointer": "/input/context/messages/*/content", "treatment": "drop"},
    )
    answer = mia.post(reverse("datasets:redaction_new"), form(*rules, name="Strict"))

    first = RedactionProfile.objects.get()
    assert answer.status_code == 302
    assert answer.headers["Location"] == reverse("datasets:redaction_preview", args=[first.public_id])
    assert first.document == {
        "format": "handrail.redaction/1",
        "detectors": ["email", "iban"],
        "rules": [
            {
                "pointer": "/arguments/name",
                "treatment": "pseudonym",
                "action_types": ["refund.issue", "parcel.send"],
            },
            {"pointer": "/input/context/messages/*/content", "treatment": "drop", "action_types": []},
        ],
    }
    edit = reverse("datasets:redaction_edit", args=[first.public_id])
    assert 'value="refund.issue, parcel.send"' in mia.get(edit).content.decode()
    assert mia.post(edit, form(based_on="1")).status_code == 302
    assert RedactionProfile.objects.get(number=2).document["rules"] == []
    stale = mia.post(edit, form(based_on="1", detectors=["card"]))
    assert stale.status_code == 409
    assert "Somebody saved this profile after you opened it" in stale.content.decode()
    assert RedactionProfile.objects.count() == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (form({"pointer": "/proposal/arguments/name"}, name="Strict"), "Write /arguments/...: that covers"),
        (form({"pointer": "/label"}, name="Strict"), "A rule points into one of"),
        (form(name=""), "This field is required."),
        (form(name="Strict", detectors=[]), "A profile needs a detector or a rule."),
        (form(name="Strict", detectors=["names"]), "Select a valid choice."),
        (form({"pointer": "/arguments/a", "treatment": "burn"}, name="Strict"), "Select a valid choice."),
        ({"name": "Strict"}, "ManagementForm data is missing"),
        (form(name="Strict", **{"rules-TOTAL_FORMS": "9" * 30}), "Please submit at most 200 forms."),
    ],
)
def test_nothing_is_lost_when_something_is_wrong(
    learners: Learners, data: dict[str, object], said: str
) -> None:
    answer = as_(learners.mia).post(reverse("datasets:redaction_new"), data)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert RedactionProfile.objects.count() == 0
    if "rules-0-pointer" in data:
        assert f'value="{data["rules-0-pointer"]}"' in page
        assert 'value="Strict"' in page
        assert re.search(r'href="#id_rules-0-(pointer|treatment)"', page)


def test_more_rows_keep_what_was_written(learners: Learners) -> None:
    data = form({"pointer": "/arguments/name", "action_types": "a, b"}, name="Half", more="1")

    answer = as_(learners.mia).post(reverse("datasets:redaction_new"), data)

    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="/arguments/name"' in page
    assert 'value="a, b"' in page
    assert 'value="Half"' in page
    assert page.count('<legend class="vh">Rule ') == 6
    assert re.findall(r'value="(\w+)" class="check"[^>]*checked', page) == ["email", "iban"]
    assert RedactionProfile.objects.count() == 0


def test_a_count_of_rows_that_no_number_can_hold_is_none(learners: Learners) -> None:
    data = form({"pointer": "/arguments/name"}, name="Strict", more="1", **{"rules-TOTAL_FORMS": "9" * 5000})
    assert as_(learners.mia).post(reverse("datasets:redaction_new"), data).status_code == 200


def test_a_name_that_is_taken_is_said_at_its_field(learners: Learners, profile: RedactionProfile) -> None:
    answer = as_(learners.mia).post(reverse("datasets:redaction_new"), form(name=profile.name))

    assert answer.status_code == 409
    assert "There is a profile named" in answer.content.decode()
    assert RedactionProfile.objects.count() == 1


def test_the_preview_shows_real_cases_before_and_after(learners: Learners, profile: RedactionProfile) -> None:
    note = "<b>anna.berg@example.com</b> called from +49 171 1234567"
    decide(learners.cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 12.5}, note=note)
    label()
    dataset = make_dataset()
    address = reverse("datasets:redaction_preview", args=[profile.public_id])

    page = as_(learners.mia).get(address, {"dataset": dataset.public_id}).content.decode()

    before, _, after = page.partition(">After</h3>")
    assert "anna.berg" in re.sub(r"</?del>", "", before)
    assert "anna" not in after
    assert "⟨" in after
    assert "<b>" + "anna" not in page
    # A whole number stays one, however it is written.
    assert "<del>.0</del>" not in page
    assert "&quot;propensity&quot;: 1," in before
    assert "E-mail addresses" in page
    assert "Telephone numbers" in page
    # What is stored stays as it was.
    assert LabelledCase.objects.get().content["decision"]["note"] == note
    assert as_(learners.mia).get(address, {"dataset": "dst_nothing"}).status_code == 404


def test_a_preview_without_a_dataset_says_so(learners: Learners, profile: RedactionProfile) -> None:
    address = reverse("datasets:redaction_preview", args=[profile.public_id])

    assert "No cases to show" in as_(learners.mia).get(address).content.decode()


def test_everything_is_the_default(profile: RedactionProfile) -> None:
    assert profile.document == everything().to_document()
