//! The tree of keys: a master key, one key for each purpose, tenant and namespace, one for each message.
//!
//! The keys in the middle are remembered, a few of them. A place that another thread is at is passed by: who forks while a
//! thread is at one leaves a lock in the child that nobody will release.

use std::array;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use twox_hash::XxHash3_64;
use zeroize::Zeroizing;

use crate::bind::joined;

/// The length of every key of the tree.
pub(crate) const KEY: usize = 32;

/// A key of the tree; zeroed when it is dropped.
pub(crate) type Key = Zeroizing<[u8; KEY]>;

const EXTRACT_SALT: &[u8] = b"everwarm/kdf/v1";

/// What a key is for: no key serves two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// AES-256-GCM.
    AesGcm,
    /// AES-256-GCM-SIV.
    AesGcmSiv,
    /// Authentication without encryption.
    Mac,
    /// Names at stores.
    Names,
    /// Messages between processes.
    Bus,
    /// The number that a key is known by.
    KeyId,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AesGcm => b"aes-256-gcm",
            Self::AesGcmSiv => b"aes-256-gcm-siv",
            Self::Mac => b"mac",
            Self::Names => b"names",
            Self::Bus => b"bus",
            Self::KeyId => b"key-id",
        }
    }
}

/// So many keys of a tree are remembered.
const PLACES: usize = 16;

/// A key that was derived, and from what.
struct Derived {
    info: Vec<u8>,
    key: Key,
}

/// The tree of one master key.
#[derive(Clone)]
pub(crate) struct Tree {
    root: Prk,
    derived: Arc<[Mutex<Option<Derived>>; PLACES]>,
}

impl Tree {
    /// The tree that grows from 32 bytes.
    pub(crate) fn new(master: &[u8; KEY]) -> Self {
        Self {
            root: Salt::new(HKDF_SHA256, EXTRACT_SALT).extract(master),
            derived: Arc::new(array::from_fn(|_| Mutex::new(None))),
        }
    }

    /// The key for a purpose, a tenant and a namespace.
    pub(crate) fn key(&self, purpose: Purpose, tenant: &[u8], namespace: &str) -> Key {
        let fields = [purpose.label(), tenant, namespace.as_bytes()];
        joined(&fields, |info| self.expanded(info))
    }

    fn expanded(&self, info: &[u8]) -> Key {
        let place = &self.derived[XxHash3_64::oneshot(info) as usize % PLACES];
        if let Ok(there) = place.try_lock()
            && let Some(derived) = there.as_ref()
            && derived.info == info
        {
            return derived.key.clone();
        }
        let mut key = Key::default();
        expand(&self.root, &[info], &mut key[..]);
        if let Ok(mut there) = place.try_lock() {
            *there = Some(Derived {
                info: info.to_vec(),
                key: key.clone(),
            });
        }
        key
    }
}

/// The key that one message is encrypted with, and the commitment to it.
pub(crate) fn message(key: &Key, salt: &[u8]) -> (Key, [u8; KEY]) {
    let mut both = Zeroizing::new([0; 2 * KEY]);
    let prk = Prk::new_less_safe(HKDF_SHA256, &key[..]);
    expand(&prk, &[b"msg/v1", salt], &mut both[..]);
    let (mut own, mut commitment) = (Key::default(), [0; KEY]);
    own.copy_from_slice(&both[..KEY]);
    commitment.copy_from_slice(&both[KEY..]);
    (own, commitment)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand. It can only fail for more than 8,160 bytes, which nobody asks for.
fn expand(prk: &Prk, info: &[&[u8]], out: &mut [u8]) {
    prk.expand(info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("HKDF gives 64 bytes");
}
