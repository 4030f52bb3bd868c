"""A line of a batch is stored as it comes: not compressed for the moment that it waits, nor its agent looked up.

The agent is the one that the request was let in with; and the product's role cannot delete agents. A line of
up to a page's size stays in its row as it is: it is read once, and its text goes when it is worked off.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0004_drill_bursts"),
        ("reviews", "0009_lines_as_text"),
    ]

    operations = [
        migrations.AlterField(
            model_name="ingestrow",
            name="agent",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="policies.agent",
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE reviews_ingestrow SET (toast_tuple_target = 8160)",
            "ALTER TABLE reviews_ingestrow RESET (toast_tuple_target)",
        ),
    ]
