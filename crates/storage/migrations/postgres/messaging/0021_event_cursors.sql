-- Who is told of events, one after another, and how far they are: a webhook, an exchange.
CREATE TABLE {event_cursors} (
    name text NOT NULL PRIMARY KEY,
    position bigint NOT NULL,
    -- One process at a time tells; the others take over when the lease ends.
    lease uuid,
    lease_until timestamptz NOT NULL,
    -- Of the event after `position`: failed tries, since when, when the next one is due, and what came last.
    attempts bigint NOT NULL DEFAULT 0,
    failing_since timestamptz,
    next_try_at timestamptz,
    last_error text,
    delivered bigint NOT NULL DEFAULT 0,
    given_up bigint NOT NULL DEFAULT 0,
    delivered_at timestamptz
);
