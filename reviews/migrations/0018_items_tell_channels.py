"""An item that opens tells its queue's channels, whoever opens it: held actions and drills alike.

In the database, so that it is the transaction of the item itself and costs the gate no round trip.
"""

from django.db import migrations

# Bursts leave as one message: what comes within this time of the first goes with it.
_FORWARD = """
CREATE FUNCTION handrail_item_tells_channels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reviews_delivery
        (channel_id, item_id, kind, key, state, attempts, send_at, problem, created_at)
    SELECT channel.id, NEW.id, 'arrived', 'arrived:' || channel.id || ':' || NEW.id, 'waiting', 0,
           NEW.created_at + interval '30 seconds', '', NEW.created_at
    FROM reviews_channel AS channel
    WHERE channel.queue_id = NEW.queue_id AND channel.ended_at IS NULL
    ON CONFLICT (key) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER item_tells_channels AFTER INSERT ON reviews_reviewitem
FOR EACH ROW WHEN (NEW.status = 'open') EXECUTE FUNCTION handrail_item_tells_channels();
"""
_BACK = """
DROP TRIGGER item_tells_channels ON reviews_reviewitem;
DROP FUNCTION handrail_item_tells_channels();
"""


class Migration(migrations.Migration):
    dependencies = [("reviews", "0017_team_and_notices")]
    operations = [migrations.RunSQL(_FORWARD, _BACK)]
