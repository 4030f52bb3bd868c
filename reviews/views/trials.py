"""The page "Try an action": paste a submission, read what the gate would say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from hitl_site.lib import strict_json
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import AgentState, AutonomyLevel
from policies.engine.facts import Level
from policies.models import AgentVersion
from policies.selectors import action_types
from reviews.adapters import submission as wire
from reviews.services import trials

if TYPE_CHECKING:  # generic in their stubs alone
    _VersionField = forms.ModelChoiceField[AgentVersion]
else:
    _VersionField = forms.ModelChoiceField

_RIGHT = "policies.manage_policies"
_SELECT = {"class": "select"}


class AgentVersionField(_VersionField):
    """A version of an agent, by both names."""

    def label_from_instance(self, obj: AgentVersion) -> str:
        told = gettext("{agent}, version {version}")
        return told.format(agent=obj.agent.name, version=obj.label) if obj.label else obj.agent.name


def _at(place: str, problem: str) -> str:
    # What is wrong with a submission is said as agents are told it, in English.
    return gettext("At {pointer}: {problem}").format(pointer=place, problem=problem)


class TrialForm(forms.Form):
    """A submission as an agent would send it, who would send it, and which text of the policy is asked."""

    submission = forms.CharField(
        label=_("Submission"),
        strip=False,
        widget=forms.Textarea(
            attrs={
                "class": "textarea textarea-code",
                "rows": 16,
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
        help_text=_("JSON, as an agent sends it to POST /api/v1/actions."),
        error_messages={"required": _("Paste a submission.")},
    )
    version = AgentVersionField(
        label=_("Agent"),
        queryset=AgentVersion.objects.none(),
        to_field_name="public_id",
        empty_label=None,
        widget=forms.Select(attrs=_SELECT),
        error_messages={"required": _("Choose an agent. An agent is listed once it has proposed something.")},
    )
    text = forms.ChoiceField(
        label=_("Policy"),
        choices=[
            (trials.Text.LIVE.value, _("The version in force")),
            (trials.Text.DRAFT.value, _("The draft")),
            (trials.Text.SHADOW.value, _("The version in shadow")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    as_level = forms.ChoiceField(
        label=_("Level"),
        required=False,
        choices=[("", _("As granted")), *AutonomyLevel.choices],
        widget=forms.Select(attrs=_SELECT),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        version = self.fields["version"]
        assert isinstance(version, AgentVersionField)
        version.queryset = (
            AgentVersion.objects.exclude(agent__state=AgentState.RETIRED)
            .select_related("agent")
            .order_by("agent__name", "-first_seen_at", "-id")
        )

    def clean_submission(self) -> wire.SubmissionBody:
        """Return the submission: through the same door as the API, each fault with its place."""
        text = str(self.cleaned_data["submission"])
        try:
            return wire.read(strict_json.parse(text.encode("utf-8", "surrogatepass")))
        except strict_json.DoorError as error:
            raise forms.ValidationError(
                _at(error.pointer, error.detail) if error.pointer else error.detail
            ) from None
        except wire.InvalidSubmission as invalid:
            raise forms.ValidationError(
                [_at(each.pointer or gettext("the top"), each.message) for each in invalid.complaints]
            ) from None

    @property
    def level(self) -> Level | None:
        """Return the level that is tried, None for the one granted."""
        chosen = self.cleaned_data["as_level"]
        return Level(chosen) if chosen else None


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(_RIGHT)
def show(request: AuthenticatedRequest) -> HttpResponse:
    """Show the form; a POST shows what the gate would say, and keeps nothing."""
    if request.method != "POST":
        beginning = _beginning(request.GET.get("action_type", ""))
        return _page(request, TrialForm(initial={"submission": beginning}))
    form = TrialForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        trial = trials.try_action(
            version=form.cleaned_data["version"],
            body=form.cleaned_data["submission"],
            text=trials.Text(form.cleaned_data["text"]),
            level=form.level,
            now=database_now(),
        )
    except trials.NoSuchText as problem:
        form.add_error("text", str(problem))
        return _page(request, form, status=422)
    return _page(request, form, trial=trial)


def _beginning(name: str) -> str:
    """Return a submission to start from: of this action type, where it is one."""
    action_type = action_types.by_name(name[:120])
    schema = action_type.argument_schema if action_type is not None else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    arguments = dict.fromkeys(properties) if isinstance(properties, dict) else {}
    submission = {
        "action_type": action_type.name if action_type is not None else "refund.issue",
        "arguments": arguments,
        "confidence": 0.9,
    }
    return json.dumps(submission, indent=2, ensure_ascii=False)


def _page(
    request: AuthenticatedRequest, form: TrialForm, *, trial: trials.Trial | None = None, status: int = 200
) -> HttpResponse:
    context = {"form": form, "trial": trial, "bar_title": gettext("Try an action")}
    return render(request, "policies/try/page.html", context, status=status)
