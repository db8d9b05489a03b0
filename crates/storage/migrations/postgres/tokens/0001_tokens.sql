CREATE TABLE {blacklist} (
    jti text NOT NULL PRIMARY KEY,
    reason text NOT NULL CHECK (reason IN ('used', 'revoked')),
    expires_at timestamptz NOT NULL
);
CREATE INDEX {ix_blacklist_expires_at} ON {blacklist} (expires_at);

CREATE TABLE {generations} (
    subject text NOT NULL,
    class text NOT NULL,
    generation bigint NOT NULL,
    raised_at timestamptz NOT NULL,
    PRIMARY KEY (subject, class)
);
CREATE INDEX {ix_generations_raised_at} ON {generations} (raised_at);

-- One counter for all: a row of generations can be forgotten, and no number ever comes again.
CREATE SEQUENCE {generation_counter} AS bigint;

CREATE TABLE {sessions} (
    id uuid NOT NULL PRIMARY KEY,
    subject text NOT NULL,
    generation bigint NOT NULL,
    rotation bigint NOT NULL,
    jti text NOT NULL,
    previous_jti text,
    access_jti text NOT NULL,
    secret text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    absolute_at timestamptz NOT NULL,
    rotated_at timestamptz NOT NULL,
    seen_at timestamptz,
    created_at timestamptz NOT NULL,
    user_agent text,
    ip text,
    ended_at timestamptz,
    end_reason text
);
CREATE INDEX {ix_sessions_subject} ON {sessions} (subject);
CREATE INDEX {ix_sessions_expires_at} ON {sessions} (expires_at);

CREATE TABLE {revocation_log} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Which transaction wrote it: ids are given out before the commit, so a reader that went by them would
    -- step over a row that commits late.
    xact bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    kind text NOT NULL CHECK (kind IN ('session', 'subject', 'token')),
    key text NOT NULL,
    generation bigint,
    expires_at timestamptz NOT NULL
);
CREATE INDEX {ix_revocation_log_xact} ON {revocation_log} (xact);
CREATE INDEX {ix_revocation_log_expires_at} ON {revocation_log} (expires_at);

CREATE TABLE {keys} (
    fingerprint text NOT NULL PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('current', 'previous')),
    since timestamptz NOT NULL
);
CREATE UNIQUE INDEX {ix_keys_current} ON {keys} (state) WHERE state = 'current';
