"""The tables of the gate: agents, action types, policies, the ledger, evidence and autonomy."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import hitl_site.lib.fields
import policies.models.ledger


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("policies", "0001_initial"),
        ("policies", "0003_gate_at_full_strength"),
        ("policies", "0006_a_right_to_manage_agents"),
        ("policies", "0007_ledger_at_a_million_entries"),
        ("policies", "0009_evidence_and_declared_costs"),
        ("policies", "0011_changes_to_declarations_wait"),
        ("policies", "0013_earned_autonomy"),
        ("policies", "0015_removals"),
        ("policies", "0017_what_a_policy_would_have_done"),
        ("policies", "0018_fewer_indexes_on_the_hot_path"),
        ("policies", "0019_trust_links"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ActionType",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=120, unique=True)),
                ("title", models.CharField(max_length=160)),
                ("title_template", models.CharField(blank=True, max_length=300)),
                ("icon", models.CharField(default="wrench", max_length=40)),
                (
                    "risk",
                    models.CharField(
                        choices=[
                            ("low", "Low risk"),
                            ("medium", "Medium risk"),
                            ("high", "High risk"),
                            ("critical", "Critical risk"),
                        ],
                        default="medium",
                        max_length=16,
                    ),
                ),
                ("irreversible", models.BooleanField(default=False)),
                ("widens_rights", models.BooleanField(default=False)),
                ("argument_schema", hitl_site.lib.fields.OrderedJSONField(blank=True, null=True)),
                ("reason_codes", models.JSONField(blank=True, default=list)),
                ("checklist", models.JSONField(blank=True, default=list)),
                ("cluster_pointer", models.CharField(blank=True, max_length=200)),
                ("cosmetic_pointers", models.JSONField(blank=True, default=list)),
                ("normalised_fields", models.JSONField(blank=True, default=dict)),
                (
                    "pause_on_mismatch",
                    models.BooleanField(
                        default=False,
                        help_text="Stop this action type when something else ran than was decided.",
                    ),
                ),
                ("second_admin", models.BooleanField(blank=True, null=True)),
                (
                    "autonomy_cap",
                    models.CharField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        default="autonomous",
                        max_length=16,
                    ),
                ),
                (
                    "first_contact_level",
                    models.CharField(
                        choices=[("shadow", "Shadow"), ("review_all", "Review all")],
                        default="review_all",
                        max_length=16,
                    ),
                ),
                ("reading_floor_ms", models.PositiveIntegerField(default=2000)),
                ("material_pointers", models.JSONField(blank=True, default=list)),
                ("severities", models.JSONField(blank=True, default=dict)),
                ("evidence_sources", models.JSONField(blank=True, default=list)),
                ("value_pointer", models.CharField(blank=True, default="", max_length=200)),
                ("currency", models.CharField(blank=True, default="", max_length=12)),
                (
                    "cost_of_error",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True),
                ),
                (
                    "cost_of_review_minute",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True),
                ),
                (
                    "cost_of_delay",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True),
                ),
                ("error_limit", models.FloatField(blank=True, null=True)),
                ("ladder", models.JSONField(blank=True, default=dict)),
                ("evals_required", models.BooleanField(default=False)),
                ("drill_rate", models.FloatField(default=0.0)),
                ("second_opinion_rate", models.FloatField(default=0.0)),
                ("bulk_cap", models.PositiveSmallIntegerField(default=25)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "permissions": [("manage_policies", "Can declare action types and publish policies")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="action_type_has_a_name"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first_contact_level__in", ["shadow", "review_all"])),
                        name="action_type_first_contact_never_runs_alone",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("error_limit", None),
                            models.Q(("error_limit__gt", 0), ("error_limit__lt", 1)),
                            _connector="OR",
                        ),
                        name="action_type_error_limit_between_0_and_1",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("drill_rate__gte", 0),
                            ("drill_rate__lte", 0.05),
                            ("second_opinion_rate__gte", 0),
                            ("second_opinion_rate__lte", 1),
                        ),
                        name="action_type_rates_of_checking_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bulk_cap__lte", 25)), name="action_type_bulk_cap_within_25"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Agent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=120, unique=True)),
                ("description", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Running"), ("paused", "Paused"), ("retired", "Retired")],
                        default="active",
                        max_length=16,
                    ),
                ),
                ("rate_per_minute", models.PositiveIntegerField(blank=True, null=True)),
                ("rate_burst", models.PositiveIntegerField(blank=True, null=True)),
                ("max_pending", models.PositiveIntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="owned_agents",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("manage_agents", "Can register agents, make their keys and set their limits")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="agent_has_a_name"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AgentVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("label", models.CharField(max_length=120)),
                ("fingerprint", models.CharField(blank=True, default="", max_length=71)),
                ("model", models.CharField(blank=True, default="", max_length=200)),
                ("prompt_digest", models.CharField(blank=True, default="", max_length=71)),
                ("tools_digest", models.CharField(blank=True, default="", max_length=71)),
                ("first_seen_at", models.DateTimeField()),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="policies.agent",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "label", "fingerprint"),
                        name="agent_version_fingerprint_once_per_label",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AgentKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("lookup", models.CharField(max_length=8, unique=True)),
                ("secret_hmac", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None
                    ),
                ),
                (
                    "environments",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), blank=True, default=list, size=None
                    ),
                ),
                (
                    "addresses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=43), blank=True, default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="policies.agent"
                    ),
                ),
                (
                    "replaces",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentkey",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AutonomyGrant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField()),
                (
                    "certified",
                    models.BooleanField(help_text="Rests on evidence; otherwise an operator's override."),
                ),
                ("granted_by_name", models.CharField(max_length=200)),
                ("granted_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("threshold", models.FloatField(blank=True, null=True)),
                ("audit_rate", models.FloatField(blank=True, null=True)),
                ("canary_share", models.FloatField(default=1.0)),
                (
                    "canary_base",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("canary_since", models.DateTimeField(blank=True, null=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("grant_autonomy", "Can grant and take away autonomy")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("agent_version", "action_type"),
                        name="autonomy_one_live_grant",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("canary_share__gt", 0),
                            ("canary_share__lte", 1),
                            models.Q(
                                ("canary_share", 1),
                                models.Q(("canary_base", ""), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="autonomy_canary_names_what_holds_beside",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("threshold", None),
                                models.Q(("threshold__gte", 0), ("threshold__lte", 1)),
                                _connector="OR",
                            ),
                            models.Q(
                                ("audit_rate", None),
                                models.Q(("audit_rate__gte", 0.01), ("audit_rate__lte", 1)),
                                _connector="OR",
                            ),
                        ),
                        name="autonomy_terms_in_range",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AutonomyProposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("promotion", "Promotion"), ("renewal", "Renewal")], max_length=16
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Waiting"),
                            ("approved", "Approved"),
                            ("refused", "Refused"),
                            ("expired", "Expired"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                (
                    "from_level",
                    models.CharField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "to_level",
                    models.CharField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        max_length=16,
                    ),
                ),
                ("threshold", models.FloatField(blank=True, null=True)),
                ("evidence", models.JSONField()),
                ("evidence_digest", models.CharField(max_length=71)),
                ("note", models.TextField(blank=True, default="")),
                ("proposed_by_name", models.CharField(max_length=200)),
                ("proposed_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by_name", models.CharField(blank=True, default="", max_length=200)),
                ("closed_because", models.TextField(blank=True, default="")),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposals",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposals",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "grant",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposal",
                        to="policies.autonomygrant",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")),
                        fields=["expires_at"],
                        name="autonomy_proposal_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("agent_version", "action_type"),
                        name="autonomy_one_open_proposal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "open")),
                            models.Q(
                                models.Q(("state", "open"), _negated=True), ("closed_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="autonomy_proposal_closed_with_its_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("grant__isnull", False), ("state", "approved")),
                            models.Q(models.Q(("state", "approved"), _negated=True), ("grant", None)),
                            _connector="OR",
                        ),
                        name="autonomy_proposal_approved_with_its_grant",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeclarationChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Waiting"), ("done", "Published"), ("withdrawn", "Withdrawn")],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("before", hitl_site.lib.fields.OrderedJSONField()),
                ("after", hitl_site.lib.fields.OrderedJSONField()),
                ("loosening", models.JSONField()),
                ("content_sha256", models.CharField(max_length=64)),
                ("declared_sha256", models.CharField(max_length=64)),
                ("reason", models.TextField()),
                ("people_required", models.PositiveSmallIntegerField()),
                ("asked_by_name", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_because", models.TextField(blank=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="declaration_changes",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("action_type",),
                        name="declaration_change_one_open_per_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "open")),
                            models.Q(
                                models.Q(("state", "open"), _negated=True), ("closed_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="declaration_change_closed_with_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeclarationApproval",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("person_name", models.CharField(max_length=200)),
                ("content_sha256", models.CharField(max_length=64)),
                ("approved_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to="policies.declarationchange",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("change", "person"), name="declaration_change_approved_once_per_person"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicyVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("shadow", "Shadow"),
                            ("live", "Live"),
                            ("retired", "Retired"),
                        ],
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("document", models.JSONField()),
                ("content_sha256", models.CharField(max_length=64)),
                ("reason", models.TextField(blank=True)),
                ("author_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("shadowed_at", models.DateTimeField(blank=True, null=True)),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="policy_versions",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="policy_versions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rollback_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.policyversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("action_type", "number"), name="policy_version_number_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "live")),
                        fields=("action_type",),
                        name="policy_one_live_version",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "draft")),
                        fields=("action_type",),
                        name="policy_one_draft",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "shadow")),
                        fields=("action_type",),
                        name="policy_one_in_shadow",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("published_at", None), ("shadowed_at", None), ("state", "draft")),
                            models.Q(
                                ("published_at", None), ("shadowed_at__isnull", False), ("state", "shadow")
                            ),
                            models.Q(("published_at__isnull", False), ("state", "live")),
                            models.Q(
                                ("state", "retired"),
                                models.Q(
                                    ("published_at__isnull", False),
                                    ("shadowed_at__isnull", False),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="policy_version_state_with_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Publication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Waiting"), ("done", "Published"), ("withdrawn", "Withdrawn")],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("content_sha256", models.CharField(max_length=64)),
                ("reason", models.TextField()),
                ("publish_at", models.DateTimeField(blank=True, null=True)),
                ("loosens", models.BooleanField()),
                ("people_required", models.PositiveSmallIntegerField()),
                ("asked_by_name", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_because", models.TextField(blank=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="publications",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="publications",
                        to="policies.policyversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")), fields=["publish_at"], name="publication_due"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("action_type",),
                        name="publication_one_open_per_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "open")),
                            models.Q(
                                models.Q(("state", "open"), _negated=True), ("closed_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="publication_closed_with_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PublicationApproval",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("person_name", models.CharField(max_length=200)),
                ("content_sha256", models.CharField(max_length=64)),
                ("approved_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "publication",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to="policies.publication",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("publication", "person"), name="publication_approved_once_per_person"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="GateCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("action_id", models.CharField(max_length=40, unique=True)),
                ("action_type_name", models.CharField(max_length=120)),
                (
                    "verdict",
                    models.CharField(
                        choices=[("allow", "Allowed"), ("review", "Held for review"), ("deny", "Denied")],
                        max_length=16,
                    ),
                ),
                (
                    "route",
                    models.CharField(
                        choices=[("held", "Held for a person"), ("alone", "Ran alone"), ("denied", "Denied")],
                        max_length=16,
                    ),
                ),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("high_risk", "High risk"),
                            ("low_confidence", "Low confidence"),
                            ("policy_edge", "Policy edge case"),
                            ("audit", "Routine check"),
                            ("incident", "Incident"),
                        ],
                        max_length=16,
                        null=True,
                    ),
                ),
                ("reasons", models.JSONField()),
                ("nearest_miss", models.TextField(blank=True)),
                ("score", models.FloatField(null=True)),
                ("score_source", models.CharField(blank=True, max_length=16)),
                ("threshold", models.FloatField(null=True)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        max_length=16,
                    ),
                ),
                ("propensity", models.FloatField()),
                ("min_propensity", models.FloatField()),
                ("audit_selected", models.BooleanField()),
                ("blind", models.BooleanField()),
                ("drill", models.BooleanField(default=False)),
                ("cluster_key", models.CharField(blank=True, max_length=200)),
                ("approvals_required", models.PositiveSmallIntegerField(default=1)),
                ("history", models.JSONField(default=dict)),
                ("evaluated_at", models.DateTimeField()),
                (
                    "action_type",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agent",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "policy_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.policyversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["action_type", "agent_version", "evaluated_at"], name="gate_check_by_type"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("min_propensity__gte", 0),
                            ("propensity__gte", 0),
                            ("propensity__lte", 1),
                            ("min_propensity__lte", 1),
                        ),
                        name="gate_check_propensities_within_0_and_1",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("score", None), models.Q(("score__gte", 0), ("score__lte", 1)), _connector="OR"
                        ),
                        name="gate_check_score_within_0_and_1",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("threshold", None),
                            models.Q(("threshold__gte", 0), ("threshold__lte", 1)),
                            _connector="OR",
                        ),
                        name="gate_check_threshold_within_0_and_1",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("verdict", "allow"), _negated=True),
                            ("propensity__gt", 0),
                            _connector="OR",
                        ),
                        name="gate_check_an_allow_can_be_audited",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ShadowCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("action_id", models.CharField(max_length=40)),
                (
                    "verdict",
                    models.CharField(
                        choices=[("allow", "Allowed"), ("review", "Held for review"), ("deny", "Denied")],
                        max_length=16,
                    ),
                ),
                (
                    "live_verdict",
                    models.CharField(
                        choices=[("allow", "Allowed"), ("review", "Held for review"), ("deny", "Denied")],
                        max_length=16,
                    ),
                ),
                ("differs", models.BooleanField()),
                ("reasons", models.JSONField()),
                ("score", models.FloatField(null=True)),
                ("evaluated_at", models.DateTimeField()),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="policies.agent"
                    ),
                ),
                (
                    "policy_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shadow_checks",
                        to="policies.policyversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["policy_version", "differs", "-id"], name="shadow_check_of_a_version"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("policy_version", "action_id"),
                        name="shadow_check_once_per_version_and_action",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KillSwitch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("everything", "Everything"),
                            ("agent", "One agent"),
                            ("action_type", "One action type"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField()),
                ("engaged_by_name", models.CharField(max_length=200)),
                ("engaged_at", models.DateTimeField()),
                ("reject_pending", models.BooleanField(default=False)),
                ("pending_closed_at", models.DateTimeField(blank=True, null=True)),
                ("pending_closed", models.PositiveIntegerField(default=0)),
                ("drill", models.BooleanField(default=False)),
                ("held_after_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("lift_asked_by_name", models.CharField(blank=True, default="", max_length=200)),
                ("lift_asked_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lift_reason", models.TextField(blank=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agent",
                    ),
                ),
                (
                    "engaged_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "lift_asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("use_kill_switch", "Can stop agents and lift a stop")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("action_type", None), ("agent", None), ("scope", "everything")),
                            models.Q(("action_type", None), ("agent__isnull", False), ("scope", "agent")),
                            models.Q(
                                ("action_type__isnull", False), ("agent", None), ("scope", "action_type")
                            ),
                            _connector="OR",
                        ),
                        name="kill_switch_names_exactly_its_scope",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at", None)),
                        fields=("scope", "agent", "action_type"),
                        name="kill_switch_engaged_once_per_scope",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EvidenceSample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seq", models.BigIntegerField(unique=True)),
                ("labelled_seq", models.BigIntegerField(null=True)),
                (
                    "drawn",
                    models.BooleanField(
                        help_text="Ran alone and was drawn for a check; otherwise it was held."
                    ),
                ),
                ("cluster_key", models.CharField(blank=True, max_length=200)),
                ("day", models.DateField()),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "gate_check",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sample",
                        to="policies.gatecheck",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["agent_version", "action_type", "seq"], name="evidence_sample_in_order"
                    ),
                    models.Index(
                        condition=models.Q(("labelled_seq__isnull", False)),
                        fields=["agent_version", "action_type", "labelled_seq"],
                        name="evidence_sample_as_labelled",
                    ),
                    models.Index(
                        condition=models.Q(("cluster_key", ""), _negated=True),
                        fields=["agent_version", "action_type", "cluster_key", "day"],
                        name="evidence_sample_of_a_cluster",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EvidenceTrack",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("review_all", "Review all"),
                            ("threshold", "Threshold"),
                            ("autonomous", "Autonomous"),
                        ],
                        max_length=16,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                ("started_at", models.DateTimeField()),
                ("started_seq", models.BigIntegerField()),
                ("watermark_seq", models.BigIntegerField()),
                ("labels_seq", models.BigIntegerField()),
                ("state", models.JSONField(blank=True, default=dict)),
                (
                    "stale",
                    models.BooleanField(default=True, help_text="There is news that has not been taken in."),
                ),
                ("computed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tracks",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tracks",
                        to="policies.agentversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("stale", True)), fields=["id"], name="evidence_to_take_in"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent_version", "action_type"), name="evidence_one_track"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("attempt__gte", 1), ("watermark_seq__gte", models.F("started_seq"))
                        ),
                        name="evidence_goes_forward",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EvalStanding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("run_id", models.CharField(max_length=40)),
                ("cases", models.PositiveIntegerField()),
                ("failed_corrections", models.PositiveIntegerField()),
                ("finished_at", models.DateTimeField()),
                (
                    "agent_version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="eval_standing",
                        to="policies.agentversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "transaction_id",
                    policies.models.ledger.TransactionId(
                        db_default=policies.models.ledger.CurrentTransactionId()
                    ),
                ),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[("person", "Person"), ("agent", "Agent"), ("system", "Handrail")],
                        max_length=16,
                    ),
                ),
                ("actor_id", models.CharField(blank=True, max_length=60)),
                ("actor_name", models.CharField(max_length=200)),
                ("verb", models.CharField(max_length=60)),
                ("object_kind", models.CharField(max_length=40)),
                ("object_id", models.CharField(max_length=60)),
                ("action_id", models.CharField(blank=True, max_length=60)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("payload_digest", models.CharField(max_length=64)),
                ("occurred_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["transaction_id", "id"], name="ledger_entry_commit_order"),
                    models.Index(fields=["action_id", "id"], name="ledger_entry_of_an_action"),
                    models.Index(fields=["object_id", "id"], name="ledger_entry_of_an_object"),
                    models.Index(fields=["verb", "id"], name="ledger_entry_of_a_verb"),
                    models.Index(
                        django.db.models.functions.text.Upper("actor_name"),
                        models.F("id"),
                        name="ledger_entry_of_an_actor",
                    ),
                    django.contrib.postgres.indexes.BrinIndex(
                        fields=["occurred_at"], name="ledger_entry_by_time", pages_per_range=32
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerPayload",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="payload",
                        serialize=False,
                        to="policies.ledgerentry",
                    ),
                ),
                ("salt", models.BinaryField(max_length=32, null=True)),
                ("body", models.JSONField(null=True)),
                ("erased_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="LedgerLink",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
                ("linked_at", models.DateTimeField()),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="link",
                        to="policies.ledgerentry",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LedgerCheckpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seq", models.BigIntegerField(unique=True)),
                ("hash", models.CharField(max_length=64)),
                ("note", models.TextField()),
                ("key_id", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="LedgerVerification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("asked_by_name", models.CharField(max_length=200)),
                ("total", models.BigIntegerField(default=0)),
                ("verified", models.BigIntegerField(default=0)),
                ("first_bad_seq", models.BigIntegerField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("last_hash", models.CharField(blank=True, max_length=64)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("asked_at", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["id"],
                        name="ledger_verification_to_do",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LoopTick",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("ticked_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="LedgerCursor",
            fields=[
                ("reader", models.CharField(max_length=60, primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("updated_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Removal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("erasure", "Erasure of a person's data"), ("retention", "Daily sweep")],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Under way"),
                            ("waiting", "Waits for what is still open or held"),
                            ("done", "Done"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                (
                    "criterion",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("subject", "Subject"),
                            ("conversation", "Conversation"),
                            ("customer", "Customer key"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("value", models.CharField(blank=True, default="", max_length=200)),
                ("value_digest", models.CharField(blank=True, default="", max_length=64)),
                ("reason", models.TextField()),
                ("legal_basis", models.CharField(blank=True, default="", max_length=200)),
                ("found", models.JSONField(default=dict)),
                ("removed", models.JSONField(default=dict)),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("note", models.TextField(blank=True, default="")),
                ("proof", models.JSONField(null=True)),
                ("asked_by_name", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "done"), _negated=True),
                        fields=["id"],
                        name="removal_to_do",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", False), ("state", "done")),
                            models.Q(models.Q(("state", "done"), _negated=True), ("finished_at", None)),
                            _connector="OR",
                        ),
                        name="removal_done_with_its_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="removal_has_its_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True), ("value", ""), _connector="OR"
                        ),
                        name="removal_done_keeps_nobodys_name",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "erasure"), models.Q(("state", "done"), _negated=True)),
                        fields=("criterion", "value_digest"),
                        name="removal_one_under_way_per_person",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "retention"), models.Q(("state", "done"), _negated=True)),
                        fields=("kind",),
                        name="removal_one_sweep_at_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RemovalTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=24)),
                ("object_id", models.CharField(max_length=40)),
                ("removed_at", models.DateTimeField(null=True)),
                (
                    "removal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="targets",
                        to="policies.removal",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["object_id", "kind"], name="removal_target_of_an_object"),
                    models.Index(
                        condition=models.Q(("removed_at", None)),
                        fields=["removal", "id"],
                        name="removal_target_to_do",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("removal", "kind", "object_id"), name="removal_target_once_per_removal"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Observation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("decision_id", models.CharField(max_length=40, unique=True)),
                (
                    "audited",
                    models.BooleanField(help_text="Drawn at random among those that ran alone, not held."),
                ),
                (
                    "error",
                    models.BooleanField(
                        help_text="The person corrected or rejected what the agent proposed."
                    ),
                ),
                (
                    "considered",
                    models.BooleanField(
                        help_text="False for a low-attention or bulk approval: a weak label."
                    ),
                ),
                ("blind", models.BooleanField()),
                ("score", models.FloatField(null=True)),
                ("propensity", models.FloatField()),
                ("min_propensity", models.FloatField()),
                ("cluster_key", models.CharField(blank=True, max_length=200)),
                ("severity", models.FloatField(default=0.0)),
                ("decision_ms", models.PositiveIntegerField(null=True)),
                ("observed_at", models.DateTimeField()),
                (
                    "action_type",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "gate_check",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="observation",
                        to="policies.gatecheck",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["action_type", "agent_version", "observed_at"], name="observation_by_type"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("propensity__gt", 0), ("propensity__lte", 1)),
                        name="observation_propensity_above_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("severity__gte", 0), ("severity__lte", 1)),
                        name="observation_severity_within_0_and_1",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MissingLabel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("expired", "Nobody decided in time"),
                            ("cancelled", "The agent withdrew it"),
                            ("stopped", "A stop closed it"),
                            ("bypassed", "It was let through without a look"),
                        ],
                        max_length=16,
                    ),
                ),
                ("noted_at", models.DateTimeField()),
                (
                    "gate_check",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="missing_label",
                        to="policies.gatecheck",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DrillResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("drill_id", models.CharField(max_length=40)),
                ("error_kind", models.CharField(blank=True, default="", max_length=40)),
                (
                    "caught",
                    models.BooleanField(help_text="Objected to what is wrong, or let pass what is right."),
                ),
                ("decision_ms", models.PositiveIntegerField(null=True)),
                ("decided_at", models.DateTimeField()),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["action_type", "decided_at"], name="drill_result_by_type"),
                    models.Index(fields=["reviewer", "decided_at"], name="drill_result_by_reviewer"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("drill_id", "reviewer"), name="drill_result_once_per_person"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DoubleReview",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_kind", models.CharField(max_length=16)),
                ("second_kind", models.CharField(max_length=16)),
                (
                    "agreed",
                    models.BooleanField(
                        help_text="The same verdict and, where corrected, the same arguments."
                    ),
                ),
                ("settled_kind", models.CharField(blank=True, default="", max_length=16)),
                ("propensity", models.FloatField(null=True)),
                ("reviewed_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "first_reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "second_reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "gate_check",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="double_review",
                        to="policies.gatecheck",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["action_type", "reviewed_at"], name="double_review_by_type")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("propensity", None),
                            models.Q(("propensity__gt", 0), ("propensity__lte", 1)),
                            _connector="OR",
                        ),
                        name="double_review_propensity_above_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first_reviewer", models.F("second_reviewer")), _negated=True),
                        name="double_review_by_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("settled_at", None), ("settled_kind", "")),
                            models.Q(
                                models.Q(("settled_kind", ""), _negated=True), ("settled_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="double_review_settled_with_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TrustLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("filters", models.JSONField(default=dict)),
                ("for_whom", models.CharField(max_length=200)),
                ("made_by_name", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("revoked_by_name", models.CharField(blank=True, default="", max_length=200)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("share_trust", "Can share the trust page by a link that expires")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("made_at"))),
                        name="trust_link_expires_later",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at", None), ("revoked_by_name", "")),
                            models.Q(
                                ("revoked_at__isnull", False),
                                models.Q(("revoked_by_name", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="trust_link_revoked_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScoreBin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("bin", models.SmallIntegerField()),
                ("n", models.PositiveIntegerField(default=0)),
                ("alone", models.PositiveIntegerField(default=0)),
                ("labelled", models.PositiveIntegerField(default=0)),
                ("held_labels", models.PositiveIntegerField(default=0)),
                ("errors", models.PositiveIntegerField(default=0)),
                ("w", models.FloatField(default=0.0)),
                ("w2", models.FloatField(default=0.0)),
                ("wy", models.FloatField(default=0.0)),
                ("handled", models.PositiveIntegerField(default=0)),
                ("handling_ms", models.BigIntegerField(default=0)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "policy_version",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.policyversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("action_type", "agent_version", "day", "policy_version", "bin"),
                        name="score_bin_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bin__gte", -1), ("bin__lt", 1000)),
                        name="score_bin_of_a_thousand",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PastChunk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("size", models.PositiveIntegerField()),
                ("revision", models.PositiveIntegerField(default=1)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("first_check", models.BigIntegerField()),
                ("last_check", models.BigIntegerField()),
                ("fields", models.JSONField(default=list)),
                ("columns", models.BinaryField()),
                ("numbers", models.BinaryField()),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentversion",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["action_type", "last_day"], name="past_chunk_by_day")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("action_type", "agent_version", "number"), name="past_chunk_number_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ConditionMatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("condition_sha256", models.CharField(max_length=64)),
                ("size", models.PositiveIntegerField()),
                ("bits", models.BinaryField()),
                ("asked_at", models.DateTimeField()),
                (
                    "chunk",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="matches",
                        to="policies.pastchunk",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["asked_at"], name="condition_match_by_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("chunk", "condition_sha256"), name="condition_match_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="WhatIfRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("conditions", models.JSONField()),
                ("days", models.PositiveSmallIntegerField()),
                ("question_sha256", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("problem", models.TextField(blank=True, default="")),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("asked_by_name", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["id"],
                        name="what_if_run_to_do",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=("action_type", "question_sha256"),
                        name="what_if_run_once_at_a_time",
                    )
                ],
            },
        ),
    ]
