//! Messages that only who has a key can send: each carries a code of its content (HMAC, RFC 2104).

/// How many bytes a code has.
pub const CODE: usize = 16;

/// Makes and checks the codes of messages.
pub trait Mac: Send + Sync {
    /// The code of a message. Its parts are told apart: with another border between them it is another message.
    fn code(&self, parts: &[&[u8]]) -> [u8; CODE];

    /// Whether this is its code. It takes as long whether or not it is.
    fn is_code(&self, parts: &[&[u8]], code: &[u8]) -> bool;
}
