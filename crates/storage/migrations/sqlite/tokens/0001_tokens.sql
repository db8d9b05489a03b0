CREATE TABLE {blacklist} (
    jti TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL CHECK (reason IN ('used', 'revoked')),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX {ix_blacklist_expires_at} ON {blacklist} (expires_at);

CREATE TABLE {generations} (
    subject TEXT NOT NULL,
    class TEXT NOT NULL,
    generation INTEGER NOT NULL,
    raised_at INTEGER NOT NULL,
    PRIMARY KEY (subject, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX {ix_generations_raised_at} ON {generations} (raised_at);

-- One counter for all: a row of generations can be forgotten, and no number ever comes again.
CREATE TABLE {generation_counter} (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO {generation_counter} (id, value) VALUES (1, 0);

CREATE TABLE {sessions} (
    id BLOB NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rotation INTEGER NOT NULL,
    jti TEXT NOT NULL,
    previous_jti TEXT,
    access_jti TEXT NOT NULL,
    secret TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    absolute_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    seen_at INTEGER,
    created_at INTEGER NOT NULL,
    user_agent TEXT,
    ip TEXT,
    ended_at INTEGER,
    end_reason TEXT
) STRICT;
CREATE INDEX {ix_sessions_subject} ON {sessions} (subject);
CREATE INDEX {ix_sessions_expires_at} ON {sessions} (expires_at);

CREATE TABLE {revocation_log} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'subject', 'token')),
    key TEXT NOT NULL,
    generation INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX {ix_revocation_log_expires_at} ON {revocation_log} (expires_at);

CREATE TABLE {keys} (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('current', 'previous')),
    since INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX {ix_keys_current} ON {keys} (state) WHERE state = 'current';
