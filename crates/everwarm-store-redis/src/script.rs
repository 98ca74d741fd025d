//! Scripts that a server runs in one step, known to it by their hashes.

use std::sync::OnceLock;

use everwarm_core::store::Bytes;
use redis::Cmd;

use crate::entry::{aside, header};
use crate::keys::staging;

/// A script. Its keys lie in one slot; the server's run is appended to its arguments.
pub(crate) struct Script {
    source: &'static str,
    hash: OnceLock<String>,
}

impl Script {
    /// A script as it is written.
    pub(crate) const fn new(source: &'static str) -> Self {
        Self {
            source,
            hash: OnceLock::new(),
        }
    }

    fn hash(&self) -> &str {
        if let Some(hash) = self.hash.get() {
            return hash;
        }
        // Not under the lock: a child that is forked meanwhile would wait for ever for who computes it.
        let hash = redis::Script::new(self.source).get_hash().to_owned();
        self.hash.get_or_init(|| hash)
    }
}

/// Declares a script by the names of its files, the first of which say what the last one uses.
macro_rules! script {
    ($(#[$documented:meta])* $name:ident = $($file:literal),+) => {
        $(#[$documented])*
        pub(crate) static $name: $crate::script::Script = $crate::script::Script::new(
            concat!($(include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/scripts/",
                $file
            ))),+),
        );
    };
}

pub(crate) use script;

/// From this size on, Lua would copy a value for longer than two commands more take.
const LARGE: usize = 4096;
/// Milliseconds for which a large write lies aside.
const ASIDE: u32 = 10_000;

const fn is_large(bytes: &Bytes) -> bool {
    bytes.len() >= LARGE
}

/// What a script is given.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    /// A text.
    Text(String),
    /// Bytes, which are not copied before they are sent.
    Bytes(Bytes),
    /// A number, as a text.
    Number(i64),
    /// The number of a write and its bytes. A script is given two arguments for it, which `put.lua` knows.
    Written(u64, Bytes),
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Bytes> for Argument {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A script with its keys and arguments.
pub(crate) struct Call {
    pub(crate) script: &'static Script,
    pub(crate) keys: Vec<String>,
    pub(crate) arguments: Vec<Argument>,
}

impl Call {
    /// The command, by the script's hash or, for servers that do not know it, with the script. `server` is the run of the server
    /// that it goes to.
    pub(crate) fn command(&self, is_whole: bool, server: &str) -> Cmd {
        let mut command = if is_whole {
            let mut command = redis::cmd("EVAL");
            command.arg(self.script.source);
            command
        } else {
            let mut command = redis::cmd("EVALSHA");
            command.arg(self.script.hash());
            command
        };
        command.arg(self.keys.len()).arg(&self.keys);
        for argument in &self.arguments {
            match argument {
                Argument::Text(text) => command.arg(text),
                Argument::Bytes(bytes) => command.arg(&bytes[..]),
                Argument::Number(number) => command.arg(*number),
                Argument::Written(version, bytes) if is_large(bytes) => {
                    command.arg("").arg(staging(&self.keys[0], *version))
                }
                Argument::Written(version, bytes) => {
                    command.arg(&header(*version)[..]).arg(&bytes[..])
                }
            };
        }
        command.arg(server);
        command
    }

    /// Whether there is such a command as [`before`](Self::before).
    pub(crate) fn is_in_two(&self) -> bool {
        let mut arguments = self.arguments.iter();
        arguments.any(|argument| matches!(argument, Argument::Written(_, bytes) if is_large(bytes)))
    }

    /// The command that lays a large write beside, for the script to put it in its place.
    pub(crate) fn before(&self) -> Option<Cmd> {
        let large = self.arguments.iter().find_map(|argument| match argument {
            Argument::Written(version, bytes) if is_large(bytes) => Some((*version, bytes)),
            _ => None,
        });
        large.map(|(version, bytes)| {
            let mut set = redis::cmd("SET");
            set.arg(staging(&self.keys[0], version));
            set.arg(aside(version, bytes));
            // Where the script refuses it, or never comes.
            set.arg("PX").arg(ASIDE);
            set
        })
    }

    /// Bytes that it sends, about.
    pub(crate) fn size(&self) -> usize {
        let sizes = self.arguments.iter().map(|argument| match argument {
            Argument::Text(text) => text.len(),
            Argument::Bytes(bytes) | Argument::Written(_, bytes) => bytes.len(),
            Argument::Number(_) => 0,
        });
        sizes.sum()
    }
}
