"""The tables of the review: actions, items, decisions, permits, drills, the team and its notices."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import reviews.models.items


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("reviews", "0001_initial"),
        ("reviews", "0003_gate_at_full_strength"),
        ("reviews", "0005_permit_expired_at"),
        ("reviews", "0009_second_opinions"),
        ("reviews", "0011_drills_and_pace"),
        ("reviews", "0013_precedents"),
        ("reviews", "0015_preferences_and_views"),
        ("reviews", "0016_fewer_indexes_on_the_hot_path"),
        ("reviews", "0017_team_and_notices"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("policies", "0001_first_release"),
    ]

    operations = [
        migrations.CreateModel(
            name="ActionRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("action_type_name", models.CharField(max_length=120)),
                (
                    "mode",
                    models.CharField(
                        choices=[("gated", "The agent waits"), ("observed", "The agent has acted already")],
                        max_length=16,
                    ),
                ),
                ("drill", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending_review", "Waiting for a person"),
                            ("allowed", "Allowed"),
                            ("denied", "Denied"),
                            ("approved", "Approved"),
                            ("corrected", "Corrected"),
                            ("rejected", "Rejected"),
                            ("expired", "Expired"),
                            ("cancelled", "Cancelled"),
                            ("observed", "Observed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("title", models.CharField(max_length=200)),
                ("arguments_canonical", models.BinaryField()),
                ("arguments", models.JSONField()),
                ("digest", models.CharField(max_length=71)),
                ("final_arguments_canonical", models.BinaryField(null=True)),
                ("final_digest", models.CharField(blank=True, max_length=71)),
                ("likeness", models.CharField(blank=True, default="", max_length=71)),
                ("environment", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=200, null=True)),
                ("conversation_id", models.CharField(blank=True, max_length=200)),
                ("parent_action_id", models.CharField(blank=True, max_length=40)),
                ("confidence", models.FloatField(null=True)),
                ("judge_score", models.FloatField(null=True)),
                ("sample_agreement", models.FloatField(null=True)),
                ("idempotency_key", models.CharField(max_length=255)),
                ("body_digest", models.CharField(max_length=71)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
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
                    "agent_key",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentkey",
                    ),
                ),
                (
                    "agent_version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "gate_check",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="action",
                        to="policies.gatecheck",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["agent", "-id"], name="action_of_an_agent"),
                    models.Index(fields=["action_type", "-id"], name="action_of_a_type"),
                    models.Index(fields=["agent", "created_at"], name="action_of_an_agent_by_time"),
                    models.Index(fields=["action_type", "created_at"], name="action_of_a_type_by_time"),
                    models.Index(
                        condition=models.Q(("subject__isnull", False)),
                        fields=["subject", "created_at"],
                        name="action_of_a_subject_by_time",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("state__in", ["rejected", "denied"]), models.Q(("likeness", ""), _negated=True)
                        ),
                        fields=["likeness", "closed_at"],
                        name="action_refused_by_likeness",
                    ),
                    models.Index(
                        condition=models.Q(("drill", False), ("state", "pending_review")),
                        fields=["agent"],
                        name="action_pending_of_an_agent",
                    ),
                    models.Index(
                        condition=models.Q(("state", "pending_review")),
                        fields=["expires_at"],
                        name="action_pending_by_expiry",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "idempotency_key"), name="action_one_per_agent_and_idempotency_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confidence", None),
                            models.Q(("confidence__gte", 0), ("confidence__lte", 1)),
                            _connector="OR",
                        ),
                        name="action_confidence_within_0_and_1",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("judge_score", None),
                            models.Q(("judge_score__gte", 0), ("judge_score__lte", 1)),
                            _connector="OR",
                        ),
                        name="action_judge_score_within_0_and_1",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("final_arguments_canonical", None), ("final_digest", "")),
                            models.Q(
                                ("final_arguments_canonical__isnull", False),
                                models.Q(("final_digest", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="action_final_arguments_with_their_digest",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "pending_review")),
                            models.Q(
                                models.Q(("state", "pending_review"), _negated=True),
                                ("closed_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="action_closed_exactly_when_terminal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("drill", False),
                            models.Q(
                                ("likeness", ""),
                                ("mode", "gated"),
                                models.Q(("state__in", ["allowed", "observed"]), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="action_a_drill_never_ran",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ActionContext",
            fields=[
                (
                    "action",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="context",
                        serialize=False,
                        to="reviews.actionrequest",
                    ),
                ),
                ("context", models.JSONField(null=True)),
                ("judge", models.JSONField(null=True)),
                ("samples", models.JSONField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("reported_outcome", models.JSONField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="IngestRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("batch_id", models.CharField(max_length=40)),
                ("idempotency_key", models.CharField(max_length=255)),
                ("body_digest", models.CharField(max_length=71)),
                ("body", models.JSONField()),
                ("request_id", models.CharField(blank=True, max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("accepted", "Accepted"),
                            ("done", "Done"),
                            ("parked", "Parked after repeated errors"),
                        ],
                        default="accepted",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.TextField(blank=True)),
                ("accepted_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="reviews.actionrequest",
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
                    "agent_key",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agentkey",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "accepted")),
                        fields=["batch_id", "id"],
                        name="ingest_row_to_do_of_batch",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "idempotency_key"), name="ingest_row_one_per_agent_and_key"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("action__isnull", False)),
                        fields=("action",),
                        name="ingest_row_one_per_action",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            ("action__isnull", False),
                            _connector="OR",
                        ),
                        name="ingest_row_done_with_its_action",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Queue",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("icon", models.CharField(default="inbox", max_length=40)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ReviewItem",
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
                        choices=[
                            ("gate", "Held"),
                            ("audit", "Routine check"),
                            ("second_opinion", "Second opinion"),
                            ("adjudication", "Disagreement"),
                            ("drill", "Drill"),
                            ("incident", "Incident"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("recorded", "Decided, in its undo window"),
                            ("decided", "Decided"),
                            ("expired", "Expired"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("blind", models.BooleanField(default=False)),
                ("approvals_required", models.PositiveSmallIntegerField(default=1)),
                ("disagreed_at", models.DateTimeField(blank=True, null=True)),
                ("action_type_name", models.CharField(max_length=120)),
                (
                    "risk",
                    models.CharField(
                        choices=[
                            ("low", "Low risk"),
                            ("medium", "Medium risk"),
                            ("high", "High risk"),
                            ("critical", "Critical risk"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "risk_rank",
                    models.PositiveSmallIntegerField(help_text="0 critical, 1 high, 2 medium, 3 low"),
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
                    ),
                ),
                ("title", models.CharField(max_length=200)),
                ("due_at", models.DateTimeField()),
                ("remind_at", models.DateTimeField(blank=True, null=True)),
                ("reminded_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "words",
                    models.GeneratedField(
                        db_persist=True,
                        expression=reviews.models.items.Words(
                            models.F("title"), models.F("action_type_name")
                        ),
                        output_field=django.contrib.postgres.search.SearchVectorField(),
                    ),
                ),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="reviews.actionrequest",
                    ),
                ),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="policies.agent"
                    ),
                ),
                (
                    "claimed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "escalated_to",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "queue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="items", to="reviews.queue"
                    ),
                ),
                (
                    "second_queue",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="second_items",
                        to="reviews.queue",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("review_item", "Can decide review items"),
                    ("view_any_item", "Can see every review item"),
                    ("adjudicate", "Can settle what two people answered differently"),
                    ("decide_in_bulk", "Can decide several low-risk items at once"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["queue", "due_at", "id"],
                        name="item_inbox",
                    ),
                    models.Index(
                        condition=models.Q(("status", "open")), fields=["due_at", "id"], name="item_inbox_all"
                    ),
                    models.Index(
                        condition=models.Q(
                            ("remind_at__isnull", False), ("reminded_at", None), ("status", "open")
                        ),
                        fields=["remind_at"],
                        name="item_to_remind",
                    ),
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["risk_rank", "due_at", "id"],
                        name="item_inbox_by_risk",
                    ),
                    models.Index(
                        condition=models.Q(("claimed_by__isnull", False), ("status", "open")),
                        fields=["lease_expires_at"],
                        name="item_claim_lapses",
                    ),
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["action_type_name", "due_at", "id"],
                        name="item_inbox_type",
                    ),
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["agent", "due_at", "id"],
                        name="item_inbox_agent",
                    ),
                    models.Index(
                        condition=models.Q(("status", "open")),
                        fields=["created_at"],
                        name="item_inbox_arrived",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        condition=models.Q(("status", "open")), fields=["words"], name="item_inbox_words"
                    ),
                    models.Index(
                        condition=models.Q(("kind", "second_opinion"), ("status", "open")),
                        fields=["due_at", "id"],
                        name="item_second_opinion_due",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind__in", ["incident", "second_opinion"]), _negated=True),
                        fields=("action", "kind"),
                        name="item_one_of_each_kind_per_action",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("kind", "second_opinion"), ("status__in", ["open", "recorded", "decided"])
                        ),
                        fields=("action",),
                        name="item_one_second_opinion_per_action",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("claimed_by", None), ("lease_expires_at", None)),
                            models.Q(("claimed_by__isnull", False), ("lease_expires_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="item_claim_and_lease_together",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("status__in", ["open", "recorded"])),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("status__in", ["decided", "expired", "cancelled"]),
                            ),
                            _connector="OR",
                        ),
                        name="item_closed_exactly_when_terminal",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Escalation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reviewer_name", models.CharField(max_length=200)),
                ("note", models.TextField()),
                ("escalated_at", models.DateTimeField()),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "to_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "to_queue",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="reviews.queue",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="escalations",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Skip",
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
                            ("not_my_field", "Not my field"),
                            ("need_time", "Need more time"),
                            ("conflict", "Conflict of interest"),
                        ],
                        max_length=16,
                    ),
                ),
                ("skipped_at", models.DateTimeField()),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="skips",
                        to="reviews.reviewitem",
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
                "constraints": [
                    models.UniqueConstraint(fields=("item", "reviewer"), name="skip_once_per_person")
                ],
            },
        ),
        migrations.CreateModel(
            name="ItemView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("opened_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("arguments_seen_at", models.DateTimeField(null=True)),
                (
                    "parts_opened",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), default=list, size=None
                    ),
                ),
                ("editing", models.BooleanField(default=False)),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="views",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["item", "-last_seen_at"], name="item_view_presence")],
            },
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("form", models.JSONField(help_text="The posted fields, name to list of values.")),
                ("updated_at", models.DateTimeField()),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drafts",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("item", "reviewer"), name="draft_one_per_person_and_item")
                ],
            },
        ),
        migrations.CreateModel(
            name="PaceNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sitting_began_at", models.DateTimeField()),
                ("median_ms", models.PositiveIntegerField()),
                ("usual_ms", models.PositiveIntegerField(null=True)),
                ("shown_at", models.DateTimeField()),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[("take_five", "Take five"), ("go_on", "Go on")],
                        default="",
                        max_length=16,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
                ("paused_until", models.DateTimeField(null=True)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reviewer", "sitting_began_at"), name="pace_notice_once_per_sitting"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answer", ""), ("answered_at", None)),
                            models.Q(models.Q(("answer", ""), _negated=True), ("answered_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="pace_notice_answered_with_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("reviewer_name", models.CharField(max_length=200)),
                (
                    "kind",
                    models.CharField(
                        choices=[("approve", "Approve"), ("correct", "Correct"), ("reject", "Reject")],
                        max_length=16,
                    ),
                ),
                ("terminal", models.BooleanField()),
                ("final_arguments_canonical", models.BinaryField(null=True)),
                ("final_digest", models.CharField(blank=True, max_length=71)),
                ("patch", models.JSONField(default=list)),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), default=list, size=None
                    ),
                ),
                ("note", models.TextField(blank=True)),
                ("shown_digest", models.CharField(max_length=71)),
                ("item_version", models.PositiveIntegerField()),
                ("blind", models.BooleanField()),
                ("bulk", models.BooleanField(default=False)),
                ("opened_at", models.DateTimeField(null=True)),
                ("decision_ms", models.PositiveIntegerField(null=True)),
                ("arguments_seen", models.BooleanField(default=False)),
                (
                    "parts_opened",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), default=list, size=None
                    ),
                ),
                ("channel", models.CharField(default="web", max_length=20)),
                ("checklist", models.JSONField(default=list)),
                ("considered", models.BooleanField()),
                ("decided_at", models.DateTimeField()),
                ("release_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(null=True)),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="reviews.actionrequest",
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
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("released_at", None), ("terminal", True), ("undone_at", None)),
                        fields=["release_at"],
                        name="decision_to_release",
                    ),
                    models.Index(fields=["reviewer", "-id"], name="decision_of_a_person"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("terminal", True), ("undone_at", None)),
                        fields=("item",),
                        name="decision_one_terminal_per_item",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("undone_at", None)),
                        fields=("item", "reviewer"),
                        name="decision_one_per_person",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("final_arguments_canonical__isnull", False), ("kind", "correct")),
                            models.Q(
                                models.Q(("kind", "correct"), _negated=True),
                                ("final_arguments_canonical", None),
                            ),
                            _connector="OR",
                        ),
                        name="decision_final_arguments_only_with_correct",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("final_digest", ""), ("kind", "reject")),
                            models.Q(
                                models.Q(("kind", "reject"), _negated=True),
                                models.Q(("final_digest", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="decision_final_digest_unless_rejected",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("undone_at", None), ("released_at", None), _connector="OR"),
                        name="decision_undone_or_released_not_both",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DrillSeed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("planted", models.BooleanField()),
                ("error_kind", models.CharField(blank=True, default="", max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waits for approval"),
                            ("approved", "In use"),
                            ("retired", "Retired"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("made_by_name", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField()),
                ("judged_by_name", models.CharField(blank=True, default="", max_length=200)),
                ("judged_at", models.DateTimeField(null=True)),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "judged_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drill_seed",
                        to="reviews.decision",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("manage_drills", "Can make, approve and retire the items that drills are made from")
                ],
                "indexes": [models.Index(fields=["action_type", "state", "id"], name="drill_seed_by_type")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("planted", True), models.Q(("error_kind", ""), _negated=True)),
                            models.Q(("error_kind", ""), ("planted", False)),
                            _connector="OR",
                        ),
                        name="drill_seed_an_error_has_its_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("judged_at", None), ("state", "waiting")),
                            models.Q(
                                models.Q(("state", "waiting"), _negated=True), ("judged_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="drill_seed_in_use_only_when_judged",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Drill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("drawn_by", models.CharField(max_length=40, unique=True)),
                ("propensity", models.FloatField()),
                ("drawn_at", models.DateTimeField()),
                ("serve_at", models.DateTimeField()),
                ("expected_canonical", models.BinaryField(null=True)),
                ("served_at", models.DateTimeField(null=True)),
                ("dropped_because", models.CharField(blank=True, default="", max_length=200)),
                (
                    "action",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="served_drill",
                        to="reviews.actionrequest",
                    ),
                ),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "seed",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drills",
                        to="reviews.drillseed",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("dropped_because", ""), ("served_at", None)),
                        fields=["serve_at"],
                        name="drill_to_serve",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("action", None),
                                ("expected_canonical", None),
                                ("seed", None),
                                ("served_at", None),
                            ),
                            models.Q(
                                ("action__isnull", False),
                                ("dropped_because", ""),
                                ("seed__isnull", False),
                                ("served_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="drill_served_as_a_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("propensity__gt", 0), ("propensity__lte", 1)),
                        name="drill_propensity_above_0",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Permit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "basis",
                    models.CharField(
                        choices=[
                            ("allowed", "Allowed by the gate"),
                            ("approved", "Approved by a person"),
                            ("corrected", "Corrected by a person"),
                        ],
                        max_length=16,
                    ),
                ),
                ("digest", models.CharField(max_length=71)),
                ("binding_digest", models.CharField(blank=True, default="", max_length=71)),
                ("token", models.TextField(help_text="Compact JWS, api.md, The permit.")),
                ("issued_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("consumed_at", models.DateTimeField(null=True)),
                ("consume_key", models.CharField(blank=True, max_length=255)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("revoke_reason", models.TextField(blank=True, default="")),
                ("expired_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="permits",
                        to="reviews.actionrequest",
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
                    "decision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="permits",
                        to="reviews.decision",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("consumed_at", None), ("expired_at", None), ("revoked_at", None)),
                        fields=["expires_at"],
                        name="permit_to_expire",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at", None)),
                        fields=("action",),
                        name="permit_one_live_per_action",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("basis", "allowed"), ("decision", None)),
                            models.Q(
                                models.Q(("basis", "allowed"), _negated=True), ("decision__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="permit_rests_on_a_decision_unless_allowed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("consume_key", ""), ("consumed_at", None)),
                            models.Q(
                                ("consumed_at__isnull", False), models.Q(("consume_key", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="permit_consumed_with_its_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expired_at", None),
                            models.Q(("consumed_at", None), ("expired_at__gte", models.F("expires_at"))),
                            _connector="OR",
                        ),
                        name="permit_expired_unused_and_after_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Execution",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("started_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("partial", "Partly done"),
                            ("unknown", "Outcome unknown"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reported", models.BooleanField(default=False)),
                ("detail", models.JSONField(null=True)),
                ("executed_digest", models.CharField(blank=True, max_length=71)),
                (
                    "mismatch",
                    models.BooleanField(default=False, help_text="What ran is not what was decided."),
                ),
                ("outcome_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="executions",
                        to="reviews.actionrequest",
                    ),
                ),
                (
                    "permit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="execution",
                        to="reviews.permit",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("outcome", "")), fields=["lease_until"], name="execution_running"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome", ""), ("outcome_at", None)),
                            models.Q(models.Q(("outcome", ""), _negated=True), ("outcome_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="execution_outcome_with_its_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Incident",
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
                        choices=[
                            ("digest_mismatch", "Something else ran than was decided"),
                            ("outcome_unknown", "Nobody knows how the run ended"),
                        ],
                        max_length=24,
                    ),
                ),
                ("detail", models.JSONField(default=dict)),
                ("opened_at", models.DateTimeField()),
                (
                    "resolution",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("as_decided", "It ran as decided"),
                            ("otherwise", "It ran otherwise"),
                            ("did_not_run", "It did not run"),
                            ("unknown", "It cannot be found out"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("note", models.TextField(blank=True, default="")),
                ("resolved_by_name", models.CharField(blank=True, default="", max_length=200)),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incidents",
                        to="reviews.actionrequest",
                    ),
                ),
                (
                    "execution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incidents",
                        to="reviews.execution",
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incident",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("execution", "kind"), name="incident_one_of_each_kind_per_run"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("resolution", ""), ("resolved_at", None)),
                            models.Q(
                                models.Q(("resolution", ""), _negated=True), ("resolved_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="incident_resolved_with_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
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
                        choices=[
                            ("arrived", "Waits for an answer"),
                            ("escalated", "Passed on to you"),
                            ("claim_lapsed", "Your claim lapsed"),
                            ("half_time", "Half its time is over"),
                            ("second_look", "A second look at your decision"),
                            ("digest", "What waits"),
                        ],
                        max_length=16,
                    ),
                ),
                ("key", models.CharField(max_length=200, unique=True)),
                ("created_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reviews.reviewitem"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-id"], name="notice_of_person"),
                    models.Index(
                        condition=models.Q(("read_at", None)), fields=["user"], name="notice_unread"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Channel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "queue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="channels",
                        to="reviews.queue",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("queue", "name"),
                        name="channel_once_per_queue",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("arrived", "Waits for an answer"),
                            ("escalated", "Passed on to you"),
                            ("claim_lapsed", "Your claim lapsed"),
                            ("half_time", "Half its time is over"),
                            ("second_look", "A second look at your decision"),
                            ("digest", "What waits"),
                        ],
                        max_length=16,
                    ),
                ),
                ("key", models.CharField(max_length=200, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sent", "Sent"),
                            ("parked", "Given up after five attempts"),
                            ("dropped", "No longer needed"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("send_at", models.DateTimeField()),
                ("problem", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="reviews.channel",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["send_at"], name="delivery_due"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("channel__isnull", False), ("user__isnull", True)),
                            models.Q(("channel__isnull", True), ("user__isnull", False)),
                            _connector="OR",
                        ),
                        name="delivery_to_a_mailbox_or_a_channel",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Precedent",
            fields=[
                (
                    "action",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="precedent",
                        serialize=False,
                        to="reviews.actionrequest",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("approve", "Approve"), ("correct", "Correct"), ("reject", "Reject")],
                        max_length=16,
                    ),
                ),
                (
                    "tokens",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
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
                    "decision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reviews.decision"
                    ),
                ),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["tokens"], name="precedent_by_what_it_says"
                    ),
                    models.Index(fields=["action_type", "-action"], name="precedent_of_a_type"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=80)),
                (
                    "query",
                    models.CharField(
                        blank=True, default="", help_text="Filters, as in the address.", max_length=1000
                    ),
                ),
                ("order", models.CharField(blank=True, default="", max_length=16)),
                ("shared", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("share_views", "Can share saved views with everybody, and change shared ones")
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("shared", True)), fields=["name"], name="saved_view_shared"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "name"), name="saved_view_name_once_per_person")
                ],
            },
        ),
        migrations.CreateModel(
            name="Preferences",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="preferences",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "theme",
                    models.CharField(
                        choices=[("system", "System"), ("light", "Light"), ("dark", "Dark")],
                        default="system",
                        max_length=16,
                    ),
                ),
                (
                    "density",
                    models.CharField(
                        choices=[("comfortable", "Comfortable"), ("compact", "Compact")],
                        default="comfortable",
                        max_length=16,
                    ),
                ),
                ("single_keys", models.BooleanField(default=True)),
                ("keys", models.JSONField(default=dict)),
                ("time_zone", models.CharField(blank=True, default="", max_length=64)),
                ("language", models.CharField(blank=True, default="", max_length=16)),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                (
                    "mail",
                    models.CharField(
                        choices=[
                            ("digest", "What is passed on to me at once, the rest once an hour"),
                            ("urgent", "Only what is passed on to me"),
                            ("off", "No mail"),
                        ],
                        default="digest",
                        max_length=16,
                    ),
                ),
                ("undo_seconds", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("updated_at", models.DateTimeField()),
                (
                    "default_view",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="reviews.savedview",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "preferences",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("quiet_from", None), ("quiet_until", None)),
                            models.Q(("quiet_from__isnull", False), ("quiet_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="preferences_quiet_hours_begin_and_end",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SecondOpinion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("propensity", models.FloatField(null=True)),
                ("because", models.TextField(blank=True)),
                ("opened_at", models.DateTimeField()),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "first_decision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="second_opinions",
                        to="reviews.decision",
                    ),
                ),
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="second_opinion",
                        to="reviews.reviewitem",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("propensity", None),
                            models.Q(("propensity__gt", 0), ("propensity__lte", 1)),
                            _connector="OR",
                        ),
                        name="second_opinion_propensity_above_0",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("propensity__isnull", False),
                            models.Q(("because", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="second_opinion_drawn_or_with_a_cause",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="QueueMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("added_at", models.DateTimeField()),
                (
                    "queue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="reviews.queue",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("view_team", "Can see the team and its load"),
                    ("manage_team", "Can change members of queues, skills, capacity and rota"),
                    ("manage_queues", "Can make queues and give them channels"),
                ],
                "constraints": [models.UniqueConstraint(fields=("user", "queue"), name="queue_member_once")],
            },
        ),
        migrations.CreateModel(
            name="Skill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("action_type_name", models.CharField(max_length=120)),
                ("added_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "action_type_name"), name="skill_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Capacity",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "most_held",
                    models.PositiveSmallIntegerField(
                        null=True, validators=[django.core.validators.MaxValueValidator(500)]
                    ),
                ),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "capacities",
            },
        ),
        migrations.CreateModel(
            name="Shift",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(blank=True, help_text="0 is Monday.", null=True),
                ),
                ("on_date", models.DateField(blank=True, null=True)),
                ("starts", models.TimeField()),
                ("ends", models.TimeField()),
                ("time_zone", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("on_date__isnull", False), ("weekday__isnull", True)),
                            models.Q(("on_date__isnull", True), ("weekday__lte", 6)),
                            _connector="OR",
                        ),
                        name="shift_weekly_or_dated",
                    ),
                    models.UniqueConstraint(
                        fields=("user", "weekday", "on_date", "starts"),
                        name="shift_once",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
    ]
