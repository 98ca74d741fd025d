//! What envelopes are bound to, as bytes: each field after its length, so that no two bindings join to the same bytes.

use everwarm_core::codec::Binding;
use twox_hash::XxHash3_128;

/// What fits here is joined without an allocation.
const ROOM: usize = 256;

/// Joins fields, each after its length as `u32`, least significant byte first, and gives them to `take`.
pub(crate) fn joined<T>(fields: &[&[u8]], take: impl FnOnce(&[u8]) -> T) -> T {
    let length = fields.iter().map(|field| 4 + field.len()).sum();
    if length <= ROOM {
        let mut room = [0; ROOM];
        join(fields, &mut room[..length]);
        take(&room[..length])
    } else {
        let mut room = vec![0; length];
        join(fields, &mut room);
        take(&room)
    }
}

/// Fills `room` with the fields.
fn join(fields: &[&[u8]], mut room: &mut [u8]) {
    for field in fields {
        let (count, after) = room.split_at_mut(4);
        let (bytes, after) = after.split_at_mut(field.len());
        count.copy_from_slice(&size(field));
        bytes.copy_from_slice(field);
        room = after;
    }
}

/// What the keyed suites authenticate beside the body: the header of an envelope and the fields of its binding.
pub(crate) fn associated<T>(
    header: &[u8],
    binding: &Binding<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> T {
    let [tenant, namespace, function, schema, key] = parts(binding);
    joined(&[header, tenant, namespace, function, schema, key], take)
}

fn parts<'a>(binding: &Binding<'a>) -> [&'a [u8]; 5] {
    [
        binding.tenant,
        binding.namespace.as_bytes(),
        binding.function.as_bytes(),
        binding.schema.as_bytes(),
        binding.key,
    ]
}

/// The length of a field as it stands before it.
///
/// Fields are names and keys of a few KiB; one of more than 4 GiB would be written with the largest length there is, and
/// two that long differ in their bytes.
fn size(field: &[u8]) -> [u8; 4] {
    u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// The id of a binding to nothing at all.
const NOTHING: [u8; 16] = 0x9098_098c_9951_f3d7_1677_3ceb_7fe4_97b1_u128.to_be_bytes();

/// By which a checksummed envelope tells whether it lies under its own key.
pub(crate) fn entry_key_id(binding: &Binding<'_>) -> [u8; 16] {
    let parts = parts(binding);
    if parts.iter().all(|part| part.is_empty()) {
        return NOTHING;
    }
    id_of(&parts)
}

fn id_of(parts: &[&[u8]; 5]) -> [u8; 16] {
    joined(parts, XxHash3_128::oneshot).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_nothing_is_known() {
        assert_eq!(NOTHING, id_of(&[&[]; 5]));
    }
}
