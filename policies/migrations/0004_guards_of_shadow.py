"""A version in shadow is fixed too; it may go live or retire. What shadow found never changes."""

from django.db import migrations

from hitl_site.lib.triggers import append_only, redefine


class Migration(migrations.Migration):
    dependencies = [("policies", "0003_gate_at_full_strength")]

    operations = [
        *append_only(table="policies_shadowcheck", name="shadow_check_never_changes"),
        *append_only(table="policies_ledgercheckpoint", name="ledger_checkpoint_never_changes"),
        *append_only(table="policies_publicationapproval", name="publication_approval_never_changes"),
        redefine(
            name="policy_version_never_changes_once_published",
            body="""
  IF OLD.state = 'draft' THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state IN ('shadow', 'live') AND NEW.state = 'retired' AND NEW.retired_at IS NOT NULL
     AND (to_jsonb(NEW) - 'state' - 'retired_at') = (to_jsonb(OLD) - 'state' - 'retired_at') THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state = 'shadow' AND NEW.state = 'live' AND NEW.published_at IS NOT NULL
     AND (to_jsonb(NEW) - 'state' - 'published_at' - 'reason')
         = (to_jsonb(OLD) - 'state' - 'published_at' - 'reason') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a published policy version never changes' USING ERRCODE = 'restrict_violation';""",
            before="""
  IF OLD.state = 'draft' THEN
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state = 'live' AND NEW.state = 'retired' AND NEW.retired_at IS NOT NULL
     AND (to_jsonb(NEW) - 'state' - 'retired_at') = (to_jsonb(OLD) - 'state' - 'retired_at') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a published policy version never changes' USING ERRCODE = 'restrict_violation';""",
        ),
    ]
