"""Cases and dataset versions are frozen, by the database."""

from django.db import migrations

from hitl_site.lib.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_initial")]

    operations = [
        *append_only(table="datasets_labelledcase", name="labelled_case_never_changes"),
        *append_only(table="datasets_datasetversion", name="dataset_version_never_changes"),
        *append_only(table="datasets_datasetmember", name="dataset_member_never_changes"),
    ]
