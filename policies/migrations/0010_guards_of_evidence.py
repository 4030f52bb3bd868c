"""What a drill showed and why a label is missing never changes."""

from django.db import migrations

from hitl_site.lib.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("policies", "0009_evidence_and_declared_costs")]

    operations = [
        *append_only(table="policies_missinglabel", name="missing_label_never_changes"),
        *append_only(table="policies_drillresult", name="drill_result_never_changes"),
    ]
