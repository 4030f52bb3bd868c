"""Answers given later, results and late truth are written once."""

from django.db import migrations

from hitl_site.lib.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("datasets", "0003_corrections_as_data")]

    operations = [
        *append_only(table="datasets_labelrevision", name="label_revision_never_changes"),
        *append_only(table="datasets_groundtruth", name="ground_truth_never_changes"),
        *append_only(table="datasets_redactionprofile", name="redaction_profile_never_changes"),
        *append_only(table="datasets_grader", name="grader_never_changes"),
    ]
