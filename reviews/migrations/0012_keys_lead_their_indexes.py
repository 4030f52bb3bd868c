"""Idempotency keys lead the indexes that hold each to one use: what is asked for by key is found by key.

With the agent leading, a plan made while a table was new and unknown could read all that the agent ever did.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0011_decision_never_by_a_former_owner"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="actionrequest", name="action_one_per_agent_and_idempotency_key"
        ),
        migrations.AddConstraint(
            model_name="actionrequest",
            constraint=models.UniqueConstraint(
                fields=["idempotency_key", "agent"], name="action_one_per_agent_and_idempotency_key"
            ),
        ),
        migrations.RemoveConstraint(model_name="ingestrow", name="ingest_row_one_per_agent_and_key"),
        migrations.AddConstraint(
            model_name="ingestrow",
            constraint=models.UniqueConstraint(
                fields=["idempotency_key", "agent"], name="ingest_row_one_per_agent_and_key"
            ),
        ),
    ]
