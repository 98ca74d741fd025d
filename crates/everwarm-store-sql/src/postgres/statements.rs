//! The statements of a store: each verb is one, and a verb for many is one for all of them.
//!
//! An entry and its lease are one row, so one statement sees and changes both. The time is that at which the server began with the
//! statement. What stands between percent signs is a name ([`Names`](super::schema::Names)), or one of the terms below.

use tokio_postgres::types::Type;

use super::schema::Names;

/// A statement, by what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Get,
    GetMany,
    Set,
    SetMany,
    Delete,
    DeleteMany,
    Clear,
    Sweep,
    SweepMarkers,
    Ping,
    Incr,
    SetAbsent,
    SetPresent,
    DeleteIf,
    Lease,
    Renew,
    Release,
    SetLeased,
    Expire,
    Page,
    Begin,
    Read,
    GetWith,
    Strike,
    Settle,
    Look,
}

/// What a parameter is; spans are in microseconds.
#[derive(Clone, Copy)]
enum Kind {
    Name,
    Names,
    Bytes,
    Number,
    Numbers,
    Span,
    Spans,
    Text,
    Texts,
    Bool,
}

impl Kind {
    const fn of(self) -> Type {
        match self {
            Self::Name | Self::Bytes => Type::BYTEA,
            Self::Names => Type::BYTEA_ARRAY,
            Self::Number => Type::INT8,
            Self::Numbers => Type::INT8_ARRAY,
            Self::Span => Type::FLOAT8,
            Self::Spans => Type::FLOAT8_ARRAY,
            Self::Text => Type::TEXT,
            Self::Texts => Type::TEXT_ARRAY,
            Self::Bool => Type::BOOL,
        }
    }
}

/// How many there are.
pub(crate) const STATEMENTS: usize = Statement::Look as usize + 1;

/// Terms that many statements have.
const TERMS: [(&str, &str); 6] = [
    ("{now}", "statement_timestamp()"),
    (
        "{live}",
        "(e.bytes IS NOT NULL AND e.until > statement_timestamp())",
    ),
    (
        "{left}",
        "CASE WHEN e.until < 'infinity' THEN (extract(epoch FROM e.until - statement_timestamp()) * 1000000)::bigint END",
    ),
    (
        "{lease_left}",
        "(extract(epoch FROM e.lease_until - statement_timestamp()) * 1000000)::bigint",
    ),
    (
        "{taken}",
        "coalesce(e.lease_token <> $2 AND e.lease_until > statement_timestamp(), false)",
    ),
    (
        "{held}",
        "e.name = $1 AND e.lease_token = $2 AND e.lease_until > statement_timestamp()",
    ),
];

/// The instant so many microseconds from now, or never, of the parameter with this number.
fn end(number: usize) -> String {
    format!(
        "coalesce(statement_timestamp() + ${number}::float8 * interval '1 microsecond', 'infinity')"
    )
}

impl Statement {
    /// Its text, and the types of its parameters.
    pub(crate) fn written(self, names: &Names) -> (String, Vec<Type>) {
        let (text, types) = self.template();
        let mut text = text.to_owned();
        for number in 1..=9 {
            text = text.replace(&format!("{{end {number}}}"), &end(number));
        }
        for (term, meaning) in TERMS {
            text = text.replace(term, meaning);
        }
        (
            names.within(&text),
            types.iter().map(|kind| kind.of()).collect(),
        )
    }

