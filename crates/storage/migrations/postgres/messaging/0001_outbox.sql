-- Messages that wait, are delayed or are in somebody's hands. A row goes when its message is done.
CREATE TABLE {outbox} (
    id uuid NOT NULL PRIMARY KEY,
    queue text NOT NULL,
    kind text NOT NULL,
    headers jsonb NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    priority bigint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    enqueued_at timestamptz NOT NULL,
    -- From when on it may be claimed: now, later (delayed, retried), or the end of the lease.
    visible_at timestamptz NOT NULL,
    expires_at timestamptz,
    lease uuid,
    -- Tries that ended with a counted outcome, and starts since then that ended with none.
    attempts bigint NOT NULL DEFAULT 0,
    starts bigint NOT NULL DEFAULT 0,
    last_error text,
    dedupe_key text
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- One index serves claiming by priority, what is due next, and counting.
CREATE INDEX {ix_outbox_next} ON {outbox} (queue, priority, visible_at, id);
