"""What a removal may take away of the gate's record, and nothing else; the removals themselves are kept."""

from django.db import migrations

from hitl_site.lib.removal_guards import ANONYMOUS, FUNCTIONS, erasable
from hitl_site.lib.triggers import guard


class Migration(migrations.Migration):
    dependencies = [("policies", "0015_removals")]

    operations = [
        FUNCTIONS,
        *erasable(
            table="policies_gatecheck",
            guard="gate_check_never_changes",
            erased={"cluster_key": ANONYMOUS, "nearest_miss": ""},
            before="jsonb_set(to_jsonb(OLD), '{reasons}', policies_erased_reasons(OLD.reasons))",
        ),
        *erasable(
            table="policies_observation",
            guard="observation_never_changes",
            erased={"cluster_key": ANONYMOUS},
        ),
        *erasable(
            table="policies_shadowcheck",
            guard="shadow_check_never_changes",
            erased={},
            before="jsonb_set(to_jsonb(OLD), '{reasons}', policies_erased_reasons(OLD.reasons))",
        ),
        guard(
            table="policies_removal",
            name="removal_done_is_final",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.state <> 'done' AND NEW.public_id = OLD.public_id AND NEW.kind = OLD.kind
     AND NEW.criterion = OLD.criterion AND NEW.value_digest = OLD.value_digest AND NEW.reason = OLD.reason
     AND NEW.legal_basis = OLD.legal_basis AND NEW.asked_at = OLD.asked_at
     AND (NEW.value = OLD.value OR NEW.state = 'done' AND NEW.value = '') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'what a removal was for never changes, nor does one that is done'
    USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="policies_removaltarget",
            name="removal_target_is_removed_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.removed_at IS NULL AND NEW.removal_id = OLD.removal_id
     AND NEW.kind = OLD.kind AND NEW.object_id = OLD.object_id THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'what a removal has reached stays written down' USING ERRCODE = 'restrict_violation';""",
        ),
    ]