    const fn template(self) -> (&'static str, &'static [Kind]) {
        use Kind::{Bool, Bytes, Name, Names, Number, Numbers, Span, Spans, Text, Texts};
        match self {
            Self::Get => (
                "SELECT e.bytes, e.version, {left} FROM %entries% e WHERE e.name = $1 AND {live}",
                &[Name],
            ),
            Self::GetMany => (
                "SELECT wanted.place, e.bytes, e.version, {left}
                FROM unnest($1) WITH ORDINALITY AS wanted (name, place) JOIN %entries% e ON e.name = wanted.name WHERE {live}",
                &[Names],
            ),
            Self::Set => (
                "WITH put AS (
                    INSERT INTO %entries% (name, bytes, version, until) VALUES ($1, $2, $3, {end 4})
                    ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes, version = excluded.version, until = excluded.until,
                        lease_token = NULL, lease_until = NULL
                    RETURNING 1
                ) SELECT pg_notify($5, told.text) FROM put, unnest($6) AS told (text)",
                &[Name, Bytes, Number, Span, Text, Texts],
            ),
            Self::SetMany => (
                "WITH put AS (
                    INSERT INTO %entries% (name, bytes, version, until)
                    SELECT w.name, w.bytes, w.version,
                        coalesce({now} + w.ttl * interval '1 microsecond', 'infinity')
                    FROM unnest($1, $2, $3, $4) AS w (name, bytes, version, ttl) ORDER BY w.name
                    ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes, version = excluded.version, until = excluded.until,
                        lease_token = NULL, lease_until = NULL
                    RETURNING 1
                ) SELECT pg_notify($5, told.text) FROM unnest($6) AS told (text)",
                &[Names, Names, Numbers, Spans, Text, Texts],
            ),
            Self::Delete => (
                "WITH gone AS (DELETE FROM %entries% e WHERE e.name = $1 RETURNING {live} AS was),
                told AS (SELECT pg_notify($2, told.text) FROM unnest($3) AS told (text))
                SELECT (SELECT count(*) FROM gone WHERE was), (SELECT count(*) FROM told)",
                &[Name, Text, Texts],
            ),
            Self::DeleteMany => (
                "WITH gone AS (DELETE FROM %entries% e WHERE e.name = ANY ($1) RETURNING {live} AS was),
                told AS (SELECT pg_notify($2, told.text) FROM unnest($3) AS told (text))
                SELECT (SELECT count(*) FROM gone WHERE was), (SELECT count(*) FROM told)",
                &[Names, Text, Texts],
            ),
            Self::Clear => (
                "WITH gone AS (DELETE FROM %entries% e WHERE e.name >= $4 AND e.name < $1 RETURNING {live} AS was),
                told AS (SELECT pg_notify($2, told.text) FROM unnest($3) AS told (text))
                SELECT (SELECT count(*) FROM gone WHERE was), (SELECT count(*) FROM told)",
                &[Name, Text, Texts, Name],
            ),
            Self::Sweep => (
                "WITH due AS (
                    SELECT e.name FROM %entries% e
                    WHERE e.until < 'infinity' AND e.until <= {now} AND (e.lease_until IS NULL OR e.lease_until <= {now})
                    LIMIT $1 FOR UPDATE SKIP LOCKED
                ), gone AS (
                    DELETE FROM %entries% e USING due
                    WHERE e.name = due.name AND e.until <= {now} AND (e.lease_until IS NULL OR e.lease_until <= {now})
                    RETURNING e.bytes IS NOT NULL AS was
                ) SELECT count(*) FILTER (WHERE was), count(*) FROM gone",
                &[Number],
            ),
            Self::SweepMarkers => ("SELECT %sweep%()", &[]),
            Self::Ping => ("SELECT 1", &[]),
            Self::Incr => (
                "WITH put AS (
                    INSERT INTO %entries% AS e (name, bytes, version, until)
                    VALUES ($1, convert_to(($2::numeric + $3::numeric)::text, 'UTF8'), $4, {end 5})
                    ON CONFLICT (name) DO UPDATE SET
                        bytes = CASE WHEN {live}
                            THEN convert_to((encode(e.bytes, 'escape')::bigint + $3)::text, 'UTF8') ELSE excluded.bytes END,
                        version = excluded.version,
                        until = CASE WHEN {live} THEN e.until ELSE excluded.until END,
                        lease_token = NULL, lease_until = NULL
                    RETURNING encode(bytes, 'escape')::bigint AS number
                ), told AS (SELECT pg_notify($6, told.text) FROM unnest($7) AS told (text))
                SELECT number, (SELECT count(*) FROM told) FROM put",
                &[Name, Number, Number, Number, Span, Text, Texts],
            ),
            Self::SetAbsent => (
                "WITH put AS (
                    INSERT INTO %entries% AS e (name, bytes, version, until) VALUES ($1, $2, $3, {end 4})
                    ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes, version = excluded.version, until = excluded.until,
                        lease_token = NULL, lease_until = NULL
                    WHERE NOT {live}
                    RETURNING 1
                ), told AS (SELECT pg_notify($5, told.text) FROM put, unnest($6) AS told (text))
                SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM told)",
                &[Name, Bytes, Number, Span, Text, Texts],
            ),
            Self::SetPresent => (
                "WITH put AS (
                    UPDATE %entries% e SET bytes = $2, version = $3, until = {end 4}, lease_token = NULL, lease_until = NULL
                    WHERE e.name = $1 AND {live} AND ($7::bigint IS NULL OR e.version = $7)
                    RETURNING 1
                ), told AS (SELECT pg_notify($5, told.text) FROM put, unnest($6) AS told (text))
                SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM told)",
                &[Name, Bytes, Number, Span, Text, Texts, Number],
            ),
            Self::DeleteIf => (
                "WITH gone AS (DELETE FROM %entries% e WHERE e.name = $1 AND {live} AND e.version = $2 RETURNING 1),
                told AS (SELECT pg_notify($3, told.text) FROM gone, unnest($4) AS told (text))
                SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM told)",
                &[Name, Number, Text, Texts],
            ),
            // Who is refused leaves word that somebody waits, once: its end is told then.
            Self::Lease => (
                "WITH asked AS (
                    INSERT INTO %entries% AS e (name, until, lease_token, lease_until) VALUES ($1, {end 3}, $2, {end 3})
                    ON CONFLICT (name) DO UPDATE SET
                        bytes = CASE WHEN {live} THEN e.bytes END,
                        until = CASE WHEN {live} OR {taken} THEN e.until ELSE excluded.until END,
                        lease_token = CASE WHEN {taken} THEN e.lease_token ELSE $2 END,
                        lease_until = CASE WHEN {taken} THEN e.lease_until ELSE excluded.lease_until END,
                        lease_waited = {taken} OR (e.lease_waited AND coalesce({held}, false))
                    WHERE NOT ({taken} AND e.lease_waited)
                    RETURNING e.lease_token = $2 AS is_granted, {lease_left} AS time_left
                )
                SELECT is_granted, time_left FROM asked
                UNION ALL
                SELECT false, {lease_left} FROM %entries% e WHERE e.name = $1 AND NOT EXISTS (SELECT FROM asked)",
                &[Name, Number, Span],
            ),
            Self::Renew => (
                "UPDATE %entries% e
                SET lease_until = {end 3}, until = CASE WHEN e.bytes IS NULL THEN {end 3} ELSE e.until END
                WHERE {held} RETURNING 1",
                &[Name, Number, Span],
            ),
            Self::Release => (
                "WITH freed AS (
                    UPDATE %entries% e SET lease_token = NULL, lease_until = NULL WHERE {held} RETURNING e.lease_waited
                ) SELECT CASE WHEN lease_waited THEN pg_notify($3, $4)::text END FROM freed",
                &[Name, Number, Text, Text],
            ),
            Self::SetLeased => (
                "WITH put AS (
                    UPDATE %entries% e SET bytes = $5, version = $6, until = {end 7}, lease_token = NULL, lease_until = NULL
                    WHERE {held} RETURNING e.lease_waited
                ) SELECT CASE WHEN lease_waited THEN pg_notify($3, $4)::text END FROM put",
                &[Name, Number, Text, Text, Bytes, Number, Span],
            ),
            Self::Expire => (
                "UPDATE %entries% e SET until = {end 2} WHERE e.name = $1 AND {live} RETURNING 1",
                &[Name, Span],
            ),
            Self::Page => (
                "SELECT e.name FROM %entries% e WHERE e.name >= $1 AND e.name < $2 AND {live} ORDER BY e.name LIMIT $3",
                &[Name, Name, Number],
            ),
            Self::Begin => (
                "SELECT * FROM %begin%($1, $2, $3::float8 * interval '1 microsecond', $4)",
                &[Name, Names, Span, Number],
            ),
            Self::Read => ("SELECT * FROM %read%($1, $2, '-infinity')", &[Name, Names]),
            Self::GetWith => (
                "SELECT reading.*, e.bytes, e.version, {left}
                FROM %read%($1, $2, '-infinity') AS reading LEFT JOIN %entries% e ON e.name = $3 AND {live}",
                &[Name, Names, Name],
            ),
            Self::Strike => (
                "SELECT * FROM %strike%($1, $2, $3, $4::float8 * interval '1 microsecond', $5, $6, $7)",
                &[Name, Names, Number, Span, Bool, Text, Texts],
            ),
            Self::Settle => (
                "SELECT %settle%($1, $2, $3, $4::float8 * interval '1 microsecond', $5, $6, $7, $8, $9, $10, $11, $12)",
                &[
                    Name, Bytes, Number, Span, Number, Name, Names, Number, Numbers, Numbers, Text, Text,
                ],
            ),
            // The number of live rows is the server's estimate; what lies in side tables counts to the size.
            Self::Look => (
                "SELECT current_setting('server_version'), pg_is_in_recovery(), pg_total_relation_size(c.oid),
                    greatest(c.reltuples, 0)::bigint, c.relpersistence = 'u', current_setting('synchronous_commit'),
                    current_setting('fsync'), current_setting('max_connections')::bigint,
                    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
                FROM pg_class c WHERE c.oid = $1::text::regclass",
                &[Text],
            ),
        }
    }
}
