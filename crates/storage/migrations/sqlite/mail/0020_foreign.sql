-- Mail that other programs put on the queue, often without an id: what it is known by when it is delivered again, and
-- when a delivery was taken for it.
ALTER TABLE {deliveries} ADD COLUMN body_digest BLOB;
ALTER TABLE {deliveries} ADD COLUMN recognised_at INTEGER;
CREATE INDEX {ix_deliveries_digest} ON {deliveries} (body_digest) WHERE body_digest IS NOT NULL;
