//! Master keys: 32 bytes that all other keys are derived from, as users write them.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use everwarm_core::error::{Error, ErrorKind};
use zeroize::Zeroizing;

use crate::kdf::{KEY, Key, Purpose, Tree};

const MAKE_ONE: &str = "write 32 random bytes as 64 hexadecimal digits or as base64; \
    `python -c \"import secrets; print(secrets.token_hex(32))\"` makes such a key";

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Argon2id as RFC 9106 recommends it where memory is not plentiful: 64 MiB, three passes, four lanes.
const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 4;

/// The shortest salt of a password.
const SHORTEST_SALT: usize = 16;

/// A master key and the number it is known by. The bytes it was made of are not kept; what is derived from them is zeroed
/// when it is dropped, and no form of it is ever printed.
#[derive(Clone)]
pub struct MasterKey {
    id: u32,
    tree: Tree,
}

impl MasterKey {
    /// The key of 32 bytes. Its number is derived from them.
    ///
    /// # Errors
    /// If these are not 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; KEY] = bytes
            .try_into()
            .map_err(|_| refused(format!("is {} bytes long, not 32", bytes.len())))?;
        let tree = Tree::new(bytes);
        let [a, b, c, d, ..] = *tree.key(Purpose::KeyId, b"", "");
        let id = u32::from_le_bytes([a, b, c, d]).max(1);
        Ok(Self { id, tree })
    }

    /// The key of 64 hexadecimal digits, or of base64 in either alphabet; whitespace around it does not count.
    ///
    /// ```
    /// use everwarm_codec::master::MasterKey;
    ///
    /// let hex = MasterKey::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n")?;
    /// let base64 = MasterKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
    /// assert_eq!(hex.id(), base64.id());
    /// assert!(MasterKey::parse("secret").is_err());
    /// # Ok::<(), everwarm_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the text is neither, or not 32 bytes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(refused("is empty"));
        }
        let bytes = match from_hex(text) {
            Some(bytes) => bytes,
            None => from_base64(text)?,
        };
        Self::new(&bytes)
    }

    /// The key that Argon2id makes of a password: 64 MiB and about a tenth of a second. The salt is no secret, is the same
    /// wherever the same key is wanted, and differs between those who might choose the same password.
    ///
    /// # Errors
    /// If the password is empty, or the salt shorter than 16 bytes.
    pub fn from_password(password: &str, salt: &[u8]) -> Result<Self, Error> {
        if password.is_empty() {
            return Err(Error::config(
                "the password of the encryption key is empty",
                MAKE_ONE,
            ));
        }
        if salt.len() < SHORTEST_SALT {
            let message = format!("the salt of the password is {} bytes long", salt.len());
            let hint = "give at least 16 bytes that nobody else has beside their password, such as the application's \
                name and host; it is no secret";
            return Err(Error::config(message, hint));
        }
        let mut bytes = Key::default();
        Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, Some(KEY))
            .and_then(|params| {
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
                    password.as_bytes(),
                    salt,
                    &mut bytes[..],
                )
            })
            .map_err(|cause| {
                Error::config(
                    format!("no key could be made of the password: {cause}"),
                    MAKE_ONE,
                )
            })?;
        Self::new(&bytes[..])
    }

    /// The same key under a number of the user's.
    ///
    /// # Errors
    /// If the number is zero, which says that there is no key.
    pub fn numbered(self, id: u32) -> Result<Self, Error> {
        if id == 0 {
            return Err(Error::config(
                "an encryption key has the number 0",
                "number keys from 1 on, or leave the number out: it is then derived from the key",
            ));
        }
        Ok(Self { id, ..self })
    }

    /// The number, which stands in envelopes and is no secret.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// A key of its tree.
    pub(crate) fn key(&self, purpose: Purpose, tenant: &[u8], namespace: &str) -> Key {
        self.tree.key(purpose, tenant, namespace)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

fn refused(what: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the encryption key {what}"),
        MAKE_ONE,
    )
}

/// The bytes of hexadecimal digits, of any number but that which a key has in base64.
fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    const IN_BASE64: usize = 44;
    if !text.len().is_multiple_of(2) || text.len() == IN_BASE64 {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks_exact(2) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        bytes.push((high << 4 | low) as u8);
    }
    Some(bytes)
}

fn from_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Room from the start: a buffer that grows leaves its old bytes behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(text.bytes().map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }));
    BASE64
        .decode(&plain[..])
        .map(Zeroizing::new)
        .map_err(|_| refused("is neither hexadecimal nor base64"))
}
