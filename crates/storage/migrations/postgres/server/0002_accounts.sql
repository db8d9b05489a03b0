CREATE TABLE {users} (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    email_canonical text NOT NULL UNIQUE,
    password text NOT NULL,
    active boolean NOT NULL,
    locale text NOT NULL,
    profile jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    activated_at timestamptz,
    password_changed_at timestamptz,
    last_login_at timestamptz
);
CREATE TABLE {registrations} (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    email_canonical text NOT NULL,
    password text NOT NULL,
    locale text NOT NULL,
    profile jsonb NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX {ix_registrations_email} ON {registrations} (email_canonical);
CREATE INDEX {ix_registrations_expires} ON {registrations} (expires_at);
CREATE TABLE {audit} (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text,
    detail jsonb NOT NULL
);
CREATE INDEX {ix_audit_subject} ON {audit} (subject, at);
CREATE INDEX {ix_audit_at} ON {audit} (at);
