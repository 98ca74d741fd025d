//! What a server says, as values: the texts of a reply are slices of one piece of memory.
//!
//! So a text that is kept keeps all the texts which came with it: what is to outlive the answer by much is copied.

use everwarm_core::store::Bytes;
use redis::ServerError;

/// A value in a reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Nil,
    Okay,
    Int(i64),
    /// A word of the server's.
    SimpleString(String),
    /// A text, of whatever bytes.
    BulkString(Bytes),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    ServerError(ServerError),
    /// What is told though nobody asked.
    Push,
    /// What no command is answered with that the store sends.
    Other,
}

impl From<redis::Value> for Value {
    fn from(value: redis::Value) -> Self {
        let pair = |(one, other): (redis::Value, redis::Value)| (one.into(), other.into());
        match value {
            redis::Value::Nil => Self::Nil,
            redis::Value::Okay => Self::Okay,
            redis::Value::Int(number) => Self::Int(number),
            redis::Value::SimpleString(word) => Self::SimpleString(word),
            redis::Value::BulkString(text) => Self::BulkString(text.into()),
            // What it is to be shown as is no concern.
            redis::Value::VerbatimString { text, .. } => Self::BulkString(text.into()),
            redis::Value::Array(values) => {
                Self::Array(values.into_iter().map(Self::from).collect())
            }
            redis::Value::Map(pairs) => Self::Map(pairs.into_iter().map(pair).collect()),
            redis::Value::ServerError(error) => Self::ServerError(error),
            redis::Value::Push { .. } => Self::Push,
            _ => Self::Other,
        }
    }
}

impl Value {
    /// As a text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::BulkString(text) => std::str::from_utf8(text).ok(),
            Self::SimpleString(word) => Some(word),
            _ => None,
        }
    }
}

#[cfg(test)]
impl Value {
    /// A text.
    pub(crate) fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::BulkString(Bytes::copy_from_slice(text.as_ref()))
    }

    /// An error, by its line.
    pub(crate) fn error(line: &str) -> Self {
        let parsed = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        parsed.expect("it is an error").into()
    }
}
