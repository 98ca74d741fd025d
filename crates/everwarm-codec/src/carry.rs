//! Envelopes on their way from one store to another, by who does not know the keys they are bound to: under a checksum alone, which
//! whoever can read them can make anew.

use bytes::Bytes;
use everwarm_core::codec::{Carrier, Meta, Opened, Refusal};

use crate::body::{self, LONGEST_META, Packed};
use crate::checksum;
use crate::envelope::{Frame, HEADER, header};
use crate::pipeline::Pipeline;
use crate::suite::Suite;

impl Carrier for Pipeline {
    fn look(&self, envelope: &Bytes) -> Result<Opened, Refusal> {
        let mut meta = Meta::default();
        let (at, _) = self.laid_open(envelope, &mut meta)?;
        Ok(Opened {
            meta,
            payload: envelope.slice(at..),
        })
    }

    fn carried(&self, envelope: &Bytes, meta: &Meta) -> Result<Bytes, Refusal> {
        let (at, packed) = self.laid_open(envelope, &mut Meta::default())?;
        let payload = &envelope[at..];
        let start = HEADER + Suite::Checksum.before();
        let mut made = Vec::with_capacity(start + body::length(meta) + payload.len());
        made.extend_from_slice(&envelope[..start]);
        body::begin(meta, &mut made).map_err(|_| Refusal::TooLarge)?;
        made.extend_from_slice(payload);
        let length = u32::try_from(packed.length).map_err(|_| Refusal::TooLarge)?;
        body::complete(&mut made[start..], packed.method, length);
        let body = u32::try_from(made.len() - start).map_err(|_| Refusal::TooLarge)?;
        made[..HEADER].copy_from_slice(&header(Suite::Checksum, 0, body));
        checksum::seal_anew(&mut made);
        Ok(made.into())
    }
}

impl Pipeline {
    /// Where the payload of an undamaged envelope begins, and how it became what it is; what is known of it goes into an empty `meta`.
    fn laid_open(&self, envelope: &[u8], meta: &mut Meta) -> Result<(usize, Packed), Refusal> {
        let frame = Frame::read(envelope, |suite| suite == Suite::Checksum)?;
        if frame.body.len() > LONGEST_META + self.max_value() {
            return Err(Refusal::TooLarge);
        }
        checksum::check(&frame)?;
        if !frame.is_known() {
            return Err(Refusal::Version);
        }
        let packed = body::read(&envelope[frame.body.clone()], meta)?;
        if packed.length > self.max_value() {
            return Err(Refusal::TooLarge);
        }
        Ok((frame.body.start + packed.start, packed))
    }
}

#[cfg(test)]
mod tests {
    use everwarm_core::codec::{Binding, Codec};
    use everwarm_core::mark::Mark;

    use super::*;
    use crate::compress::Compression;
    use crate::pipeline::Config;

    const BINDING: Binding<'_> = Binding {
        tenant: b"",
        namespace: "shop",
        function: "price",
        schema: "",
        key: b"k",
    };

    fn stamped(number: u64) -> Meta {
        let stamp = Mark {
            shard: 0,
            epoch: number,
            number,
        };
        Meta {
            format: 1,
            stamps: vec![stamp; number as usize].into(),
            tags: vec!["t".into()],
            ..Meta::default()
        }
    }

    #[test]
    fn what_is_carried_is_what_would_have_been_sealed() {
        for compression in [Compression::None, Compression::Lz4] {
            let config = Config {
                compression,
                threshold: 1,
                ..Config::default()
            };
            let pipeline = Pipeline::new(config).expect("a plain one");
            let payload = [7; 300];
            let seal = |meta: Meta| {
                pipeline
                    .seal(&BINDING, &meta, &payload)
                    .expect("small enough")
            };
            for (before, after) in [(0, 3), (1, 1), (3, 0)] {
                let carrier = pipeline.carrier().expect("nothing is sealed by a key");
                let envelope = seal(stamped(before));
                assert_eq!(
                    carrier.look(&envelope).map(|it| it.meta),
                    Ok(stamped(before))
                );
                let carried = carrier.carried(&envelope, &stamped(after));
                assert_eq!(carried, Ok(seal(stamped(after))));
            }
        }
    }

    #[test]
    fn what_is_damaged_is_not_carried() {
        let pipeline = Pipeline::new(Config::default()).expect("a plain one");
        let envelope = pipeline
            .seal(&BINDING, &stamped(1), b"payload")
            .expect("small");
        for at in 0..envelope.len() {
            let mut bytes = envelope.to_vec();
            bytes[at] ^= 1;
            let bytes = Bytes::from(bytes);
            assert!(pipeline.look(&bytes).is_err(), "at {at}");
            assert!(pipeline.carried(&bytes, &stamped(2)).is_err(), "at {at}");
        }
    }
}
