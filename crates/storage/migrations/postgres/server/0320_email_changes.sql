-- An address that somebody wants in the place of the account's, until its link is pressed; and for a while after
-- that, so that the letters about it know where to go.
CREATE TABLE {email_changes} (
    id uuid PRIMARY KEY,
    subject text NOT NULL,
    email text NOT NULL,
    email_canonical text NOT NULL,
    old_email text NOT NULL,
    old_canonical text NOT NULL,
    requested_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX {ix_email_changes_subject} ON {email_changes} (subject);
CREATE INDEX {ix_email_changes_expires} ON {email_changes} (expires_at);
