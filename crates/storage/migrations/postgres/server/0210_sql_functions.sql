-- What other programs may do inside transactions of their own, in any language: ask for mail, publish a message, use
-- up a token. All of it commits and rolls back with the caller. Nobody is told by NOTIFY, which would make
-- commits queue up behind each other: who waits for rows looks once a second.
-- These are the only statements of ours that ask the database for the time: whoever calls them has no other.

-- A UUID of version 7, as the programs make them: rows made one after another lie side by side.
CREATE FUNCTION {new_message_id}() RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;

CREATE FUNCTION {publish}(queue text, body jsonb, headers jsonb DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made uuid := {new_message_id}();
    moment timestamptz := clock_timestamp();
    bytes bytea := convert_to(body::text, 'UTF8');
    given jsonb := coalesce(headers, '{}'::jsonb);
    kind text;
BEGIN
    IF publish.queue IS NULL OR octet_length(publish.queue) NOT BETWEEN 1 AND 200 OR publish.queue ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a queue''s name has 1 to 200 bytes and no control characters' USING ERRCODE = '22023';
    END IF;
    IF publish.queue LIKE 'gatepost.%' THEN
        RAISE EXCEPTION 'queues named gatepost.* are Gatepost''s own: for mail there is enqueue_mail'
            USING ERRCODE = '42501';
    END IF;
    IF bytes IS NULL OR octet_length(bytes) > 16777216 THEN
        RAISE EXCEPTION 'a body is JSON of at most 16 MiB' USING ERRCODE = '22023';
    END IF;
    IF jsonb_typeof(given) <> 'object'
        OR EXISTS (SELECT 1 FROM jsonb_each(given) AS h
                   WHERE jsonb_typeof(h.value) <> 'string' OR octet_length(h.key) > 255) THEN
        RAISE EXCEPTION 'headers are an object of texts, their names at most 255 bytes' USING ERRCODE = '22023';
    END IF;
    kind := coalesce(given ->> 'type', '');
    IF octet_length(kind) > 255 THEN
        RAISE EXCEPTION 'a type has at most 255 bytes' USING ERRCODE = '22023';
    END IF;
    INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, visible_at)
    VALUES (made, publish.queue, kind, given - 'type', 'application/json', bytes, 4, moment, moment);
    RETURN made;
END
$$;

