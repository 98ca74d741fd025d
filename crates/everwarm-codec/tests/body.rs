//! Bodies that a writer without a key could plant under a checksum: refused, whatever they claim.

mod samples;

use bytes::Bytes;
use everwarm_codec::suite::Suite;
use everwarm_core::codec::{Codec, Meta, Opened, Refusal};
use samples::{BINDING, full_meta, pipeline, resealed, text};

/// The envelope of `meta` with changes in its body, and the checksum of what it then is.
fn opened(meta: &Meta, change: impl FnOnce(&mut [u8])) -> Result<Opened, Refusal> {
    let pipeline = pipeline(Suite::Checksum);
    let mut envelope = pipeline.seal(&BINDING, meta, &text()).unwrap().to_vec();
    change(&mut envelope[48..]);
    pipeline.open(&BINDING, &resealed(envelope))
}

#[test]
fn nothing_changed_is_opened() {
    assert!(opened(&full_meta(), |_| ()).is_ok());
}

#[test]
fn what_has_no_meaning_yet_is_of_a_later_version() {
    for bit in 8..16 {
        let change = |body: &mut [u8]| body[2 + bit / 8] |= 1 << (bit % 8);
        assert_eq!(
            opened(&full_meta(), change),
            Err(Refusal::Version),
            "bit {bit}"
        );
    }
    let method = |body: &mut [u8]| body[1] = 4;
    assert_eq!(opened(&full_meta(), method), Err(Refusal::Version));
    let pipeline = pipeline(Suite::Checksum);
    for at in [5, 6, 7, 8, 11] {
        let mut envelope = pipeline
            .seal(&BINDING, &full_meta(), &text())
            .unwrap()
            .to_vec();
        envelope[at] = 1;
        let opened = pipeline.open(&BINDING, &resealed(envelope));
        assert_eq!(opened, Err(Refusal::Version), "byte {at}");
    }
}

#[test]
fn a_false_length_of_a_plain_payload_is_damage() {
    for length in [
        0,
        text().len() as u32 - 1,
        text().len() as u32 + 1,
        u32::MAX,
    ] {
        let change = |body: &mut [u8]| body[4..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(
            opened(&full_meta(), change),
            Err(Refusal::Damaged),
            "{length}"
        );
    }
}

#[test]
fn counts_and_lengths_are_checked() {
    let tagged = Meta {
        tags: vec!["user:7".into()],
        ..Meta::default()
    };
    let (count, length, name) = (16, 17, 19);
    let rows: [(usize, u8); 3] = [(count, 255), (length + 1, 255), (name, 0xff)];
    for (at, byte) in rows {
        let change = |body: &mut [u8]| body[at] = byte;
        assert_eq!(opened(&tagged, change), Err(Refusal::Damaged), "{at}");
    }
}

/// Makes a body claim so much payload.
fn claim(body: &mut [u8], length: usize) {
    body[4..8].copy_from_slice(&(length as u32).to_le_bytes());
}

/// Bodies that add up in all but a limit.
#[test]
fn limits_are_kept_when_opening() {
    let mark = full_meta().stamps[0];
    let stamped = Meta {
        stamps: vec![mark; 64].into(),
        ..Meta::default()
    };
    let one_more = |body: &mut [u8]| {
        body[16] = 65;
        claim(body, text().len() - 16);
    };
    assert_eq!(opened(&stamped, one_more), Err(Refusal::Damaged));

    let tagged = Meta {
        tags: vec!["".into(); 64],
        ..Meta::default()
    };
    assert_eq!(opened(&tagged, |body| body[16] = 65), Err(Refusal::Damaged));

    let named = Meta {
        tags: vec!["x".repeat(150).into(); 27],
        ..Meta::default()
    };
    let longer = |body: &mut [u8]| {
        let last = 17 + 26 * 152;
        body[last..last + 2].copy_from_slice(&300_u16.to_le_bytes());
        claim(body, text().len() - 144);
    };
    assert_eq!(opened(&named, longer), Err(Refusal::Damaged));

    let keyed = Meta {
        key: Some(vec![1; 8192].into()),
        ..Meta::default()
    };
    assert_eq!(opened(&keyed, |body| body[16] = 1), Err(Refusal::Damaged));
}

#[test]
fn a_body_may_end_anywhere_and_is_damage() {
    let pipeline = pipeline(Suite::Checksum);
    let envelope = pipeline.seal(&BINDING, &full_meta(), b"").unwrap();
    for length in 0..envelope.len() - 48 {
        let mut cut = envelope[..48 + length].to_vec();
        cut[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        assert_eq!(
            pipeline.open(&BINDING, &resealed(cut)),
            Err(Refusal::Damaged),
            "{length}"
        );
    }
    assert_eq!(
        pipeline.open(&BINDING, &Bytes::new()),
        Err(Refusal::Foreign)
    );
}
