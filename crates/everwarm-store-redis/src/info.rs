//! What a server says of itself: `INFO`, and those settings that `CONFIG GET` tells.

use std::collections::BTreeMap;

use crate::value::Value;

/// The lines of `INFO`, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info(BTreeMap<String, String>);

impl Info {
    /// From the answer to `INFO`; `None` for what is no such answer.
    pub(crate) fn read(told: &Value) -> Option<Self> {
        let text = told.text()?;
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Some(Self(
            lines
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        ))
    }

    /// What it says under a name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same, as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The product and its version: `redis 7.2.4`, `valkey 8.0.1`.
    pub(crate) fn version(&self) -> Option<String> {
        match (self.text("valkey_version"), self.text("redis_version")) {
            (Some(version), _) => Some(format!("valkey {version}")),
            (None, Some(version)) => Some(format!("redis {version}")),
            (None, None) => None,
        }
    }
}

/// The value in the answer to `CONFIG GET name`; `None` for a refusal, and for a setting that the server does not have.
pub(crate) fn setting(told: &Value) -> Option<String> {
    match told {
        Value::Array(parts) => parts.get(1)?.text().map(str::to_owned),
        Value::Map(pairs) => pairs.first()?.1.text().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_stands_between() {
        let told = Value::bulk(
            b"# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\n# Memory\r\nmaxmemory:0\r\n",
        );
        let info = Info::read(&told).unwrap();
        assert_eq!(info.text("run_id"), Some("abc"));
        assert_eq!(info.number("maxmemory"), Some(0));
        assert_eq!(info.number("run_id"), None);
        assert_eq!(info.version().as_deref(), Some("redis 7.0.15"));
        assert_eq!(Info::read(&Value::Nil), None);
    }

    #[test]
    fn a_setting_is_told_in_both_protocols() {
        let (name, value) = (Value::bulk("save"), Value::bulk("3600 1"));
        let older = Value::Array(vec![name.clone(), value.clone()]);
        let newer = Value::Map(vec![(name, value)]);
        assert_eq!(setting(&older).as_deref(), Some("3600 1"));
        assert_eq!(setting(&newer), setting(&older));
        assert_eq!(setting(&Value::Array(Vec::new())), None);
        assert_eq!(setting(&Value::Nil), None);
    }
}
