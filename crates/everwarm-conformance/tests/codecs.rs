//! The suite of codecs, on one that keeps what it sealed in a table: without a fault it passes, with one it is found.

use std::collections::HashMap;
use std::sync::Mutex;

use everwarm_conformance::{Kept, codec};
use everwarm_core::codec::{Binding, Codec, Meta, Opened, Plain, Refusal, Under};
use everwarm_core::error::Error;
use everwarm_core::store::Bytes;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    LosesTags,
    ForgetsTenant,
    JoinsFields,
    LooksAtTheBeginning,
    OpensAnything,
    TakesTagsForPlain,
}

/// Its envelopes are tickets.
struct Tickets {
    fault: Fault,
    sealed: Mutex<HashMap<Vec<u8>, (String, Opened)>>,
}

impl Tickets {
    fn with(fault: Fault) -> Self {
        let sealed = Mutex::default();
        Self { fault, sealed }
    }

    fn bound(&self, binding: &Binding<'_>) -> String {
        match self.fault {
            Fault::ForgetsTenant => format!(
                "{:?}",
                Binding {
                    tenant: b"",
                    ..*binding
                }
            ),
            Fault::JoinsFields => {
                let texts = [binding.namespace, binding.function, binding.schema].concat();
                [binding.tenant, texts.as_bytes(), binding.key]
                    .concat()
                    .escape_ascii()
                    .to_string()
            }
            _ => format!("{binding:?}"),
        }
    }
}

impl Codec for Tickets {
    fn seal(&self, binding: &Binding<'_>, meta: &Meta, payload: &[u8]) -> Result<Bytes, Error> {
        let mut sealed = self.sealed.lock().expect("whole");
        // Two tickets differ in more than one place.
        let number = sealed.len();
        let ticket = format!("ticket {number:04}{number:04}").into_bytes();
        let mut meta = meta.clone();
        if self.fault == Fault::LosesTags {
            meta.tags.clear();
        }
        let payload = Bytes::copy_from_slice(payload);
        sealed.insert(
            ticket.clone(),
            (self.bound(binding), Opened { meta, payload }),
        );
        Ok(ticket.into())
    }

    fn open_into(
        &self,
        Under { binding, .. }: &Under<'_>,
        envelope: &Bytes,
        _: bool,
        opened: &mut Opened,
    ) -> Result<(), Refusal> {
        let sealed = self.sealed.lock().expect("whole");
        let looked_at = match self.fault {
            Fault::LooksAtTheBeginning => envelope.get(..15).unwrap_or(envelope),
            _ => envelope,
        };
        let found = match self.fault {
            Fault::OpensAnything => sealed.values().next(),
            _ => sealed.get(looked_at),
        };
        let (bound, found) = found.ok_or(Refusal::Damaged)?;
        if *bound != self.bound(binding) {
            return Err(Refusal::Misplaced);
        }
        opened.clone_from(found);
        Ok(())
    }

    fn open_plain(
        &self,
        under: &Under<'_>,
        envelope: &mut Bytes,
        is_whole: bool,
        plain: &mut Plain,
    ) -> Result<bool, Refusal> {
        let mut opened = Opened::default();
        self.open_into(under, envelope, is_whole, &mut opened)?;
        let Opened { meta, payload } = opened;
        let is_plain = meta.spans.slide.is_none() && meta.stamps.len() < 2;
        if !is_plain || !meta.tags.is_empty() && self.fault != Fault::TakesTagsForPlain {
            return Ok(false);
        }
        *plain = Plain {
            format: meta.format,
            spans: meta.spans,
            stamp: meta.stamps.first().copied(),
            payload,
        };
        Ok(true)
    }
}

everwarm_conformance::codec!(Tickets::with(Fault::None));

type Check = fn(&dyn Codec) -> Kept;

#[test]
fn planted_faults_are_found() {
    let faults: [(Fault, Check); 6] = [
        (Fault::LosesTags, codec::what_was_sealed_is_opened),
        (Fault::ForgetsTenant, codec::an_envelope_is_bound_to_its_key),
        (Fault::JoinsFields, codec::an_envelope_is_bound_to_its_key),
        (Fault::LooksAtTheBeginning, codec::damage_is_refused),
        (Fault::OpensAnything, codec::any_bytes_are_refused),
        (Fault::TakesTagsForPlain, codec::what_was_sealed_is_opened),
    ];
    for (fault, promise) in faults {
        assert!(
            promise(&Tickets::with(fault)).is_err(),
            "{fault:?} is not found"
        );
    }
}
