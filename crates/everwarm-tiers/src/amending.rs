//! Changes of entries in place, as stores are asked for them.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{Meta, Spans};
use everwarm_engine::Amendment;
use everwarm_engine::stack::Stored;

/// What is known of an entry whose value changes: it keeps what is left of its life.
#[must_use]
pub fn as_it_is(stored: &Stored) -> Meta {
    let mut meta = stored.opened.meta.clone();
    meta.spans.fresh = stored.remaining;
    meta.spans.quiet = None;
    meta.spans.slide = meta.spans.slide.map(|slide| slide.aged(stored.age));
    meta
}

/// The change that an amendment of memory's is in stores.
pub fn change(amendment: Amendment<'_>) -> impl Fn(&Stored, &mut Meta) + Send + 'static + use<> {
    let tags = match amendment {
        Amendment::Tag(tags) => tags.to_vec(),
        _ => Vec::new(),
    };
    let dated = match amendment {
        Amendment::Expire(span) => Dated::Anew(span),
        Amendment::Renew => Dated::AsBefore,
        Amendment::Stale => Dated::Anew(Some(Duration::ZERO)),
        Amendment::Tag(_) => Dated::Not,
    };
    move |stored, meta| {
        match dated {
            Dated::Anew(span) => meta.spans.fresh = span,
            Dated::AsBefore => {
                let spans = stored.opened.meta.spans;
                let given = spans.slide.map(|slide| slide.by);
                meta.spans = Spans {
                    fresh: given.or(spans.fresh),
                    ..spans
                };
            }
            Dated::Not => {}
        }
        if !matches!(dated, Dated::Not) {
            meta.spans.slide = None;
        }
        for tag in &tags {
            if !meta.tags.contains(tag) {
                meta.tags.push(Arc::clone(tag));
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Dated {
    Anew(Option<Duration>),
    AsBefore,
    Not,
}
