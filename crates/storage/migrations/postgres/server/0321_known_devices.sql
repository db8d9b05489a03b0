-- What somebody has logged in with before, by keyed hashes: of the browser's cookie, of the kind of device and its
-- network. What is none of these is told to the account's owner.
CREATE TABLE {known_devices} (
    subject text NOT NULL,
    mark bytea NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (subject, mark)
);
CREATE INDEX {ix_known_devices_seen} ON {known_devices} (seen_at);
