"""What must never happen to a burst: a real item kept for one person, or a warm-up that counts as a drill."""

from django.db import migrations

from hitl_site.lib.triggers import Guard, guard

_ONLY_A_DRILL = """
CREATE FUNCTION item_reserved_only_for_a_drill() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM reviews_actionrequest a WHERE a.id = NEW.action_id AND a.drill) THEN
    RAISE EXCEPTION 'a real item is for everybody who may decide it' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$guard$
"""
_TELLS = """
DROP TRIGGER item_tells_channels ON reviews_reviewitem;
CREATE TRIGGER item_tells_channels AFTER INSERT ON reviews_reviewitem
FOR EACH ROW WHEN (NEW.status = 'open'{unless}) EXECUTE FUNCTION handrail_item_tells_channels();
"""


class Migration(migrations.Migration):
    dependencies = [("reviews", "0003_drill_bursts")]

    operations = [
        Guard(
            table="reviews_reviewitem",
            trigger="item_reserved_only_for_a_drill",
            sql=[
                _ONLY_A_DRILL,
                # Nearly all items are reserved for nobody and never get as far as the function.
                """
                CREATE TRIGGER item_reserved_only_for_a_drill BEFORE INSERT OR UPDATE ON reviews_reviewitem
                FOR EACH ROW WHEN (NEW.reserved_for_id IS NOT NULL)
                EXECUTE FUNCTION item_reserved_only_for_a_drill()
                """,
                "ALTER TABLE reviews_reviewitem ENABLE ALWAYS TRIGGER item_reserved_only_for_a_drill",
            ],
            reverse_sql=[
                "DROP TRIGGER item_reserved_only_for_a_drill ON reviews_reviewitem",
                "DROP FUNCTION item_reserved_only_for_a_drill()",
            ],
        ),
        guard(
            table="reviews_drillburst",
            name="drill_burst_only_ends",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL
     AND (to_jsonb(NEW) - 'ended_at') = (to_jsonb(OLD) - 'ended_at') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a burst only ends' USING ERRCODE = 'restrict_violation';""",
        ),
        # Results of drills that nobody served here (a simulation's) have no drill to be compared with.
        guard(
            table="policies_drillresult",
            name="drill_result_of_a_burst_is_apart",
            events="INSERT",
            body="""
  IF EXISTS (
    SELECT 1 FROM reviews_drill d JOIN reviews_actionrequest a ON a.id = d.action_id
    WHERE a.public_id = NEW.drill_id AND (d.burst_id IS NOT NULL) <> NEW.warm_up
  ) THEN
    RAISE EXCEPTION 'what was answered in a burst is a warm-up, and nothing else is'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;""",
        ),
        # What is for one person is told to no channel.
        migrations.RunSQL(_TELLS.format(unless=" AND NEW.reserved_for_id IS NULL"), _TELLS.format(unless="")),
    ]
