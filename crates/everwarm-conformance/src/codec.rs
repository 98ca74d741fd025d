//! What every codec promises.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{Binding, BindingId, Codec, Meta, Opened, Plain, Refusal, Spans, Under};
use everwarm_core::mark::Mark;
use everwarm_core::slide::Slide;
use everwarm_core::store::Bytes;

use crate::numbers::Numbers;
use crate::promise::{Broken, Kept, ensure};

type Check = fn(&dyn Codec) -> Kept;

/// All that codecs promise, by name.
pub const PROMISES: [(&str, Check); 4] = [
    ("what_was_sealed_is_opened", what_was_sealed_is_opened),
    (
        "an_envelope_is_bound_to_its_key",
        an_envelope_is_bound_to_its_key,
    ),
    ("damage_is_refused", damage_is_refused),
    ("any_bytes_are_refused", any_bytes_are_refused),
];

const BINDING: Binding<'_> = Binding {
    tenant: b"tenant",
    namespace: "space",
    function: "module.function",
    schema: "3f",
    key: b"key",
};

fn meta() -> Meta {
    let spans = Spans {
        fresh: Some(Duration::from_millis(61_500)),
        quiet: Some(Duration::from_secs(50)),
        stale: Duration::from_secs(30),
        if_error: Duration::from_secs(3_600),
        slide: Some(Slide {
            by: Duration::from_millis(61_500),
            ahead: Duration::from_secs(30),
            most: Duration::from_secs(86_400),
        }),
    };
    let mark = |shard| Mark {
        shard,
        epoch: u64::MAX - u64::from(shard),
        number: (1 << 53) - 1,
    };
    Meta {
        spans,
        stamps: vec![mark(0), mark(15)].into(),
        tags: vec![Arc::from("user:1"), Arc::from(""), Arc::from("ä")],
        key: Some(b"\x43k".as_slice().into()),
        ..Meta::default()
    }
}

/// The rest of what may be known.
fn other_meta() -> Meta {
    Meta {
        format: 1,
        computed_in: Duration::from_millis(12),
        tags: vec![Arc::from("user:1")],
        ..Meta::default()
    }
}

/// What may be known of what is plain.
fn plain_meta() -> Meta {
    let Meta {
        mut spans,
        mut stamps,
        key,
        ..
    } = meta();
    spans.slide = None;
    stamps.truncate(1);
    Meta {
        format: 2,
        spans,
        stamps,
        key,
        ..Meta::default()
    }
}

/// What an envelope holds, or why it holds nothing. As a plain one it holds the same, or it is left as it is.
fn opened(
    codec: &dyn Codec,
    binding: &Binding<'_>,
    envelope: &Bytes,
) -> Result<Result<Opened, Refusal>, Broken> {
    let whole = codec.open(binding, envelope);
    let under = Under {
        binding: *binding,
        id: &BindingId::default(),
    };
    let (mut left, mut plain) = (envelope.clone(), Plain::default());
    let is_same = match codec.open_plain(&under, &mut left, false, &mut plain) {
        Ok(false) => left == *envelope,
        Ok(true) => whole.as_ref().is_ok_and(|whole| {
            let (meta, payload) = (&whole.meta, whole.payload.clone());
            let known = Plain {
                format: meta.format,
                spans: meta.spans,
                stamp: meta.stamps.first().copied(),
                payload,
            };
            plain == known && meta.tags.is_empty() && meta.stamps.len() < 2
        }),
        Err(_) => whole.is_err(),
    };
    ensure!(
        is_same,
        "an envelope that holds {whole:?} opens as {plain:?}"
    );
    Ok(whole)
}

/// What was sealed is opened as it was, under the same key.
pub fn what_was_sealed_is_opened(codec: &dyn Codec) -> Kept {
    let mut numbers = Numbers::from_seed(1);
    for length in [0, 1, 16, 1_000, 70_000] {
        for payload in [numbers.bytes(length), vec![b'x'; length]] {
            for meta in [Meta::default(), meta(), other_meta(), plain_meta()] {
                let envelope = codec.seal(&BINDING, &meta, &payload)?;
                let opened = opened(codec, &BINDING, &envelope)??;
                ensure!(
                    opened.payload == payload,
                    "{length} bytes were sealed, and others opened"
                );
                ensure!(
                    opened.meta == meta,
                    "{meta:?} was sealed, and {:?} opened",
                    opened.meta
                );
            }
        }
    }
    Ok(())
}

