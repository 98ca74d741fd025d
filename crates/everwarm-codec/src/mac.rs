//! Suite 3: authenticated and readable. HMAC-SHA-256 over what the envelope is bound to, and its body.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, Tag};
use everwarm_core::codec::{Binding, Refusal};

use crate::bind::associated;
use crate::envelope::{Frame, HEADER};
use crate::kdf::Purpose;
use crate::master::MasterKey;
use crate::suite::Suite;

/// Fills in what stands between the header and the body of `envelope`.
pub(crate) fn seal(envelope: &mut [u8], master: &MasterKey, binding: &Binding<'_>) {
    let (header, rest) = envelope.split_at_mut(HEADER);
    let (before, body) = rest.split_at_mut(Suite::Mac.before());
    before.copy_from_slice(tag(header, body, master, binding).as_ref());
}

/// Whether the frame was sealed for this key by a holder of the master key.
pub(crate) fn open(
    frame: &Frame<'_>,
    master: &MasterKey,
    binding: &Binding<'_>,
) -> Result<(), Refusal> {
    let expected = tag(frame.header, frame.rest, master, binding);
    verify_slices_are_equal(expected.as_ref(), frame.before).map_err(|_| Refusal::Tampered)
}

fn tag(header: &[u8], body: &[u8], master: &MasterKey, binding: &Binding<'_>) -> Tag {
    let key = master.key(Purpose::Mac, binding.tenant, binding.namespace);
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, &key[..]));
    associated(header, binding, |bytes| context.update(bytes));
    context.update(body);
    context.sign()
}