CREATE FUNCTION {enqueue_mail}(
    body jsonb, template text DEFAULT NULL, data jsonb DEFAULT NULL, locale text DEFAULT NULL,
    dedupe_key text DEFAULT NULL, expires_at timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made uuid := {new_message_id}();
    moment timestamptz := clock_timestamp();
    request jsonb := body;
    address text;
    shown text;
    first uuid;
BEGIN
    IF jsonb_typeof(request) IS DISTINCT FROM 'object' OR jsonb_typeof(request -> 'to_email') IS DISTINCT FROM 'string' THEN
        RAISE EXCEPTION 'body is an object with a text to_email' USING ERRCODE = '22023';
    END IF;
    IF enqueue_mail.template IS NOT NULL THEN
        request := request || jsonb_build_object('template', enqueue_mail.template,
            'data', coalesce(enqueue_mail.data, '{}'::jsonb));
    ELSIF NOT request ? 'template' AND jsonb_typeof(request #> '{template_data,message}') IS DISTINCT FROM 'string' THEN
        RAISE EXCEPTION 'a mail needs template_data with a message, or a template' USING ERRCODE = '22023';
    END IF;
    IF enqueue_mail.locale IS NOT NULL THEN
        request := request || jsonb_build_object('locale', enqueue_mail.locale);
    END IF;
    IF enqueue_mail.expires_at IS NOT NULL THEN
        IF enqueue_mail.expires_at <= moment THEN
            RAISE EXCEPTION 'expires_at has passed' USING ERRCODE = '22023';
        END IF;
        request := request || jsonb_build_object('expires_at',
            to_char(enqueue_mail.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
    END IF;
    IF octet_length(request::text) > 16777216 THEN
        RAISE EXCEPTION 'a request for mail has at most 16 MiB' USING ERRCODE = '22023';
    END IF;
    IF enqueue_mail.dedupe_key IS NOT NULL THEN
        IF octet_length(enqueue_mail.dedupe_key) > 255 THEN
            RAISE EXCEPTION 'a dedupe key has at most 255 bytes' USING ERRCODE = '22023';
        END IF;
        INSERT INTO {dedupe_keys} AS k (queue, key, id, expires_at)
        VALUES ('gatepost.mail.requests', enqueue_mail.dedupe_key, made, moment + interval '24 hours')
        ON CONFLICT (queue, key) DO UPDATE SET
            id = CASE WHEN k.expires_at <= moment THEN excluded.id ELSE k.id END,
            expires_at = CASE WHEN k.expires_at <= moment THEN excluded.expires_at ELSE k.expires_at END
        RETURNING id INTO first;
        IF first <> made THEN
            RETURN first;
        END IF;
    END IF;
    address := request ->> 'to_email';
    shown := left(split_part(address, '@', 1), 1) || '***@' || left(split_part(address, '@', 2), 1) || '***'
        || coalesce(substring(split_part(address, '@', 2) FROM '\.[^.]{1,24}$'), '');
    INSERT INTO {deliveries} (id, message_id, template, locale, queue, recipient, state, expires_at, created_at, updated_at)
    VALUES (made, made, left(coalesce(request ->> 'template', 'notification'), 64), left(request ->> 'locale', 35),
        'gatepost.mail', shown, 'waiting', enqueue_mail.expires_at, moment, moment);
    INSERT INTO {delivery_events} (delivery_id, seq, event, at, last_at) VALUES (made, 1, 'queued', moment, moment);
    INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, visible_at, dedupe_key)
    VALUES (made, 'gatepost.mail.requests', 'gatepost.mail_request', '{}'::jsonb, 'application/json',
        convert_to(request::text, 'UTF8'), 4, moment, moment, enqueue_mail.dedupe_key);
    RETURN made;
END
$$;

-- Whether this call used the token up. It checks no signature: check the token first. The row outlives the token by
-- a day, as a twin of its letter may be a day younger.
CREATE FUNCTION {use_token}(jti text, expires_at timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF use_token.jti IS NULL OR octet_length(use_token.jti) NOT BETWEEN 1 AND 255 OR use_token.expires_at IS NULL THEN
        RAISE EXCEPTION 'a jti of 1 to 255 bytes and the token''s expires_at are needed' USING ERRCODE = '22023';
    END IF;
    INSERT INTO {blacklist} (jti, reason, expires_at)
    VALUES (use_token.jti, 'used', greatest(use_token.expires_at, clock_timestamp()) + interval '25 hours')
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION {new_message_id}() FROM PUBLIC;
REVOKE ALL ON FUNCTION {publish}(text, jsonb, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION {enqueue_mail}(jsonb, text, jsonb, text, text, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION {use_token}(text, timestamptz) FROM PUBLIC;

-- Roles belong to the whole server, and not everybody may make one: then somebody who may does it by hand.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'gatepost_client') THEN
        BEGIN
            CREATE ROLE gatepost_client NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'gatepost_client could not be made: see docs/messaging.md, "In your own transaction"';
                RETURN;
        END;
    END IF;
    GRANT USAGE ON SCHEMA {schema} TO gatepost_client;
    GRANT EXECUTE ON FUNCTION {publish}(text, jsonb, jsonb) TO gatepost_client;
    GRANT EXECUTE ON FUNCTION {enqueue_mail}(jsonb, text, jsonb, text, text, timestamptz) TO gatepost_client;
    GRANT EXECUTE ON FUNCTION {use_token}(text, timestamptz) TO gatepost_client;
END
$$;
