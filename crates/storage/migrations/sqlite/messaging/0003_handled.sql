-- Ids of messages that were handled, so that a second copy is skipped.
CREATE TABLE {handled} (
    queue TEXT NOT NULL,
    id BLOB NOT NULL,
    handled_at INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX {ix_handled_at} ON {handled} (handled_at);

-- Keys under which a publisher says the same thing once, and the message that won.
CREATE TABLE {dedupe_keys} (
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    id BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX {ix_dedupe_keys_expires_at} ON {dedupe_keys} (expires_at);
