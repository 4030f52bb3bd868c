"""What must never happen to a temporary second review: that its terms change, or that it is gone."""

from django.db import migrations

from hitl_site.lib.triggers import guard


class Migration(migrations.Migration):
    dependencies = [("reviews", "0006_second_reviews")]

    operations = [
        guard(
            table="reviews_secondreview",
            name="second_review_only_ends",
            events="UPDATE OR DELETE",
            body="""
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL
     AND (to_jsonb(NEW) - '{ended_at,ended_by_id,ended_by_name,end_reason}'::text[])
       = (to_jsonb(OLD) - '{ended_at,ended_by_id,ended_by_name,end_reason}'::text[]) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a second review only ends' USING ERRCODE = 'restrict_violation';""",
        ),
    ]
