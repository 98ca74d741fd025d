//! Suite 0: a checksum over header, entry-key id and body. It finds damage and misplacement, and no tampering.

use everwarm_core::codec::{Binding, Refusal, Under};
use twox_hash::XxHash3_128;

use crate::bind::entry_key_id;
use crate::envelope::{Frame, HEADER};

/// The length of an entry-key id, and of a checksum.
const HALF: usize = 16;

/// So many bytes are hashed in one go: what takes them in turn has a larger state than they are.
const SHORT: usize = 256;

/// Fills in what stands between the header and the body of `envelope`.
pub(crate) fn seal(envelope: &mut [u8], binding: &Binding<'_>) {
    envelope[HEADER..HEADER + HALF].copy_from_slice(&entry_key_id(binding));
    seal_anew(envelope);
}

/// Fills in the checksum of `envelope`, which keeps the entry-key id that it has.
pub(crate) fn seal_anew(envelope: &mut [u8]) {
    let (header, rest) = envelope.split_at_mut(HEADER);
    let (id, rest) = rest.split_at_mut(HALF);
    let (sum, body) = rest.split_at_mut(HALF);
    sum.copy_from_slice(&checksum(header, id, body));
}

/// Whether the frame is undamaged; whose it is stays open.
pub(crate) fn check(frame: &Frame<'_>) -> Result<(), Refusal> {
    let (id, sum) = frame.before.split_at(HALF);
    match checksum(frame.header, id, frame.rest) == sum {
        true => Ok(()),
        false => Err(Refusal::Damaged),
    }
}

/// Whether the frame is undamaged, unless it is known to be whole, and that of this key.
pub(crate) fn open(frame: &Frame<'_>, under: &Under<'_>, is_whole: bool) -> Result<(), Refusal> {
    if !is_whole {
        check(frame)?;
    }
    if *under.id.get_or_make(|| entry_key_id(&under.binding)) != frame.before[..HALF] {
        return Err(Refusal::Misplaced);
    }
    Ok(())
}

/// XXH3-128 of the three, one after the other, most significant byte first.
fn checksum(header: &[u8], id: &[u8], body: &[u8]) -> [u8; HALF] {
    let parts = [header, id, body];
    let mut room = [0; SHORT];
    let sum = match room.get_mut(..parts.iter().map(|part| part.len()).sum()) {
        Some(joined) => {
            let mut rest = &mut *joined;
            for part in parts {
                let (place, after) = rest.split_at_mut(part.len());
                place.copy_from_slice(part);
                rest = after;
            }
            XxHash3_128::oneshot(joined)
        }
        None => {
            let mut stream = XxHash3_128::new();
            parts.iter().for_each(|part| stream.write(part));
            stream.finish_128()
        }
    };
    sum.to_be_bytes()
}
