//! Commands as they are sent. Each carries a number that its reply repeats, so that no reply is taken for another's.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

static LAST: AtomicU32 = AtomicU32::new(0);

/// The bytes of some commands, and what their replies repeat.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// The number of each command; None where it has none.
    pub(crate) numbers: Vec<Option<u32>>,
}

/// How a set meets what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// In place of it.
    Set,
    /// If nothing is.
    Add,
    /// In place of this write.
    Over(u64),
    /// Behind what this write has set, whose flags and life stay.
    Behind(u64),
}

/// What is written beside the data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) mode: Mode,
    pub(crate) flags: u32,
    /// As the server is told: seconds, or a date.
    pub(crate) ends: u32,
}

impl Batch {
    /// Asks for what is under a key: `v` its data, `f` its flags, `t` its time, `c` the number of its write.
    pub(crate) fn get(&mut self, key: &[u8], asked: &str) {
        self.begin("mg", key);
        for flag in asked.chars() {
            write!(self.bytes, " {flag}").expect("memory takes it");
        }
        self.end();
    }

    /// Puts data, given in parts, under a key.
    pub(crate) fn set(&mut self, key: &[u8], parts: &[&[u8]], terms: Terms) {
        self.begin("ms", key);
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Terms { flags, ends, .. } = terms;
        self.bytes.reserve(length + 80);
        write!(self.bytes, " {length} F{flags} T{ends} c").expect("memory takes it");
        let said = match terms.mode {
            Mode::Set => Ok(()),
            Mode::Add => write!(self.bytes, " ME"),
            Mode::Over(cas) => write!(self.bytes, " C{cas}"),
            Mode::Behind(cas) => write!(self.bytes, " MA C{cas}"),
        };
        said.expect("memory takes it");
        self.end();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Takes away what this write has put under a key, or whatever is there.
    pub(crate) fn delete(&mut self, key: &[u8], cas: Option<u64>) {
        self.begin("md", key);
        if let Some(cas) = cas {
            write!(self.bytes, " C{cas}").expect("memory takes it");
        }
        self.end();
    }

    /// A command without a key, whose reply repeats no number.
    pub(crate) fn plain(&mut self, command: &str) {
        self.bytes.extend_from_slice(command.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        self.numbers.push(None);
    }

    fn begin(&mut self, verb: &str, key: &[u8]) {
        self.bytes.extend_from_slice(verb.as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(key);
    }

    fn end(&mut self) {
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        self.numbers.push(Some(number));
        write!(self.bytes, " O{number}\r\n").expect("memory takes it");
    }
}
