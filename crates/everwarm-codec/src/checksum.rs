//! Suite 0: a checksum over header, entry-key id and body. It finds damage and misplacement, and no tampering.

use everwarm_core::codec::{Binding, Refusal};
use xxhash_rust::xxh3::Xxh3Default;

use crate::bind::entry_key_id;
use crate::envelope::{Frame, HEADER};

/// The length of an entry-key id, and of a checksum.
const HALF: usize = 16;

/// Fills in what stands between the header and the body of `envelope`.
pub(crate) fn seal(envelope: &mut [u8], binding: &Binding<'_>) {
    let (header, rest) = envelope.split_at_mut(HEADER);
    let (id, rest) = rest.split_at_mut(HALF);
    let (sum, body) = rest.split_at_mut(HALF);
    id.copy_from_slice(&entry_key_id(binding));
    sum.copy_from_slice(&checksum(header, id, body));
}

/// Whether the frame is undamaged, and that of this key.
pub(crate) fn open(frame: &Frame<'_>, binding: &Binding<'_>) -> Result<(), Refusal> {
    let (id, sum) = frame.before.split_at(HALF);
    if checksum(frame.header, id, frame.rest) != sum {
        return Err(Refusal::Damaged);
    }
    if entry_key_id(binding) != id {
        return Err(Refusal::Misplaced);
    }
    Ok(())
}

/// XXH3-128 of the three, one after the other, most significant byte first.
fn checksum(header: &[u8], id: &[u8], body: &[u8]) -> [u8; HALF] {
    let mut stream = Xxh3Default::new();
    stream.update(header);
    stream.update(id);
    stream.update(body);
    stream.digest128().to_be_bytes()
}
