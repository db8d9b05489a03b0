-- The same functions, which say more of what is wrong where it is said: an address that is none, data without a template,
-- two contents, an expiry within the body that has passed. One at 'infinity' is none; a token that never expires would be
-- kept for ever.

CREATE OR REPLACE FUNCTION {enqueue_mail}(
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
    until timestamptz := nullif(enqueue_mail.expires_at, 'infinity');
BEGIN
    IF jsonb_typeof(request) IS DISTINCT FROM 'object' OR jsonb_typeof(request -> 'to_email') IS DISTINCT FROM 'string' THEN
        RAISE EXCEPTION 'body is an object with a text to_email' USING ERRCODE = '22023';
    END IF;
    -- What is null is not given.
    request := (SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(body) AS f WHERE f.value <> 'null');
    address := request ->> 'to_email';
    IF address !~ '[^@[:space:]<>]@[^@[:space:]<>]' THEN
        RAISE EXCEPTION 'to_email is no e-mail address' USING ERRCODE = '22023';
    END IF;
    IF enqueue_mail.template IS NOT NULL THEN
        request := request || jsonb_build_object('template', enqueue_mail.template);
    END IF;
    IF enqueue_mail.data IS NOT NULL THEN
        IF jsonb_typeof(enqueue_mail.data) <> 'object' OR NOT request ? 'template' THEN
            RAISE EXCEPTION 'data is an object, and for a template' USING ERRCODE = '22023';
        END IF;
        request := request || jsonb_build_object('data', enqueue_mail.data);
    END IF;
    IF request ? 'template' AND request ? 'template_data' THEN
        RAISE EXCEPTION 'give either a template and its data or template_data' USING ERRCODE = '22023';
    ELSIF NOT request ? 'template' AND jsonb_typeof(request #> '{template_data,message}') IS DISTINCT FROM 'string' THEN
        RAISE EXCEPTION 'a mail needs template_data with a message, or a template' USING ERRCODE = '22023';
    END IF;
    IF enqueue_mail.locale IS NOT NULL THEN
        request := request || jsonb_build_object('locale', enqueue_mail.locale);
    END IF;
    IF enqueue_mail.expires_at IS NULL AND request ? 'expires_at' THEN
        BEGIN
            until := nullif((request ->> 'expires_at')::timestamptz, 'infinity');
        EXCEPTION
            WHEN invalid_datetime_format OR datetime_field_overflow OR invalid_time_zone_displacement_value THEN
                RAISE EXCEPTION 'expires_at is a time such as 2026-01-31T12:00:00Z' USING ERRCODE = '22023';
        END;
    END IF;
    request := request - 'expires_at';
    IF until IS NOT NULL THEN
        IF until <= moment THEN
            RAISE EXCEPTION 'expires_at has passed' USING ERRCODE = '22023';
        END IF;
        request := request || jsonb_build_object('expires_at',
            to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
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
    shown := left(split_part(address, '@', 1), 1) || '***@' || left(split_part(address, '@', 2), 1) || '***'
        || coalesce(substring(split_part(address, '@', 2) FROM '\.[^.]{1,24}$'), '');
    INSERT INTO {deliveries} (id, message_id, template, locale, queue, recipient, state, expires_at, created_at, updated_at)
    VALUES (made, made, left(coalesce(request ->> 'template', 'notification'), 64), left(request ->> 'locale', 35),
        'gatepost.mail', shown, 'waiting', until, moment, moment);
    INSERT INTO {delivery_events} (delivery_id, seq, event, at, last_at) VALUES (made, 1, 'queued', moment, moment);
    INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, visible_at, dedupe_key)
    VALUES (made, 'gatepost.mail.requests', 'gatepost.mail_request', '{}'::jsonb, 'application/json',
        convert_to(request::text, 'UTF8'), 4, moment, moment, enqueue_mail.dedupe_key);
    RETURN made;
END
$$;

-- Whether this call used the token up. It checks no signature: check the token first. The row outlives the token by
-- a day, as a twin of its letter may be a day younger.
CREATE OR REPLACE FUNCTION {use_token}(jti text, expires_at timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF use_token.jti IS NULL OR octet_length(use_token.jti) NOT BETWEEN 1 AND 255 OR use_token.expires_at IS NULL
        OR NOT isfinite(use_token.expires_at) THEN
        RAISE EXCEPTION 'a jti of 1 to 255 bytes and the hour when the token expires are needed'
            USING ERRCODE = '22023';
    END IF;
    INSERT INTO {blacklist} (jti, reason, expires_at)
    VALUES (use_token.jti, 'used', greatest(use_token.expires_at, clock_timestamp()) + interval '25 hours')
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;
