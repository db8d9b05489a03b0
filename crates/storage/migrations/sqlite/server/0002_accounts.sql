CREATE TABLE {users} (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    active INTEGER NOT NULL,
    locale TEXT NOT NULL,
    profile TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    activated_at INTEGER,
    password_changed_at INTEGER,
    last_login_at INTEGER
) STRICT;
CREATE TABLE {registrations} (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL,
    password TEXT NOT NULL,
    locale TEXT NOT NULL,
    profile TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX {ix_registrations_email} ON {registrations} (email_canonical);
CREATE INDEX {ix_registrations_expires} ON {registrations} (expires_at);
CREATE TABLE {audit} (
    id BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX {ix_audit_subject} ON {audit} (subject, at);
CREATE INDEX {ix_audit_at} ON {audit} (at);
