//! Secure names: what a store, its locks and its messages are told instead of names, tags and namespaces.

use std::fmt::Write;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};

use crate::bind::joined;
use crate::kdf::Purpose;
use crate::master::MasterKey;
use crate::messages::Messages;

/// What is named. Names of two kinds are never alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// An entry.
    Entry,
    /// A tag.
    Tag,
    /// A lock or a lease.
    Lock,
    /// A message between processes, or its channel.
    Message,
}

impl Named {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Entry => b"entry",
            Self::Tag => b"tag",
            Self::Lock => b"lock",
            Self::Message => b"message",
        }
    }
}

/// Makes names that say nothing to who lacks the key, and are the same wherever it is.
///
/// Names do not follow a rotation by themselves: with another key, entries are elsewhere. So the key of names is chosen
/// apart from the one that seals, and stays while that one changes.
///
/// ```
/// use everwarm_codec::master::MasterKey;
/// use everwarm_codec::names::{Named, Names};
///
/// let names = Names::new(&MasterKey::new(&[7; 32])?);
/// let name = names.hide(Named::Entry, b"", "shop", b"shop:profile:1:abcd");
/// assert_eq!(name.len(), 64);
/// assert_ne!(name, names.hide(Named::Tag, b"", "shop", b"shop:profile:1:abcd"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Names {
    key: MasterKey,
}

impl Names {
    /// The names that `key` makes.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self { key: key.clone() }
    }

    /// What authenticates the messages of a namespace, by a key that stays with that of names.
    #[must_use]
    pub fn messages(&self, namespace: &str) -> Messages {
        Messages::new(&self.key, namespace)
    }

    /// The name at a store of what is called `name` in a namespace of a tenant: 64 hexadecimal digits.
    #[must_use]
    pub fn hide(&self, named: Named, tenant: &[u8], namespace: &str, name: &[u8]) -> String {
        let digest = self.digest(named, tenant, namespace, name);
        let mut text = String::with_capacity(2 * digest.len());
        for byte in digest {
            write!(text, "{byte:02x}").expect("a String takes what is written");
        }
        text
    }

    /// The same as 32 bytes.
    #[must_use]
    pub fn digest(&self, named: Named, tenant: &[u8], namespace: &str, name: &[u8]) -> [u8; 32] {
        let key = self.key.key(Purpose::Names, tenant, namespace);
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, &key[..]));
        joined(&[named.label(), name], |bytes| context.update(bytes));
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}
