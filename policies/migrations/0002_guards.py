"""What must never happen to verdicts, policies and the ledger, forbidden by the database."""

from django.db import migrations

from hitl_site.lib.triggers import append_only, guard


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_initial")]

    operations = [
        *append_only(table="policies_gatecheck", name="gate_check_never_changes"),
        *append_only(table="policies_observation", name="observation_never_changes"),
        *append_only(table="policies_ledgerentry", name="ledger_entry_never_changes"),
        *append_only(table="policies_ledgerlink", name="ledger_link_never_changes"),
        guard(
            table="policies_ledgerpayload",
            name="ledger_payload_is_only_erased",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.entry_id = OLD.entry_id
     AND NEW.body IS NULL AND NEW.salt IS NULL AND NEW.erased_at IS NOT NULL THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a ledger payload can only be erased' USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="policies_policyversion",
            name="policy_version_never_changes_once_published",
            events="UPDATE OR DELETE",
            body="""
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
