//! The tables of a store, under the names that its user chose.
//!
//! Four tables: entries with their leases in one row, so that whatever ends a lease does so in the very step; the shards, each a
//! counter of invalidations with its epoch; the markers of tags; and the messages to other processes, which are numbered by a shard of
//! their own. Instants are microseconds since 1970, which know no time zone, and the largest number is never.

use crate::server::config::Config;

const TABLES: &str = include_str!("tables.sql");

/// The names of what a store has in the database, quoted.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    database: String,
    table: String,
}

impl Names {
    /// As `config` says.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            database: config.database.clone(),
            table: config.table.clone(),
        }
    }

    /// `text` with names in the places of `%entries%` and the like; it has no other percent signs.
    pub(crate) fn within(&self, text: &str) -> String {
        let mut written = String::with_capacity(2 * text.len());
        for (at, part) in text.split('%').enumerate() {
            match at % 2 {
                0 => written.push_str(part),
                _ => written.push_str(&quoted(&self.named(part))),
            }
        }
        written
    }

    fn named(&self, part: &str) -> String {
        match part {
            "entries" => self.table.clone(),
            _ => format!("{}_{part}", self.table),
        }
    }

    /// What makes everything.
    pub(crate) fn ddl(&self) -> String {
        self.within(TABLES)
    }

    /// The names of all tables, as they are.
    pub(crate) fn all(&self) -> [String; 4] {
        ["entries", "shards", "markers", "messages"].map(|part| self.named(part))
    }

    /// What tells these tables from others, where messages are authenticated.
    pub(crate) fn channel(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.database, &self.table] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        format!("everwarm_{}", &hasher.finalize().to_hex()[..24])
    }
}

/// A name as an identifier, whatever is in it.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
