"""A permit that ran out unused is written down once."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("reviews", "0004_guards_of_revocation")]

    operations = [
        migrations.AddField(
            model_name="permit",
            name="expired_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="permit",
            constraint=models.CheckConstraint(
                condition=Q(expired_at=None) | Q(consumed_at=None, expired_at__gte=F("expires_at")),
                name="permit_expired_unused_and_after_its_time",
            ),
        ),
        migrations.AddIndex(
            model_name="permit",
            index=models.Index(
                fields=["expires_at"],
                condition=Q(consumed_at=None, revoked_at=None, expired_at=None),
                name="permit_to_expire",
            ),
        ),
    ]
