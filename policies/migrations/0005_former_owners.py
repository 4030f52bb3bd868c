from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0004_drill_bursts")]

    operations = [
        migrations.AddField(
            model_name="agent",
            name="former_owners",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
    ]
