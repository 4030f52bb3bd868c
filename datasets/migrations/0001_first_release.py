"""The tables of the data: labelled cases, versions, exports, evals, conversations and removals."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("datasets", "0001_initial"),
        ("datasets", "0003_corrections_as_data"),
        ("datasets", "0005_exports_of_every_format"),
        ("datasets", "0006_freezing_as_a_job"),
        ("datasets", "0007_eval_runs_know_the_exact_agent_version"),
        ("datasets", "0008_conversations_and_retention"),
        ("datasets", "0010_index_of_cases"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("policies", "0001_first_release"),
        ("reviews", "0001_first_release"),
    ]

    operations = [
        migrations.CreateModel(
            name="LabelledCase",
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
                            ("proposal", "What the agent proposed"),
                            ("omission", "What the agent failed to do"),
                        ],
                        default="proposal",
                        max_length=16,
                    ),
                ),
                ("decision_id", models.CharField(max_length=40, unique=True)),
                ("action_id", models.CharField(max_length=40)),
                ("ledger_seq", models.BigIntegerField(unique=True)),
                ("action_type", models.CharField(max_length=120)),
                ("agent", models.CharField(max_length=120)),
                ("agent_version", models.CharField(max_length=120)),
                (
                    "label",
                    models.CharField(
                        choices=[
                            ("approved", "Right as proposed"),
                            ("corrected", "Right after correction"),
                            ("rejected", "Should not have been done"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("review", "Held and decided"),
                            ("audit", "Drawn at random, judged afterwards"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "strength",
                    models.CharField(
                        choices=[("strong", "Considered"), ("weak", "Low attention or bulk")], max_length=16
                    ),
                ),
                ("likeness", models.CharField(blank=True, default="", max_length=71)),
                ("similarity", models.BigIntegerField(null=True)),
                ("group_key", models.CharField(help_text="No split may cut this group.", max_length=200)),
                ("decided_at", models.DateTimeField()),
                ("content", models.JSONField()),
                ("content_sha256", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                ("erased_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["action_type", "label", "id"], name="case_by_type_and_label"),
                    models.Index(fields=["action_id"], name="case_of_an_action"),
                    models.Index(fields=["agent", "agent_version", "id"], name="case_by_agent_version"),
                    models.Index(fields=["group_key"], name="case_by_group"),
                    models.Index(fields=["action_type", "similarity"], name="case_by_similarity"),
                    models.Index(
                        models.F("action_type"),
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("similarity"), ">>", models.Value(0)
                            ),
                            "&",
                            models.Value(65535),
                        ),
                        name="case_by_block_0",
                    ),
                    models.Index(
                        models.F("action_type"),
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("similarity"), ">>", models.Value(16)
                            ),
                            "&",
                            models.Value(65535),
                        ),
                        name="case_by_block_1",
                    ),
                    models.Index(
                        models.F("action_type"),
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("similarity"), ">>", models.Value(32)
                            ),
                            "&",
                            models.Value(65535),
                        ),
                        name="case_by_block_2",
                    ),
                    models.Index(
                        models.F("action_type"),
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("similarity"), ">>", models.Value(48)
                            ),
                            "&",
                            models.Value(65535),
                        ),
                        name="case_by_block_3",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CaseCuration",
            fields=[
                (
                    "case",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="curation",
                        serialize=False,
                        to="datasets.labelledcase",
                    ),
                ),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), blank=True, default=list, size=None
                    ),
                ),
                ("excluded_because", models.TextField(blank=True, default="")),
                ("excluded_by_name", models.CharField(blank=True, default="", max_length=200)),
                ("excluded_at", models.DateTimeField(blank=True, null=True)),
                ("disputed_because", models.TextField(blank=True, default="")),
                ("disputed_at", models.DateTimeField(blank=True, null=True)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="curation_by_tag")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("excluded_at", None), ("excluded_because", "")),
                            models.Q(
                                ("excluded_at__isnull", False),
                                models.Q(("excluded_because", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="curation_excluded_with_its_reason",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CaseIndex",
            fields=[
                (
                    "case",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="index",
                        serialize=False,
                        to="datasets.labelledcase",
                    ),
                ),
                ("words", django.contrib.postgres.search.SearchVectorField()),
                ("near_group", models.CharField(blank=True, default="", max_length=40)),
                ("indexed_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(fields=["words"], name="case_index_by_word"),
                    models.Index(
                        condition=models.Q(("near_group", ""), _negated=True),
                        fields=["near_group"],
                        name="case_index_by_near_group",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LabelRevision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("edit", "Edited"), ("adjudication", "Adjudicated")], max_length=16
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        choices=[
                            ("approved", "Right as proposed"),
                            ("corrected", "Right after correction"),
                            ("rejected", "Should not have been done"),
                        ],
                        max_length=16,
                    ),
                ),
                ("arguments_canonical", models.BinaryField(null=True)),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), blank=True, default=list, size=None
                    ),
                ),
                ("note", models.TextField()),
                ("author_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="revisions",
                        to="datasets.labelledcase",
                    ),
                ),
            ],
            options={
                "permissions": [("curate_case", "Can tag, leave out, adjudicate and edit labelled cases")],
                "constraints": [
                    models.UniqueConstraint(fields=("case", "number"), name="label_revision_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("arguments_canonical", None), ("label", "rejected")),
                            models.Q(
                                models.Q(("label", "rejected"), _negated=True),
                                ("arguments_canonical__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="label_revision_arguments_unless_rejected",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GroundTruth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("action_id", models.CharField(max_length=40)),
                ("correct", models.BooleanField()),
                ("arguments_canonical", models.BinaryField(null=True)),
                ("source", models.CharField(max_length=60)),
                ("detail", models.JSONField(default=dict)),
                ("idempotency_key", models.CharField(max_length=255)),
                ("body_digest", models.CharField(max_length=71)),
                (
                    "contradicts",
                    models.BooleanField(help_text="It says otherwise than the person who approved."),
                ),
                ("occurred_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField()),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="policies.agent"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["action_id", "id"], name="ground_truth_of_an_action")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "idempotency_key"), name="ground_truth_one_per_agent_and_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ConversationShare",
            fields=[
                (
                    "agent",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="policies.agent",
                    ),
                ),
                ("share", models.FloatField()),
                ("updated_by_name", models.CharField(max_length=200)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("share__gt", 0), ("share__lte", 1)),
                        name="conversation_share_above_0",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Conversation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("conversation_id", models.CharField(max_length=200)),
                ("environment", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=200, null=True)),
                ("messages", models.JSONField(null=True)),
                ("message_count", models.PositiveIntegerField()),
                ("action_count", models.PositiveIntegerField(help_text="Proposed in it when it was closed.")),
                ("body_digest", models.CharField(max_length=71)),
                ("propensity", models.FloatField()),
                ("drawn", models.BooleanField()),
                ("closed_at", models.DateTimeField()),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="policies.agent"
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
                "indexes": [
                    models.Index(fields=["agent_version", "closed_at"], name="conversation_of_a_version"),
                    models.Index(
                        condition=models.Q(("subject__isnull", False)),
                        fields=["subject"],
                        name="conversation_of_a_subject",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "conversation_id"), name="conversation_closed_once_per_agent"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("propensity__gt", 0), ("propensity__lte", 1)),
                        name="conversation_can_be_drawn",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConversationCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "finding",
                    models.CharField(
                        blank=True,
                        choices=[("complete", "Nothing was missing"), ("missing", "Something was missing")],
                        default="",
                        max_length=16,
                    ),
                ),
                ("note", models.TextField(blank=True, default="")),
                ("reviewer_name", models.CharField(blank=True, default="", max_length=200)),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "conversation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="audit",
                        to="datasets.conversation",
                    ),
                ),
                (
                    "reviewer",
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
                        condition=models.Q(("finding", "")), fields=["id"], name="conversation_check_open"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answered_at", None), ("finding", ""), ("reviewer", None)),
                            models.Q(
                                models.Q(("finding", ""), _negated=True),
                                ("answered_at__isnull", False),
                                ("reviewer__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="conversation_check_answered_by_somebody",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Omission",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("arguments_canonical", models.BinaryField()),
                ("note", models.TextField(blank=True, default="")),
                ("found_at", models.DateTimeField()),
                (
                    "action_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.actiontype",
                    ),
                ),
                (
                    "conversation_check",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="omissions",
                        to="datasets.conversationcheck",
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
        ),
        migrations.CreateModel(
            name="RedactionProfile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("number", models.PositiveIntegerField()),
                ("document", models.JSONField()),
                ("created_by_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("name", "number"), name="redaction_profile_number_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Dataset",
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
                ("selection", models.JSONField(default=dict)),
                ("choices", models.JSONField(default=dict)),
                ("created_by_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "redaction",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="datasets.redactionprofile",
                    ),
                ),
            ],
            options={
                "permissions": [("export_dataset", "Can freeze, export and download datasets")],
            },
        ),
        migrations.CreateModel(
            name="DatasetVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("number", models.PositiveIntegerField()),
                ("selection", models.JSONField()),
                ("choices", models.JSONField(default=dict)),
                ("split_counts", models.JSONField(default=dict)),
                ("left_out", models.JSONField(default=dict)),
                ("difference", models.JSONField(default=dict)),
                ("case_count", models.PositiveIntegerField()),
                ("label_counts", models.JSONField()),
                ("content_sha256", models.CharField(max_length=64)),
                (
                    "ledger_seq",
                    models.BigIntegerField(
                        help_text="The cases made from the ledger up to here were looked at."
                    ),
                ),
                ("frozen_by_name", models.CharField(max_length=200)),
                ("frozen_at", models.DateTimeField()),
                (
                    "dataset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="datasets.dataset",
                    ),
                ),
                (
                    "frozen_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "redaction",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="datasets.redactionprofile",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("dataset", "number"), name="dataset_version_number_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="DatasetMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                (
                    "split",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not split"),
                            ("train", "Training"),
                            ("validation", "Validation"),
                            ("test", "Test"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("later", models.JSONField(default=dict)),
                ("content_sha256", models.CharField(blank=True, default="", max_length=64)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="datasets.labelledcase",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="datasets.datasetversion",
                    ),
                ),
                (
                    "revision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="datasets.labelrevision",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("version", "position"), name="dataset_member_position_once"
                    ),
                    models.UniqueConstraint(fields=("version", "case"), name="dataset_member_case_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Freezing",
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
                        choices=[("requested", "Freezing"), ("done", "Done"), ("failed", "Failed")],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("cases_total", models.PositiveIntegerField()),
                ("cases_done", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.TextField(blank=True, default="")),
                ("requested_by_name", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "dataset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="freezings",
                        to="datasets.dataset",
                    ),
                ),
                (
                    "requested_by",
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
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="datasets.datasetversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "requested")),
                        fields=("dataset",),
                        name="freezing_one_at_a_time_per_dataset",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), ("version__isnull", False)),
                            models.Q(models.Q(("state", "done"), _negated=True), ("version", None)),
                            _connector="OR",
                        ),
                        name="freezing_done_with_its_version",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VersionMark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("erasure_id", models.CharField(max_length=40)),
                ("cases", models.PositiveIntegerField()),
                ("marked_at", models.DateTimeField()),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="marks",
                        to="datasets.datasetversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("version", "erasure_id"), name="version_mark_once_per_erasure"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Grader",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("action_type", models.CharField(max_length=120)),
                ("number", models.PositiveIntegerField()),
                ("document", models.JSONField()),
                ("created_by_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("action_type", "number"), name="grader_number_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="EvalRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("agent_name", models.CharField(max_length=120)),
                ("agent_version", models.CharField(max_length=120)),
                ("split", models.CharField(blank=True, default="", max_length=16)),
                (
                    "source",
                    models.CharField(
                        help_text="handrail, inspect, or what another runner calls itself", max_length=40
                    ),
                ),
                ("graders", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Taking results"), ("done", "Done"), ("abandoned", "Given up")],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("cases_total", models.PositiveIntegerField()),
                ("cases_done", models.PositiveIntegerField(default=0)),
                ("cases_passed", models.PositiveIntegerField(default=0)),
                ("idempotency_key", models.CharField(max_length=255)),
                ("body_digest", models.CharField(max_length=71)),
                ("note", models.TextField(blank=True, default="")),
                ("posted_by_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.agent",
                    ),
                ),
                (
                    "tested",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="eval_runs",
                        to="policies.agentversion",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="eval_runs",
                        to="datasets.datasetversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["version", "-id"], name="eval_run_of_a_version"),
                    models.Index(fields=["tested", "-id"], name="eval_run_of_an_agent_version"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agent", "idempotency_key"), name="eval_run_one_per_agent_and_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EvalResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("acted", models.BooleanField(help_text="False: the agent chose to do nothing.")),
                ("action_type", models.CharField(blank=True, default="", max_length=120)),
                ("output_canonical", models.BinaryField(null=True)),
                ("passed", models.BooleanField(null=True)),
                ("score", models.FloatField(null=True)),
                ("detail", models.JSONField(default=dict)),
                ("error", models.TextField(blank=True, default="")),
                ("received_at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="eval_results",
                        to="datasets.labelledcase",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="results",
                        to="datasets.evalrun",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "case"), name="eval_result_once_per_case")
                ],
            },
        ),
        migrations.CreateModel(
            name="ExportSchedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("jsonl", "JSON Lines, the canonical case"),
                            ("chat", "Chat fine-tuning with tool calls"),
                            ("dpo", "Preference pairs (DPO)"),
                            ("kto", "Unpaired preferences (KTO)"),
                            ("openai_evals", "OpenAI evals"),
                            ("inspect", "Inspect AI samples"),
                            ("promptfoo", "promptfoo tests"),
                            ("langfuse", "Langfuse dataset items"),
                            ("langsmith", "LangSmith examples"),
                            ("argilla", "Argilla records"),
                            ("parquet", "Parquet"),
                            ("hugging_face", "Hugging Face folder with a card"),
                            ("csv", "CSV"),
                        ],
                        max_length=16,
                    ),
                ),
                ("options", models.JSONField(default=dict)),
                (
                    "split",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not split"),
                            ("train", "Training"),
                            ("validation", "Validation"),
                            ("test", "Test"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "compression",
                    models.CharField(
                        blank=True,
                        choices=[("", "Not compressed"), ("gzip", "gzip"), ("zstd", "Zstandard")],
                        default="",
                        max_length=8,
                    ),
                ),
                ("destination", models.CharField(blank=True, default="", max_length=500)),
                (
                    "cadence",
                    models.CharField(
                        choices=[("daily", "Every day"), ("weekly", "Every week")], max_length=8
                    ),
                ),
                ("weekday", models.PositiveSmallIntegerField(default=0, help_text="0 is Monday")),
                ("hour", models.PositiveSmallIntegerField(default=3, help_text="UTC")),
                ("only_new", models.BooleanField(default=False)),
                ("active", models.BooleanField(default=True)),
                ("next_at", models.DateTimeField()),
                ("last_error", models.TextField(blank=True, default="")),
                ("created_by_name", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "dataset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="schedules",
                        to="datasets.dataset",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("active", True)), fields=["next_at"], name="export_schedule_due"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("jsonl", "JSON Lines, the canonical case"),
                            ("chat", "Chat fine-tuning with tool calls"),
                            ("dpo", "Preference pairs (DPO)"),
                            ("kto", "Unpaired preferences (KTO)"),
                            ("openai_evals", "OpenAI evals"),
                            ("inspect", "Inspect AI samples"),
                            ("promptfoo", "promptfoo tests"),
                            ("langfuse", "Langfuse dataset items"),
                            ("langsmith", "LangSmith examples"),
                            ("argilla", "Argilla records"),
                            ("parquet", "Parquet"),
                            ("hugging_face", "Hugging Face folder with a card"),
                            ("csv", "CSV"),
                        ],
                        max_length=16,
                    ),
                ),
                ("options", models.JSONField(default=dict)),
                (
                    "split",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not split"),
                            ("train", "Training"),
                            ("validation", "Validation"),
                            ("test", "Test"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "compression",
                    models.CharField(
                        blank=True,
                        choices=[("", "Not compressed"), ("gzip", "gzip"), ("zstd", "Zstandard")],
                        default="",
                        max_length=8,
                    ),
                ),
                ("destination", models.CharField(blank=True, default="", max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waiting to start"),
                            ("running", "Writing"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                ("rows_total", models.PositiveIntegerField()),
                ("rows_done", models.PositiveIntegerField(default=0)),
                ("checkpoint", models.JSONField(null=True)),
                ("bytes_done", models.BigIntegerField(default=0)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("epoch", models.PositiveIntegerField(default=0)),
                ("lease_expires_at", models.DateTimeField(null=True)),
                ("file_name", models.CharField(blank=True, max_length=200)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("manifest", models.JSONField(null=True)),
                ("error", models.TextField(blank=True)),
                ("requested_by_name", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "since_version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="datasets.datasetversion",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exports",
                        to="datasets.datasetversion",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exports",
                        to="datasets.exportschedule",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["requested", "running"])),
                        fields=["id"],
                        name="export_to_do",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            models.Q(models.Q(("sha256", ""), _negated=True), ("manifest__isnull", False)),
                            _connector="OR",
                        ),
                        name="export_done_with_its_manifest",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rows_done__lte", models.F("rows_total"))),
                        name="export_rows_done_within_total",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RetentionRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("action_type", models.CharField(blank=True, default="", max_length=120)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("context", "Context: what the agent said around its proposal"),
                            ("arguments", "Arguments: what was proposed, decided and done"),
                            ("cases", "Labelled cases"),
                            ("conversations", "Whole conversations"),
                            ("exports", "Exported files"),
                            ("ledger", "What ledger entries say"),
                        ],
                        max_length=16,
                    ),
                ),
                ("keep_days", models.PositiveIntegerField(help_text="None: kept for ever again.", null=True)),
                ("updated_by_name", models.CharField(max_length=200)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "permissions": [
                    ("manage_retention", "Can set how long data is kept, place holds and erase data")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("action_type", "kind"), name="retention_rule_once"),
                    models.CheckConstraint(
                        condition=models.Q(("keep_days", None), ("keep_days__gte", 1), _connector="OR"),
                        name="retention_rule_keeps_a_day",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("action_type", models.CharField(blank=True, default="", max_length=120)),
                ("subject", models.CharField(blank=True, default="", max_length=200)),
                ("conversation_id", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.TextField()),
                ("placed_by_name", models.CharField(max_length=200)),
                ("placed_at", models.DateTimeField()),
                ("lift_reason", models.TextField(blank=True, default="")),
                ("lifted_by_name", models.CharField(blank=True, default="", max_length=200)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("action_type", ""), ("conversation_id", ""), ("subject", ""), _negated=True
                        ),
                        name="legal_hold_covers_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at", None), ("lifted_by_name", "")),
                            models.Q(
                                ("lifted_at__isnull", False), models.Q(("lifted_by_name", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="legal_hold_lifted_by_somebody",
                    ),
                ],
            },
        ),
    ]
