-- Who is told of events, one after another, and how far they are: a webhook, an exchange.
CREATE TABLE {event_cursors} (
    name TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL,
    -- One process at a time tells; the others take over when the lease ends.
    lease BLOB,
    lease_until INTEGER NOT NULL,
    -- Of the event after `position`: failed tries, since when, when the next one is due, and what came last.
    attempts INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    next_try_at INTEGER,
    last_error TEXT,
    delivered INTEGER NOT NULL DEFAULT 0,
    given_up INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER
) STRICT;
