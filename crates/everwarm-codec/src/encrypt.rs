//! Suites 1 and 2: encrypted, with a key for each message.
//!
//! Each message draws 32 bytes from the operating system and derives its own key from them, which is used once, with a
//! nonce of zeros. No counter is kept, so there is none that a fork, a restart or a restored snapshot could repeat. The
//! commitment, derived beside the key, keeps a ciphertext from opening under two keys.

use aws_lc_rs::aead::{
    AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use everwarm_core::codec::{Binding, Refusal};
use everwarm_core::error::{Error, ErrorKind};

use crate::bind::associated;
use crate::envelope::{Frame, HEADER};
use crate::kdf::{KEY, Key, Purpose, message};
use crate::master::MasterKey;
use crate::suite::Suite;

/// What a message key is derived from.
pub(crate) type Salt = [u8; KEY];

/// The key of nothing but one message needs no nonce that differs.
const NONCE: [u8; 12] = [0; 12];

/// A salt of the operating system's.
pub(crate) fn fresh_salt() -> Result<Salt, Error> {
    let mut salt = [0; KEY];
    getrandom::fill(&mut salt).map_err(|cause| {
        Error::new(
            ErrorKind::Unsupported,
            format!("the operating system gave no random bytes to encrypt a value with: {cause}"),
            "values are computed and not stored until it does",
        )
    })?;
    Ok(salt)
}

/// Encrypts the body at the end of `envelope` where it lies, fills in what stands before it and appends the tag.
pub(crate) fn seal(
    envelope: &mut Vec<u8>,
    suite: Suite,
    master: &MasterKey,
    binding: &Binding<'_>,
    salt: &Salt,
) -> Result<(), Error> {
    let (header, rest) = envelope.split_at_mut(HEADER);
    let (before, body) = rest.split_at_mut(suite.before());
    let (key, commitment) = message(&parent(suite, master, binding), salt);
    before[..KEY].copy_from_slice(salt);
    before[KEY..].copy_from_slice(&commitment);
    let tag = associated(header, binding, |bytes| {
        cipher(suite, &key)?.seal_in_place_separate_tag(nonce(), Aad::from(bytes), body)
    })
    .map_err(|_| {
        Error::new(
            ErrorKind::Unsupported,
            format!("{} bytes could not be encrypted", body.len()),
            "the value is not stored",
        )
    })?;
    envelope.extend_from_slice(tag.as_ref());
    Ok(())
}

/// The body of a frame, decrypted.
pub(crate) fn open(
    frame: &Frame<'_>,
    master: &MasterKey,
    binding: &Binding<'_>,
) -> Result<Vec<u8>, Refusal> {
    let (salt, commitment) = frame.before.split_at(KEY);
    let (key, expected) = message(&parent(frame.suite, master, binding), salt);
    verify_slices_are_equal(&expected, commitment).map_err(|_| Refusal::Tampered)?;
    let mut body = frame.rest.to_vec();
    let length = associated(frame.header, binding, |bytes| {
        cipher(frame.suite, &key)?
            .open_in_place(nonce(), Aad::from(bytes), &mut body)
            .map(|body| body.len())
    })
    .map_err(|_| Refusal::Tampered)?;
    body.truncate(length);
    Ok(body)
}

fn parent(suite: Suite, master: &MasterKey, binding: &Binding<'_>) -> Key {
    let purpose = match suite {
        Suite::AesGcmSiv => Purpose::AesGcmSiv,
        _ => Purpose::AesGcm,
    };
    master.key(purpose, binding.tenant, binding.namespace)
}

fn cipher(suite: Suite, key: &Key) -> Result<LessSafeKey, Unspecified> {
    let algorithm: &Algorithm = match suite {
        Suite::AesGcmSiv => &AES_256_GCM_SIV,
        _ => &AES_256_GCM,
    };
    UnboundKey::new(algorithm, &key[..]).map(LessSafeKey::new)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(NONCE)
}
