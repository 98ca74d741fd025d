//! How much is in a room, as its lock file says.

/// How much is in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    /// Its text has the same length whatever it says.
    pub(crate) const LENGTH: usize = 43;

    pub(crate) fn text(self) -> String {
        format!("= {:020} {:019}\n", self.entries, self.bytes)
    }

    /// The tally of a text, and whether it is final: a process may have ended while it changed the room.
    pub(crate) fn read(text: &[u8]) -> Option<(Self, bool)> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split_ascii_whitespace();
        let is_final = parts.next()? == "=";
        let tally = Self {
            entries: parts.next()?.parse().ok()?,
            bytes: parts.next()?.parse().ok()?,
        };
        Some((tally, is_final))
    }
}
