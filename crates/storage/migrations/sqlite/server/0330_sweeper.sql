-- Who deletes what has expired: one instance at a time, on a lease, and when one last came to the end of it.
CREATE TABLE {sweeper} (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    holder BLOB NOT NULL,
    lease_until INTEGER NOT NULL,
    swept_at INTEGER
) STRICT;
