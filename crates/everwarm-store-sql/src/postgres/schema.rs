//! The tables and functions of a store, under the names that its user chose.
//!
//! Three tables: entries with their leases in one row, so that whatever ends a lease does so in the very step; the shards, each a
//! counter of invalidations with its epoch; and the markers of tags. Steps whose parts must see what others did meanwhile are functions:
//! each statement in them looks anew, while the locks that were taken before are held. Their names end with a number, which is
//! another one whenever they change, so that processes of two versions may share tables.

use everwarm_core::store::Bytes;

use crate::server::config::Config;

/// The version of the functions.
const VERSION: &str = "1";

const TABLES: &str = include_str!("tables.sql");
const FUNCTIONS: &str = include_str!("functions.sql");

/// The names of what a store has in the database, quoted.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    schema: Option<String>,
    table: String,
    is_unlogged: bool,
}

impl Names {
    /// As `config` says.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            schema: config.schema.clone(),
            table: config.table.clone(),
            is_unlogged: config.unlogged,
        }
    }

    /// `text` with names in the places of `%entries%` and the like; it has no other percent signs.
    pub(crate) fn within(&self, text: &str) -> String {
        let mut written = String::with_capacity(2 * text.len());
        for (at, part) in text.split('%').enumerate() {
            match at % 2 {
                0 => written.push_str(part),
                _ => written.push_str(&self.named(part)),
            }
        }
        written
    }

    fn named(&self, part: &str) -> String {
        let table = &self.table;
        match part {
            "unlogged" if self.is_unlogged => "UNLOGGED ".to_owned(),
            "unlogged" => String::new(),
            "entries" => self.full(table),
            // An index lies in the schema of its table, and is named without it.
            "entries_until" => quoted(&format!("{table}_until")),
            "shards" | "markers" => self.full(&format!("{table}_{part}")),
            function => self.full(&format!("{table}_{function}_{VERSION}")),
        }
    }

    /// What makes everything.
    pub(crate) fn ddl(&self) -> String {
        format!("{}{}", self.within(TABLES), self.within(FUNCTIONS))
    }

    /// The full names of all tables, and of all functions.
    pub(crate) fn all(&self) -> [Vec<String>; 2] {
        let tables = ["entries", "shards", "markers"];
        let functions = ["read", "hold", "begin", "settle", "strike", "sweep"];
        let named = |parts: &[&str]| parts.iter().map(|part| self.named(part)).collect();
        [named(&tables), named(&functions)]
    }

    /// The channel on which what is done to these tables is told.
    pub(crate) fn channel(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [self.schema.as_deref().unwrap_or_default(), &self.table] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        format!("everwarm_{}", &hasher.finalize().to_hex()[..24])
    }

    fn full(&self, name: &str) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(name)),
            None => quoted(name),
        }
    }
}

/// A name as an identifier, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a name begins with, and what no name that begins so reaches: names are UTF-8, which has no byte 0xff.
pub(crate) fn range(prefix: &str) -> (Bytes, Bytes) {
    let from = Bytes::copy_from_slice(prefix.as_bytes());
    let mut end = prefix.as_bytes().to_vec();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(u8::MAX),
    }
    (from, end.into())
}
