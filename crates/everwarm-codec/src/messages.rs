//! The codes of messages between processes, by a key that serves nothing else.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use everwarm_core::bus::mac::{CODE, Mac};

use crate::bind::joined;
use crate::kdf::Purpose;
use crate::master::MasterKey;

/// Authenticates the messages of one namespace.
///
/// ```
/// use everwarm_codec::master::MasterKey;
/// use everwarm_codec::messages::Messages;
/// use everwarm_core::bus::mac::Mac;
///
/// let messages = Messages::new(&MasterKey::new(&[7; 32])?, "shop");
/// let code = messages.code(&[b"delete", b"a"]);
/// assert!(messages.is_code(&[b"delete", b"a"], &code));
/// assert!(!messages.is_code(&[b"delet", b"ea"], &code));
/// assert!(!Messages::new(&MasterKey::new(&[7; 32])?, "office").is_code(&[b"delete", b"a"], &code));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Messages {
    key: MasterKey,
    namespace: Box<str>,
}

impl Messages {
    /// The messages of a namespace, by its name as users know it.
    #[must_use]
    pub fn new(key: &MasterKey, namespace: &str) -> Self {
        Self {
            key: key.clone(),
            namespace: namespace.into(),
        }
    }
}

impl Mac for Messages {
    fn code(&self, parts: &[&[u8]]) -> [u8; CODE] {
        let key = self.key.key(Purpose::Bus, b"", &self.namespace);
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, &key[..]));
        joined(parts, |bytes| context.update(bytes));
        let mut code = [0; CODE];
        code.copy_from_slice(&context.sign().as_ref()[..CODE]);
        code
    }

    fn is_code(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        verify_slices_are_equal(&self.code(parts), code).is_ok()
    }
}
