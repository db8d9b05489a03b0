-- What happened, for other programs. A row is written in the transaction of what it tells.
CREATE TABLE {events} (
    -- In what order they were written.
    n INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- Given after the commit, by one publisher at a time: who has seen a number has seen all below it. `n` is
    -- given before the commit, so a reader that went by it would step over a row that commits late.
    seq INTEGER,
    numbered_at INTEGER
) STRICT;
CREATE UNIQUE INDEX {ix_events_seq} ON {events} (seq) WHERE seq IS NOT NULL;
CREATE INDEX {ix_events_unnumbered} ON {events} (n) WHERE seq IS NULL;

-- The last number that was given, and the last that was swept. Its one row is the lock of who numbers.
CREATE TABLE {event_numbers} (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    last INTEGER NOT NULL,
    swept INTEGER NOT NULL
) STRICT;
INSERT INTO {event_numbers} (only_one, last, swept) VALUES (1, 0, 0);
