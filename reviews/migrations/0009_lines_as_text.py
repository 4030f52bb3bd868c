"""A line of a batch is kept as the canonical text that its digest is over, and checks one foreign key, not two.

The key belongs to the line's agent, which is checked; and the product's role cannot delete keys.
"""

import django.db.models.deletion
from django.db import migrations, models

_AS_TEXT = "ALTER TABLE reviews_ingestrow ALTER body TYPE text USING coalesce(body ->> 'canonical', '')"
_AS_JSON = """
    ALTER TABLE reviews_ingestrow ALTER body TYPE jsonb
        USING CASE WHEN body = '' THEN '{}' ELSE jsonb_build_object('canonical', body) END
"""


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0004_drill_bursts"),
        ("reviews", "0008_decision_never_by_the_owner"),
    ]

    operations = [
        migrations.RunSQL(
            _AS_TEXT,
            _AS_JSON,
            state_operations=[
                migrations.AlterField(model_name="ingestrow", name="body", field=models.TextField(blank=True))
            ],
        ),
        migrations.AlterField(
            model_name="ingestrow",
            name="agent_key",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="policies.agentkey",
            ),
        ),
    ]
