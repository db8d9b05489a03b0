-- The ledger: one row for each recipient of a mail. No content, no whole address.
CREATE TABLE {deliveries} (
    id uuid PRIMARY KEY,
    message_id uuid NOT NULL,
    template text NOT NULL,
    locale text,
    queue text NOT NULL,
    about text,
    recipient text,
    recipient_hash bytea,
    state text NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    faults bigint NOT NULL DEFAULT 0,
    open_starts bigint NOT NULL DEFAULT 0,
    open_dots bigint NOT NULL DEFAULT 0,
    lease uuid,
    lease_until timestamptz,
    next_attempt_at timestamptz,
    expires_at timestamptz,
    reply text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX {ix_deliveries_message} ON {deliveries} (message_id);
CREATE INDEX {ix_deliveries_about} ON {deliveries} (about, template, id) WHERE about IS NOT NULL;
CREATE INDEX {ix_deliveries_recipient} ON {deliveries} (recipient_hash, id) WHERE recipient_hash IS NOT NULL;
CREATE INDEX {ix_deliveries_state} ON {deliveries} (state, id);
CREATE INDEX {ix_deliveries_updated} ON {deliveries} (updated_at);

-- What happened to each letter, in order.
CREATE TABLE {delivery_events} (
    delivery_id uuid NOT NULL REFERENCES {deliveries} (id) ON DELETE CASCADE,
    seq bigint NOT NULL,
    event text NOT NULL,
    detail text,
    times bigint NOT NULL DEFAULT 1,
    at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (delivery_id, seq)
);

-- Captured mail. Only what is sealed says who wrote what to whom.
CREATE TABLE {inbox} (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    recipient_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    captured_at timestamptz NOT NULL
);
CREATE INDEX {ix_inbox_recipient} ON {inbox} (recipient_hash, seq);
CREATE INDEX {ix_inbox_captured} ON {inbox} (captured_at);

-- Addresses that nothing is sent to.
CREATE TABLE {suppressions} (
    recipient_hash bytea PRIMARY KEY,
    recipient text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Idempotency keys of requests for mail.
CREATE TABLE {mail_keys} (
    scope text NOT NULL,
    key_hash bytea NOT NULL,
    digest bytea NOT NULL,
    delivery_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key_hash)
);
CREATE INDEX {ix_mail_keys_expires} ON {mail_keys} (expires_at);