/// An envelope that is found under any other key, namespace, function, schema or tenant is none.
pub fn an_envelope_is_bound_to_its_key(codec: &dyn Codec) -> Kept {
    let envelopes = [
        codec.seal(&BINDING, &meta(), b"payload")?,
        codec.seal(&BINDING, &plain_meta(), b"payload")?,
    ];
    let others = [
        (
            "tenant",
            Binding {
                tenant: b"other",
                ..BINDING
            },
        ),
        (
            "tenant",
            Binding {
                tenant: b"",
                ..BINDING
            },
        ),
        (
            "namespace",
            Binding {
                namespace: "other",
                ..BINDING
            },
        ),
        (
            "function",
            Binding {
                function: "module.other",
                ..BINDING
            },
        ),
        (
            "schema",
            Binding {
                schema: "40",
                ..BINDING
            },
        ),
        (
            "key",
            Binding {
                key: b"other",
                ..BINDING
            },
        ),
        (
            "key",
            Binding {
                key: b"",
                ..BINDING
            },
        ),
        (
            "border between namespace and function",
            Binding {
                namespace: "spacem",
                function: "odule.function",
                ..BINDING
            },
        ),
        (
            "border between schema and key",
            Binding {
                schema: "3",
                key: b"fkey",
                ..BINDING
            },
        ),
        (
            "border between tenant and namespace",
            Binding {
                tenant: b"tenants",
                namespace: "pace",
                ..BINDING
            },
        ),
    ];
    for (what, binding) in others {
        for envelope in &envelopes {
            ensure!(
                opened(codec, &binding, envelope)?.is_err(),
                "an envelope opens under another {what}"
            );
        }
    }
    Ok(())
}

/// Damage anywhere makes a refusal: never another value.
pub fn damage_is_refused(codec: &dyn Codec) -> Kept {
    for meta in [meta(), plain_meta()] {
        damage_to_is_refused(codec, &meta)?;
    }
    Ok(())
}

fn damage_to_is_refused(codec: &dyn Codec, meta: &Meta) -> Kept {
    let envelope = codec.seal(&BINDING, meta, b"a payload of some bytes")?;
    for at in 0..envelope.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = envelope.to_vec();
            damaged[at] ^= flip;
            let opened = opened(codec, &BINDING, &damaged.into())?;
            ensure!(
                opened.is_err(),
                "byte {at} was changed by {flip:#x}, and the envelope opens"
            );
        }
        let cut = envelope.slice(..at);
        ensure!(
            opened(codec, &BINDING, &cut)?.is_err(),
            "cut to {at} bytes, an envelope opens"
        );
        let mut zeroed = envelope.to_vec();
        zeroed[at..].fill(0);
        let is_other = envelope != zeroed;
        ensure!(
            !is_other || opened(codec, &BINDING, &zeroed.into())?.is_err(),
            "zeroed from byte {at} on, an envelope opens"
        );
    }
    let longer: Bytes = [&envelope[..], b"\0"].concat().into();
    ensure!(
        opened(codec, &BINDING, &longer)?.is_err(),
        "with a byte behind it, an envelope opens"
    );
    Ok(())
}

/// Any bytes at all are refused in peace.
pub fn any_bytes_are_refused(codec: &dyn Codec) -> Kept {
    let mut numbers = Numbers::from_seed(2);
    let envelope = codec.seal(&BINDING, &plain_meta(), b"payload")?;
    for round in 0..2_000 {
        let length = numbers.below(300);
        let mut bytes = numbers.bytes(length);
        if round % 2 == 0 {
            // Past the header, so that more is looked at than the magic.
            let kept = numbers.below(envelope.len());
            let kept = kept.min(bytes.len());
            bytes[..kept].copy_from_slice(&envelope[..kept]);
        }
        let is_other = bytes != envelope;
        ensure!(
            !is_other || opened(codec, &BINDING, &bytes.into())?.is_err(),
            "random bytes open as an envelope"
        );
    }
    Ok(())
}
