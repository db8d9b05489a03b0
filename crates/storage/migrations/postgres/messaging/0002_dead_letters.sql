-- Messages that nobody will try again by themselves, whole, with the reason.
CREATE TABLE {dead_letters} (
    id uuid NOT NULL PRIMARY KEY,
    queue text NOT NULL,
    kind text NOT NULL,
    headers jsonb NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    priority bigint NOT NULL,
    enqueued_at timestamptz NOT NULL,
    expires_at timestamptz,
    dedupe_key text,
    reason text NOT NULL,
    detail text NOT NULL,
    attempts bigint NOT NULL,
    starts bigint NOT NULL,
    died_at timestamptz NOT NULL
);

CREATE INDEX {ix_dead_letters_queue} ON {dead_letters} (queue, id);
CREATE INDEX {ix_dead_letters_died_at} ON {dead_letters} (died_at);
