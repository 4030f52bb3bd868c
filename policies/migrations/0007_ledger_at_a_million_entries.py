import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0006_a_right_to_manage_agents")]

    operations = [
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(fields=["verb", "id"], name="ledger_entry_of_a_verb"),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(
                django.db.models.functions.text.Upper("actor_name"),
                models.F("id"),
                name="ledger_entry_of_an_actor",
            ),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["occurred_at"], name="ledger_entry_by_time", pages_per_range=32
            ),
        ),
    ]
