"""A drill stays what it is: never an action that ran, never anything that speaks for or against an agent."""

from django.db import migrations

from hitl_site.lib.triggers import Guard, guard

_ONE_BY_ITS_CHECK = """
CREATE FUNCTION drill_is_one_by_its_gate_check() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'what is a drill stays one, and nothing becomes one' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM policies_gatecheck g WHERE g.id = NEW.gate_check_id AND g.drill) THEN
    RAISE EXCEPTION 'a drill has the gate check of a drill' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$guard$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0011_drills_and_pace"),
        ("policies", "0010_guards_of_evidence"),
    ]

    operations = [
        Guard(
            table="reviews_actionrequest",
            trigger="drill_is_one_by_its_gate_check",
            sql=[
                _ONE_BY_ITS_CHECK,
                # Real actions, which are nearly all, never get as far as the function.
                """
                CREATE TRIGGER drill_is_one_by_its_gate_check BEFORE INSERT ON reviews_actionrequest
                FOR EACH ROW WHEN (NEW.drill) EXECUTE FUNCTION drill_is_one_by_its_gate_check()
                """,
                "ALTER TABLE reviews_actionrequest ENABLE ALWAYS TRIGGER drill_is_one_by_its_gate_check",
            ],
            reverse_sql=["DROP TRIGGER drill_is_one_by_its_gate_check ON reviews_actionrequest"],
        ),
        Guard(
            table="reviews_actionrequest",
            trigger="drill_stays_a_drill",
            sql=[
                """
                CREATE TRIGGER drill_stays_a_drill BEFORE UPDATE ON reviews_actionrequest
                FOR EACH ROW WHEN (NEW.drill <> OLD.drill) EXECUTE FUNCTION drill_is_one_by_its_gate_check()
                """,
                "ALTER TABLE reviews_actionrequest ENABLE ALWAYS TRIGGER drill_stays_a_drill",
            ],
            reverse_sql=[
                "DROP TRIGGER drill_stays_a_drill ON reviews_actionrequest",
                "DROP FUNCTION drill_is_one_by_its_gate_check()",
            ],
        ),
        guard(
            table="policies_observation",
            name="observation_never_of_a_drill",
            events="INSERT",
            body="""
  IF EXISTS (SELECT 1 FROM policies_gatecheck g WHERE g.id = NEW.gate_check_id AND g.drill) THEN
    RAISE EXCEPTION 'a drill says nothing of the agent' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
        ),
        guard(
            table="reviews_drill",
            name="drill_is_served_once",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.served_at IS NULL AND OLD.dropped_because = ''
     AND NEW.drawn_by = OLD.drawn_by AND NEW.propensity = OLD.propensity THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a drill that was served or dropped never changes' USING ERRCODE = 'restrict_violation';""",
        ),
        guard(
            table="reviews_drillseed",
            name="drill_seed_keeps_its_answer",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.state <> 'retired' AND NEW.state <> 'waiting'
     AND (to_jsonb(NEW) - 'state' - 'judged_by_id' - 'judged_by_name' - 'judged_at')
       = (to_jsonb(OLD) - 'state' - 'judged_by_id' - 'judged_by_name' - 'judged_at') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'what a seed is made of never changes, nor does a retired one' USING ERRCODE = 'restrict_violation';""",
        ),
    ]
