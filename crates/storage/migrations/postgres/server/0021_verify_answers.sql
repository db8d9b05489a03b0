-- What POST /api/tokens/verify answered under an Idempotency-Key. The digest is of the request; the token
-- itself is not kept.
CREATE TABLE {verify_answers} (
    api_key_id uuid NOT NULL,
    idempotency_key text NOT NULL,
    digest bytea NOT NULL,
    answer text,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (api_key_id, idempotency_key)
);
CREATE INDEX {ix_verify_answers_expires} ON {verify_answers} (expires_at);
