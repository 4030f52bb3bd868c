"""What people read when they approve a change to a declaration never changes, nor does their approval."""

from django.db import migrations

from hitl_site.lib.triggers import append_only, guard


class Migration(migrations.Migration):
    dependencies = [("policies", "0011_changes_to_declarations_wait")]

    operations = [
        *append_only(table="policies_declarationapproval", name="declaration_approval_never_changes"),
        guard(
            table="policies_declarationchange",
            name="declaration_change_is_frozen",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.state = 'open'
     AND (to_jsonb(NEW) - 'state' - 'closed_at' - 'closed_because' - 'people_required')
         = (to_jsonb(OLD) - 'state' - 'closed_at' - 'closed_because' - 'people_required') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a change to a declaration never changes' USING ERRCODE = 'restrict_violation';""",
        ),
    ]
