-- Messages that a broker has and whose row stays until their end is known: since when, how often, and from when on
-- it is doubted that the broker still has them. Nothing of this is written with the embedded broker.
ALTER TABLE {outbox} ADD COLUMN handed_at timestamptz;
ALTER TABLE {outbox} ADD COLUMN handed_times bigint NOT NULL DEFAULT 0;
ALTER TABLE {outbox} ADD COLUMN doubt_at timestamptz;

CREATE INDEX {ix_outbox_handed} ON {outbox} (queue, handed_at) WHERE handed_at IS NOT NULL;
