-- An address that somebody wants in the place of the account's, until its link is pressed; and for a while after
-- that, so that the letters about it know where to go.
CREATE TABLE {email_changes} (
    id BLOB PRIMARY KEY,
    subject TEXT NOT NULL,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL,
    old_email TEXT NOT NULL,
    old_canonical TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    confirmed_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX {ix_email_changes_subject} ON {email_changes} (subject);
CREATE INDEX {ix_email_changes_expires} ON {email_changes} (expires_at);
