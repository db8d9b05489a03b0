-- Messages that wait, are delayed or are in somebody's hands. A row goes when its message is done.
CREATE TABLE {outbox} (
    id BLOB NOT NULL PRIMARY KEY,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    headers TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    enqueued_at INTEGER NOT NULL,
    -- From when on it may be claimed: now, later (delayed, retried), or the end of the lease.
    visible_at INTEGER NOT NULL,
    expires_at INTEGER,
    lease BLOB,
    -- Tries that ended with a counted outcome, and starts since then that ended with none.
    attempts INTEGER NOT NULL DEFAULT 0,
    starts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    dedupe_key TEXT
) STRICT;

-- One index serves claiming by priority, what is due next, and counting.
CREATE INDEX {ix_outbox_next} ON {outbox} (queue, priority, visible_at, id);
