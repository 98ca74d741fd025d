//! Scripts: statements that are asked in one trip, with their values written into them, and what was answered.
//!
//! The server runs one behind the other and stops at the first that fails. Texts of values are of bytes, escaped as every session of
//! ours reads them: its modes are set when it is greeted.

use everwarm_core::store::Failure;
use mysql_async::prelude::FromValue;
use mysql_async::{Row, Value as Cell};

use super::statements::{NOW, Statement, Written};
use crate::server::failure::unexpected;

/// A value of a statement.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    Null,
    Int(i64),
    /// An instant so many microseconds from now, or never.
    End(Option<i64>),
    /// What stands there as it is: parts of statements of our own.
    Text(&'a str),
    /// Any of these, behind `IN`.
    Any(&'a [&'a [u8]]),
    /// Any of these texts.
    Texts(&'a [&'a [u8]]),
    /// A table of these, in one column named `tag`.
    Tags(&'a [&'a [u8]]),
    /// Rows, behind `VALUES`.
    Rows(&'a [Vec<Value<'a>>]),
}

/// Statements that are asked in one trip.
pub(crate) struct Script<'a> {
    written: &'a Written,
    question: Question,
}

/// A script that is written.
#[derive(Default)]
pub(crate) struct Question {
    pub(crate) text: Vec<u8>,
    /// Its statements.
    pub(crate) count: usize,
    /// Bytes of the largest value in it.
    pub(crate) largest: usize,
}

impl<'a> Script<'a> {
    pub(crate) fn new(written: &'a Written) -> Self {
        Self {
            written,
            question: Question::default(),
        }
    }

    /// Puts a statement behind the others; its place in the answer.
    pub(crate) fn add(&mut self, statement: Statement, values: &[Value<'_>]) -> usize {
        let Question {
            text,
            count,
            largest,
        } = &mut self.question;
        if *count > 0 {
            text.extend_from_slice(b";\n");
        }
        let parts = self.written.parts(statement);
        debug_assert_eq!(parts.len(), values.len() + 1, "{statement:?}");
        for (part, value) in parts.iter().zip(values) {
            text.extend_from_slice(part.as_bytes());
            *largest = write(text, value).max(*largest);
        }
        if let Some(last) = parts.last() {
            text.extend_from_slice(last.as_bytes());
        }
        *count += 1;
        *count - 1
    }

    /// Puts several statements without values behind the others.
    pub(crate) fn all(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.add(*statement, &[]);
        }
    }

    /// What is asked.
    pub(crate) fn finish(self) -> Question {
        self.question
    }
}

/// Writes a value; how many bytes the largest one in it has.
fn write(text: &mut Vec<u8>, value: &Value<'_>) -> usize {
    let mut largest = 0;
    match value {
        Value::Bytes(bytes) => {
            literal(text, bytes);
            largest = bytes.len();
        }
        Value::Null => text.extend_from_slice(b"NULL"),
        Value::Int(number) => text.extend_from_slice(number.to_string().as_bytes()),
        Value::End(None) => text.extend_from_slice(i64::MAX.to_string().as_bytes()),
        Value::End(Some(span)) => text.extend_from_slice(format!("({NOW} + {span})").as_bytes()),
        Value::Text(part) => text.extend_from_slice(part.as_bytes()),
        Value::Any([]) => text.extend_from_slice(b"NULL"),
        Value::Any(all) => listed(text, all.iter(), ",", |text, bytes| literal(text, bytes)),
        Value::Texts(all) => listed(text, all.iter(), ",", |text, bytes| {
            quote(text, "'", bytes);
        }),
        Value::Tags([]) => text.extend_from_slice(b"SELECT NULL AS tag FROM DUAL WHERE FALSE"),
        Value::Tags(all) => listed(text, all.iter(), " UNION ALL ", |text, bytes| {
            text.extend_from_slice(b"SELECT ");
            literal(text, bytes);
            text.extend_from_slice(b" AS tag");
        }),
        Value::Rows(rows) => listed(text, rows.iter(), ",", |text, row| {
            text.push(b'(');
            listed(text, row.iter(), ",", |text, value| {
                largest = write(text, value).max(largest);
            });
            text.push(b')');
        }),
    }
    largest
}

fn listed<T>(
    text: &mut Vec<u8>,
    all: impl Iterator<Item = T>,
    between: &str,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    for (at, one) in all.enumerate() {
        if at > 0 {
            text.extend_from_slice(between.as_bytes());
        }
        each(text, one);
    }
}

/// Bytes as a text of bytes.
fn literal(text: &mut Vec<u8>, bytes: &[u8]) {
    quote(text, "_binary'", bytes);
}

/// Bytes between quotes: what would end them or begin an escape is escaped.
fn quote(text: &mut Vec<u8>, begin: &str, bytes: &[u8]) {
    text.reserve(bytes.len() + bytes.len() / 32 + 16);
    text.extend_from_slice(begin.as_bytes());
    let is_special = |byte: &u8| matches!(byte, b'\\' | b'\'' | 0);
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(is_special) {
        text.extend_from_slice(&rest[..at]);
        let escaped = if rest[at] == 0 { b'0' } else { rest[at] };
        text.extend_from_slice(&[b'\\', escaped]);
        rest = &rest[at + 1..];
    }
    text.extend_from_slice(rest);
    text.push(b'\'');
}

/// What one statement of a script was answered.
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    /// Rows that it wrote, or would have if they had not been so already.
    pub(crate) affected: u64,
}

/// The answer to a script, by the places of its statements.
pub(crate) struct Said(pub(crate) Vec<Outcome>);

impl Said {
    fn outcome(&mut self, place: usize) -> Result<&mut Outcome, Failure> {
        self.0.get_mut(place).ok_or_else(|| unexpected("a script"))
    }

    /// Takes the rows that a statement gave.
    ///
    /// # Errors
    /// `Corruption` if it was not answered.
    pub(crate) fn rows(&mut self, place: usize) -> Result<Vec<Row>, Failure> {
        Ok(std::mem::take(&mut self.outcome(place)?.rows))
    }

    /// How many rows it wrote.
    ///
    /// # Errors
    /// `Corruption` if it was not answered.
    pub(crate) fn affected(&mut self, place: usize) -> Result<u64, Failure> {
        Ok(self.outcome(place)?.affected)
    }

    /// A cell of the first row that a statement gave.
    ///
    /// # Errors
    /// `Corruption` if there is none, or another one.
    pub(crate) fn cell<T: FromValue>(&mut self, place: usize, column: usize) -> Result<T, Failure> {
        let row = self.outcome(place)?.rows.first();
        row.and_then(|row| cell(row, column))
            .ok_or_else(|| unexpected("a script"))
    }
}

/// A cell of a row, if it is there and what is meant.
pub(crate) fn cell<T: FromValue>(row: &Row, column: usize) -> Option<T> {
    row.get_opt(column)?.ok()
}

/// The bytes in a cell, which are taken out of the row.
pub(crate) fn octets(row: &mut Row, column: usize) -> Option<Vec<u8>> {
    match row.take(column)? {
        Cell::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_escaped() {
        let mut text = Vec::new();
        literal(&mut text, b"it's a \\ and \0, \xff\n");
        assert_eq!(text, b"_binary'it\\'s a \\\\ and \\0, \xff\n'");
    }
}
