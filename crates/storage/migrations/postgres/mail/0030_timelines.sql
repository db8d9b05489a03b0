-- A letter's timeline goes with its letter when that is swept, in the same transaction. The database need not look the
-- letter up, and lock its row, for every line: three times for each letter that is sent.
ALTER TABLE {delivery_events} DROP CONSTRAINT IF EXISTS delivery_events_delivery_id_fkey;
