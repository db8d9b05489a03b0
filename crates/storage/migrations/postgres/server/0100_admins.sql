CREATE TABLE {admins} (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    canonical text NOT NULL,
    password_hash text,
    created_at timestamptz NOT NULL,
    last_login_at timestamptz
);
CREATE UNIQUE INDEX {ix_admins_canonical} ON {admins} (canonical);
CREATE TABLE {admin_links} (
    token_hash bytea PRIMARY KEY,
    admin_id uuid REFERENCES {admins} (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
