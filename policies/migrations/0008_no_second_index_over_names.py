"""The hot tables lose the second index that each unique text came with.

It serves searches for a prefix under locales that do not sort by bytes. Nobody searches these names by prefix,
and every action that comes in paid for it.
"""

from django.db import migrations

_DROP = """
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN
    SELECT indexname FROM pg_indexes
    WHERE schemaname = current_schema() AND indexname LIKE '%\\_like'
      AND tablename IN ('policies_gatecheck')
  LOOP
    EXECUTE format('DROP INDEX %I', name);
  END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("policies", "0007_ledger_at_a_million_entries")]

    operations = [migrations.RunSQL(sql=[_DROP], reverse_sql=migrations.RunSQL.noop)]
