"""Action types: what an operator declares about a kind of act."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from hitl_site.lib import ids
from hitl_site.lib.fields import OrderedJSONField
from policies.choices import AutonomyLevel, Risk


class ActionType(models.Model):
    """A named kind of act, such as ``refund.issue``.

    ``argument_schema`` is JSON Schema 2020-12: the declared scope of the arguments and the source of the edit
    form. ``title_template`` makes the sentence of the inbox (``Refund {amount|money} to {customer}``).
    What an approval binds is everything in the digest, except where declared here: ``cosmetic_pointers`` (RFC
    6901) name arguments that may differ, ``normalised_fields`` maps a pointer to the form in which its value
    is compared. ``second_admin`` says whether publishing takes a second person; None follows the risk.
    ``reason_codes`` is a list of ``{"code", "label"}``; ``checklist`` a list of sentences.
    Evidence counts an edit as an error where it touches ``material_pointers`` (none named: every field), and
    weighs it by ``severities`` (reason code to a loss in [0, 1]). ``evidence_sources`` say which tool result
    a reviewer should see beside an argument: ``{"pointer", "tool", "path", "label"}``, the path being
    JSONPath (RFC 9535). ``ladder`` holds what differs from the usual rules of promotion and demotion.
    """

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    name = models.CharField(max_length=120, unique=True)
    title = models.CharField(max_length=160)
    title_template = models.CharField(max_length=300, blank=True)
    icon = models.CharField(max_length=40, default="wrench")
    risk = models.CharField(max_length=16, choices=Risk, default=Risk.MEDIUM)
    irreversible = models.BooleanField(default=False)
    widens_rights = models.BooleanField(default=False)
    argument_schema = OrderedJSONField(null=True, blank=True)
    reason_codes = models.JSONField(default=list, blank=True)
    checklist = models.JSONField(default=list, blank=True)
    # RFC 6901 pointer into the arguments whose value groups actions that are one event, "" for none.
    cluster_pointer = models.CharField(max_length=200, blank=True)
    cosmetic_pointers = models.JSONField(default=list, blank=True)
    normalised_fields = models.JSONField(default=dict, blank=True)
    pause_on_mismatch = models.BooleanField(
        default=False, help_text="Stop this action type when something else ran than was decided."
    )
    second_admin = models.BooleanField(null=True, blank=True)
    autonomy_cap = models.CharField(max_length=16, choices=AutonomyLevel, default=AutonomyLevel.AUTONOMOUS)
    first_contact_level = models.CharField(
        max_length=16,
        choices=[(each, each.label) for each in (AutonomyLevel.SHADOW, AutonomyLevel.REVIEW_ALL)],
        default=AutonomyLevel.REVIEW_ALL,
    )
    reading_floor_ms = models.PositiveIntegerField(default=2000)
    material_pointers = models.JSONField(default=list, blank=True)
    severities = models.JSONField(default=dict, blank=True)
    evidence_sources = models.JSONField(default=list, blank=True)
    # RFC 6901 pointer to the number that is at stake, and what it is counted in (ISO 4217 for money).
    value_pointer = models.CharField(max_length=200, blank=True, default="")
    currency = models.CharField(max_length=12, blank=True, default="")
    cost_of_error = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    cost_of_review_minute = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    cost_of_delay = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # The share of wrong actions among those that run alone which is not to be passed; None follows the risk.
    error_limit = models.FloatField(null=True, blank=True)
    ladder = models.JSONField(default=dict, blank=True)
    evals_required = models.BooleanField(default=False)
    drill_rate = models.FloatField(default=0.0)
    # Whether a person's shift begins with a few drills of this type, where enough are approved.
    drill_burst = models.BooleanField(default=False)
    second_opinion_rate = models.FloatField(default=0.0)
    # How many low-risk items may be decided at once; 0 for none.
    bulk_cap = models.PositiveSmallIntegerField(default=25)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        permissions = [("manage_policies", "Can declare action types and publish policies")]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="action_type_has_a_name"),
            models.CheckConstraint(
                condition=Q(first_contact_level__in=["shadow", "review_all"]),
                name="action_type_first_contact_never_runs_alone",
            ),
            models.CheckConstraint(
                condition=Q(error_limit=None) | Q(error_limit__gt=0, error_limit__lt=1),
                name="action_type_error_limit_between_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(drill_rate__gte=0, drill_rate__lte=0.05)
                & Q(second_opinion_rate__gte=0, second_opinion_rate__lte=1),
                name="action_type_rates_of_checking_in_range",
            ),
            models.CheckConstraint(condition=Q(bulk_cap__lte=25), name="action_type_bulk_cap_within_25"),
        ]

    def __str__(self) -> str:
        return self.name
