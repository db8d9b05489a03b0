-- Who is logged into the console. Of the cookie only the hash is here; a session dies with the password it
-- was opened with.
CREATE TABLE {admin_sessions} (
    cookie_hash bytea PRIMARY KEY,
    admin_id uuid NOT NULL REFERENCES {admins} (id) ON DELETE CASCADE,
    password_digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX {ix_admin_sessions_expires} ON {admin_sessions} (expires_at);
