-- Keys besides those that are derived from the secret. Rows are added, retired and forgotten, never changed: what a
-- key does at a time follows from the rows and the clock, so that all instances come to the same answer.
CREATE TABLE {signing_keys} (
    kid text NOT NULL PRIMARY KEY,
    -- One higher than the last: of two that add a key at once, one wins.
    number bigint NOT NULL UNIQUE,
    algorithm text NOT NULL,
    -- Names, with a space between them.
    purposes text NOT NULL,
    -- The private key, sealed; none where a derived key of this name was retired.
    sealed bytea,
    -- The fingerprint of the secret that it is sealed with.
    sealed_by text,
    -- For how many seconds the tokens that it signs may live.
    lives bigint NOT NULL,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL,
    retired_at timestamptz
);
