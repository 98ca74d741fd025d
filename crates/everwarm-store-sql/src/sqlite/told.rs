//! What others are told of: rows that are written in the very step that they tell of, with numbers without gaps.

use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::Message;
use parking_lot::Mutex;
use rusqlite::{Row, params};

use super::error::Step;
use super::writing::Writing;

/// Who is behind by more has to take everything as changed.
pub(crate) const MOST: i64 = 4096;
/// So many more may lie there before they are deleted.
const SLACK: i64 = 256;

const KEY: i64 = 1;
const CLEAR: i64 = 2;
const TAG: i64 = 3;

/// The last messages that this process wrote one after the other: it need not read them to learn that they are its own, however many.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Run>);

/// Messages behind one another.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// The message before them.
    after: i64,
    /// The last of them.
    to: i64,
}

impl Own {
    /// A step of this process was done, which wrote the messages from `first` to `last`.
    pub(crate) fn add(&self, first: i64, last: i64) {
        let mut run = self.0.lock();
        if run.to != first - 1 {
            run.after = first - 1;
        }
        run.to = last;
    }

    /// Whether all messages behind `after` are its own, of which `last` is the last.
    pub(crate) fn are_all(&self, after: i64, last: i64) -> bool {
        let run = self.0.lock();
        run.to == last && run.after <= after
    }
}

impl Writing<'_> {
    /// Tells of a name that was changed by hand.
    pub(crate) fn tell_key(&self, name: &str) -> Step<()> {
        self.tell(KEY, name, None)
    }

    /// Tells of all names that begin so.
    pub(crate) fn tell_clear(&self, prefix: &str) -> Step<()> {
        self.tell(CLEAR, prefix, None)
    }

    /// Tells of an invalidated tag.
    pub(crate) fn tell_tag(&self, space: &str, tag: &Tag, marker: Mark) -> Step<()> {
        self.tell(TAG, space, Some((tag, marker)))
    }

    fn tell(&self, kind: i64, name: &str, tag: Option<(&Tag, Mark)>) -> Step<()> {
        // Of locks and limiters nobody keeps anything in memory.
        if name.starts_with('!') {
            return Ok(());
        }
        let (tag, epoch, number) = match tag {
            Some((tag, mark)) => (
                Some(tag.0),
                Some(mark.epoch as i64),
                Some(mark.number as i64),
            ),
            None => (None, None, None),
        };
        let values = params![
            self.connections.origin,
            kind,
            name.as_bytes(),
            tag,
            epoch,
            number
        ];
        self.run(
            "INSERT INTO %told% (origin, kind, name, tag, epoch, number) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            values,
        )?;
        let id = self.kept.connection.last_insert_rowid();
        self.note_told(id);
        if id % SLACK == 0 {
            self.run("DELETE FROM %told% WHERE id <= ?1", [id - MOST])?;
        }
        Ok(())
    }
}

/// The message in a row of kind, name, tag, epoch and number; `None` for what tells nothing.
pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<Option<Message>> {
    let kind: i64 = row.get(0)?;
    let name = |row: &Row<'_>| -> rusqlite::Result<Box<str>> {
        let name: Vec<u8> = row.get(1)?;
        let name = String::from_utf8(name);
        name.map(Into::into)
            .map_err(|_| rusqlite::Error::InvalidQuery)
    };
    Ok(Some(match kind {
        KEY => Message::Key(name(row)?),
        CLEAR => Message::Clear(name(row)?),
        TAG => Message::Tag {
            namespace: name(row)?,
            tag: Tag(row.get(2)?),
            marker: Mark {
                shard: 0,
                epoch: row.get::<_, i64>(3)? as u64,
                number: row.get::<_, i64>(4)? as u64,
            },
        },
        _ => return Ok(None),
    }))
}
