-- Messages that nobody will try again by themselves, whole, with the reason.
CREATE TABLE {dead_letters} (
    id BLOB NOT NULL PRIMARY KEY,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    headers TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    priority INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    expires_at INTEGER,
    dedupe_key TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    starts INTEGER NOT NULL,
    died_at INTEGER NOT NULL
) STRICT;

CREATE INDEX {ix_dead_letters_queue} ON {dead_letters} (queue, id);
CREATE INDEX {ix_dead_letters_died_at} ON {dead_letters} (died_at);
