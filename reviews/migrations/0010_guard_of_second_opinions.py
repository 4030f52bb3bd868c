"""Why a second opinion was asked for, and with which probability, never changes."""

from django.db import migrations

from hitl_site.lib.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("reviews", "0009_second_opinions")]

    operations = [*append_only(table="reviews_secondopinion", name="second_opinion_never_changes")]
