//! The statements of a store, of which its steps are made.
//!
//! An entry and its lease are one row. Where a step is one statement, that is its transaction; where it is several, they stand between
//! `Start` and `Commit`, each sees what was done when it begins (READ COMMITTED), and rows that must not change meanwhile are locked. All
//! steps lock in one order: shards, markers, entries, and the shard of the messages last; among several of a kind that of their bytes.
//! They are in the words that MySQL and MariaDB have in common, without procedures: so a user needs no right to make any. What a later
//! statement needs of an earlier one is handed on in variables of the session.
//!
//! A `?` is a value; what stands between percent signs is a name ([`Names`](super::names::Names)), and between braces one of the terms.

use super::names::Names;

/// Terms that many statements have, in which terms that come later may stand.
const TERMS: [(&str, &str); 6] = [
    ("{live}", "(bytes IS NOT NULL AND ends > {now})"),
    ("{left}", "IF(ends = {never}, NULL, ends - {now})"),
    // Assignments are made from the left to the right: the version is first, and tells the rest whether it was taken.
    (
        "{renewed}",
        "bytes = VALUES(bytes), version = VALUES(version), ends = VALUES(ends)",
    ),
    ("{freed}", "lease_token = NULL, lease_ends = NULL"),
    ("{never}", "9223372036854775807"),
    ("{now}", NOW),
];

/// The instant at which the server began with the statement, in microseconds.
pub(crate) const NOW: &str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        /// A statement, by what it does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Statement {
            $($(#[$doc])* $name,)*
        }

        const TEMPLATES: &[&str] = &[$($text),*];
    };
}

