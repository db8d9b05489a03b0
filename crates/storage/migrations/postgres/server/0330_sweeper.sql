-- Who deletes what has expired: one instance at a time, on a lease, and when one last came to the end of it.
CREATE TABLE {sweeper} (
    only_one integer PRIMARY KEY CHECK (only_one = 1),
    holder uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    swept_at timestamptz
);