statements! {
    Start = "START TRANSACTION";
    Commit = "COMMIT";
    Ping = "SELECT 1";
    /// Begins a step of which nothing is known yet.
    Forget = "SET @did = 0, @e = NULL, @n = NULL, @m = NULL, @live = NULL, @old = NULL, @sum = NULL, @told = ''";
    /// Whether the statement before it did something.
    Did = "SET @did = ROW_COUNT()";
    Doing = "SET @did = 1";

    GetMany = "SELECT name, bytes, version, {left} FROM %entries% WHERE name IN (?) AND {live}";
    Set = "INSERT INTO %entries% (name, bytes, version, ends) VALUES ?
        ON DUPLICATE KEY UPDATE {renewed}, {freed}";
    /// Deletes what counts as there, and then what else there is: neither takes what came after the other looked.
    Delete = "DELETE FROM %entries% WHERE name IN (?) AND {live}";
    DeleteRest = "DELETE FROM %entries% WHERE name IN (?) AND NOT {live}";
    Clear = "DELETE FROM %entries% WHERE name >= ? AND name < ? AND {live}";
    ClearRest = "DELETE FROM %entries% WHERE name >= ? AND name < ? AND NOT {live}";
    Page = "SELECT name FROM %entries% WHERE name >= ? AND name < ? AND {live} ORDER BY name LIMIT ?";
    Expire = "UPDATE %entries% SET ends = ? WHERE name = ? AND {live}";

    SetAbsent = "INSERT INTO %entries% (name, bytes, version, ends) VALUES ?
        ON DUPLICATE KEY UPDATE
            version = IF({live}, version, VALUES(version)),
            bytes = IF(version = VALUES(version), VALUES(bytes), bytes),
            ends = IF(version = VALUES(version), VALUES(ends), ends),
            lease_token = IF(version = VALUES(version), NULL, lease_token),
            lease_ends = IF(version = VALUES(version), NULL, lease_ends)";
    /// Whether that was done, by the number of the write.
    DidAbsent = "SET @did = (SELECT COUNT(*) FROM %entries% WHERE name = ? AND version = ?)";
    SetPresent = "UPDATE %entries% SET bytes = ?, version = ?, ends = ?, {freed} WHERE name = ? AND {live}";
    SetVersion = "UPDATE %entries% SET bytes = ?, version = ?, ends = ?, {freed} WHERE name = ? AND {live} AND version = ?";
    DeleteVersion = "DELETE FROM %entries% WHERE name = ? AND {live} AND version = ?";
    SayDid = "SELECT @did";

    /// Makes the row if it is missing, and locks it.
    HoldEntry = "INSERT INTO %entries% (name, ends) VALUES (?, 0) ON DUPLICATE KEY UPDATE ends = ends";
    Count = "SELECT {live}, CONVERT(bytes USING latin1) INTO @live, @old FROM %entries% WHERE name = ?";
    Sum = "SET @sum = CASE
        WHEN NOT @live THEN ?
        WHEN @old REGEXP '^[-]{0,1}[0-9]{1,19}$' THEN CAST(@old AS DECIMAL(30)) + (?) END";
    PutSum = "UPDATE %entries% SET bytes = CAST(@sum AS CHAR), version = ?, ends = IF(@live, ends, ?), {freed}
        WHERE name = ? AND @sum BETWEEN -9223372036854775808 AND 9223372036854775807";
    SaySum = "SELECT CAST(@sum AS CHAR), @did";

    /// Asks for leases; nothing is written where somebody else has one.
    Lease = "INSERT INTO %entries% (name, ends, lease_token, lease_ends) VALUES ?
        ON DUPLICATE KEY UPDATE
            bytes = IF({live}, bytes, NULL),
            lease_token = IF(lease_token <> VALUES(lease_token) AND lease_ends > {now}, lease_token, VALUES(lease_token)),
            lease_ends = IF(lease_token = VALUES(lease_token), VALUES(lease_ends), lease_ends),
            ends = IF(bytes IS NULL, lease_ends, ends)";
    SayLeases = "SELECT name, lease_token, lease_ends - {now} FROM %entries% WHERE name IN (?) AND lease_ends > {now}";
    Renew = "UPDATE %entries% SET lease_ends = ?, ends = IF(bytes IS NULL, lease_ends, ends)
        WHERE name = ? AND lease_token = ? AND lease_ends > {now}";
    Release = "UPDATE %entries% SET {freed} WHERE name = ? AND lease_token = ? AND lease_ends > {now}";
    SetLeased = "UPDATE %entries% SET bytes = ?, version = ?, ends = ?, lease_token = NULL, lease_ends = NULL
        WHERE name = ? AND lease_token = ? AND lease_ends > {now}";

    /// The reading of a shard and the markers of tags, at one moment with entries. Of a suspension that is over a marker has an epoch
    /// and no number. The last column but one says whether it is of the shard's epoch and kept until then.
    Read = "SELECT 0, s.epoch, s.number, m.tag, IF(m.suspended_ends IS NULL, m.epoch, s.epoch),
            CASE WHEN m.suspended_ends IS NULL THEN m.number WHEN m.suspended_ends > {now} THEN s.number + 1 END,
            m.ends >= ? AND m.epoch = s.epoch AND COALESCE(m.suspended_ends > {now}, TRUE), NULL
        FROM %shards% s LEFT JOIN %markers% m ON m.space = s.space AND m.tag IN (?) WHERE s.space = ?
        UNION ALL
        SELECT 1, version, {left}, name, NULL, NULL, NULL, bytes FROM %entries% WHERE name IN (?) AND {live}";

    /// Makes a shard if it is missing, and locks it for who will write to it.
    HoldShard = "INSERT INTO %shards% (space, epoch, number) VALUES (?, ?, 0) ON DUPLICATE KEY UPDATE number = number";
    /// Locks it against invalidations.
    ShareShard = "SELECT epoch, number INTO @e, @n FROM %shards% WHERE space = ? LOCK IN SHARE MODE";
    StrikeShard = "INSERT INTO %shards% (space, epoch, number) VALUES (?, ?, 1) ON DUPLICATE KEY UPDATE number = number + 1";
    LoadShard = "SELECT epoch, number INTO @e, @n FROM %shards% WHERE space = ?";
    /// How many suspensions of tags are over.
    Over = "SET @did = (SELECT COUNT(*) FROM %markers% WHERE space = ? AND tag IN (?) AND suspended_ends <= {now})";
    /// They end as by an invalidation: what began while they lasted stays out.
    LiftShard = "UPDATE %shards% SET number = number + 1 WHERE space = ? AND @did > 0";
    Lift = "UPDATE %markers% SET epoch = @e, number = @n, suspended_ends = NULL, suspended_by = 0
        WHERE space = ? AND tag IN (?) AND suspended_ends <= {now} AND @did > 0";
    LiftAll = "UPDATE %markers% SET epoch = @e, number = @n, suspended_ends = NULL, suspended_by = 0
        WHERE space = ? AND suspended_ends <= {now} AND @e IS NOT NULL";
    /// Makes the markers that are missing, or of another epoch, or not kept for long enough: for longer than was asked for, so that
    /// they are not written each time.
    Mark = "INSERT INTO %markers% (space, tag, epoch, number, ends)
        SELECT ?, wanted.tag, @e, @n, ?
        FROM (?) AS wanted LEFT JOIN %markers% m ON m.space = ? AND m.tag = wanted.tag
        WHERE @e IS NOT NULL AND (m.tag IS NULL OR m.epoch <> @e OR m.ends < ?)
        ON DUPLICATE KEY UPDATE
            %markers%.number = IF(%markers%.epoch = @e, %markers%.number, @n),
            %markers%.epoch = @e,
            %markers%.ends = GREATEST(%markers%.ends, VALUES(ends))";
    /// The newest of the stamps that is of the shard's epoch.
    Stamp = "SET @stamp = (SELECT MAX(number) FROM (?) AS stamps WHERE epoch = @e)";
    /// Whether it covers the markers of all tags, in a variable.
    Cover = "SELECT COUNT(*) = 0 INTO ? FROM (?) AS wanted LEFT JOIN %markers% m ON m.space = ? AND m.tag = wanted.tag
        WHERE NOT COALESCE(IF(m.suspended_ends IS NOT NULL, @n + 1, IF(m.epoch = @e, m.number, @n)) <= @stamp, FALSE)";
    SetCovered = "INSERT INTO %entries% (name, bytes, version, ends) SELECT ?, ?, ?, ? FROM DUAL WHERE ?
        ON DUPLICATE KEY UPDATE {renewed}";
    SetLeasedCovered = "UPDATE %entries% SET bytes = ?, version = ?, ends = ?, lease_token = NULL, lease_ends = NULL
        WHERE name = ? AND lease_token = ? AND lease_ends > {now} AND ?";
    /// What became of all of them, and whether the shard is missing or a suspension is over.
    SayCovered = "SELECT @e IS NULL OR EXISTS (
            SELECT 1 FROM %markers% WHERE space = ? AND tag IN (?) AND suspended_ends <= {now}
        )?";
    /// Sets markers to the shard's number. One that nobody named before need not be kept: no entry carries it.
    Strike = "INSERT INTO %markers% (space, tag, epoch, number, ends, suspended_ends, suspended_by) VALUES ?
        ON DUPLICATE KEY UPDATE epoch = @e, number = @n, suspended_by = CASE
                WHEN suspended_ends IS NULL OR suspended_ends <= {now} THEN VALUES(suspended_by)
                ELSE suspended_by + (?) END,
            suspended_ends = CASE
                WHEN VALUES(suspended_ends) IS NOT NULL THEN GREATEST(VALUES(suspended_ends), COALESCE(suspended_ends, 0))
                WHEN suspended_ends <= {now} OR suspended_by <= 0 THEN NULL
                ELSE suspended_ends END";

    /// Draws the number of a message: the row is locked until the step is done, so numbers become visible in their order.
    Draw = "INSERT INTO %shards% (space, epoch, number) SELECT x'FF', ?, 1 FROM DUAL WHERE @did > 0
        ON DUPLICATE KEY UPDATE %shards%.number = %shards%.number + 1";
    /// Puts a line about a tag to what will be told, with its epoch, and its number as it reads now.
    Line = "SET @told = CONCAT(@told, ?, ' ', @e, ' ', @n + (
            SELECT COUNT(*) FROM %markers% WHERE space = ? AND tag = ? AND suspended_ends > {now}
        ), '\n')";
    Drawn = "SET @m = (SELECT number FROM %shards% WHERE space = x'FF')";
    Tell = "INSERT INTO %messages% (number, told_at, told) SELECT @m, {now}, ? FROM DUAL WHERE @did > 0";
    Hear = "SELECT s.epoch, s.number, m.number, m.told FROM %shards% s LEFT JOIN %messages% m ON m.number > ?
        WHERE s.space = x'FF' ORDER BY m.number LIMIT ?";

    Sweep = "DELETE FROM %entries% WHERE ends <= {now} AND COALESCE(lease_ends <= {now}, TRUE) AND bytes IS NOT NULL LIMIT ?";
    SweepLeases = "DELETE FROM %entries% WHERE ends <= {now} AND COALESCE(lease_ends <= {now}, TRUE) AND bytes IS NULL LIMIT ?";
    SweepMarkers = "DELETE FROM %markers% WHERE ends <= {now} AND suspended_ends IS NULL LIMIT ?";
    SweepMessages = "DELETE FROM %messages% WHERE told_at < {now} - ? LIMIT ?";
    /// How many of the tables are there.
    Tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (?)";
    Sizes = "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS UNSIGNED), CAST(COALESCE(SUM(IF(table_name = ?, table_rows, 0)), 0) AS UNSIGNED)
        FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (?)";
    Look = "SELECT @@version, @@max_connections, @@innodb_flush_log_at_trx_commit, @@max_allowed_packet";
    Clients = "SHOW GLOBAL STATUS LIKE 'Threads_connected'";
    OverSpaces = "SELECT DISTINCT space FROM %markers% WHERE suspended_ends <= {now} LIMIT ?";
}

/// The statements of one store, with its names in them, in parts between which their values stand.
pub(crate) struct Written(Vec<Vec<String>>);

impl Written {
    pub(crate) fn new(names: &Names) -> Self {
        let parts = TEMPLATES.iter().map(|template| {
            let mut text = (*template).to_owned();
            for (term, meaning) in TERMS {
                text = text.replace(term, meaning);
            }
            let parts = text.split('?');
            parts.map(|part| names.within(part)).collect()
        });
        Self(parts.collect())
    }

    pub(crate) fn parts(&self, statement: Statement) -> &[String] {
        &self.0[statement as usize]
    }
}
