//! What the entries of one function, or those of a cache's own, have in common where they lie.

use std::sync::Arc;

use everwarm_core::codec::KeyBytes;
use everwarm_core::key::{Header, Heading, Limit};
use everwarm_engine::stack::{Older, Place, Spot};

use crate::naming::{Naming, OWN, Tenant};

/// How many tags of its own an entry has.
pub const OWN_TAGS: usize = 2;

/// What the entries of one function have in common, or those of a cache's own, which have no function.
#[derive(Debug)]
pub struct Shelf {
    function: Arc<str>,
    /// The function as stores know it.
    outer: Arc<str>,
    schema: Arc<str>,
    heading: Heading,
    /// The tag of all its entries.
    tag: Arc<str>,
    nobody: Arc<[u8]>,
    none_older: Arc<[Older]>,
}

impl Shelf {
    /// That of a function with this header and schema.
    ///
    /// # Errors
    /// If the header is beyond what a key may be.
    pub fn new(naming: &Naming, header: &Header<'_>, schema: &str) -> Result<Self, Limit> {
        let outer = naming.function(header.function);
        Ok(Self {
            heading: Heading::new(naming.namespace(), header, schema)?,
            function: header.function.into(),
            tag: tag_of_function(&outer),
            outer,
            schema: schema.into(),
            nobody: Arc::new([]),
            none_older: Arc::new([]),
        })
    }

    /// That of a cache's own entries.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn of_objects(naming: &Naming) -> Result<Self, Limit> {
        let header = Header {
            function: "",
            version: "",
            parameters: &[],
        };
        Self::new(naming, &header, "")
    }

    /// Where the entry of these canonical arguments lies, and lay before.
    #[must_use]
    pub fn place(
        &self,
        naming: &Naming,
        arguments: &[u8],
        tenant: Option<&Tenant>,
        older: Option<Arc<[Older]>>,
    ) -> Place {
        let (plain, digest) = self.heading.name(arguments);
        let name = naming.entry(&self.outer, tenant, (plain, &digest));
        if self.function.is_empty() {
            return self.place_of(&name, tenant);
        }
        Place::from(Spot {
            older: older.unwrap_or_else(|| Arc::clone(&self.none_older)),
            ..self.spot(name.into(), digest.as_bytes()[..].into(), tenant)
        })
    }

    /// The place of an object by its stored name: a walk knows no more.
    #[must_use]
    pub fn place_of(&self, name: &str, tenant: Option<&Tenant>) -> Place {
        let name: Arc<str> = name.into();
        let key = Arc::clone(&name).into();
        Place::from(self.spot(name, key, tenant))
    }

    fn spot(&self, name: Arc<str>, key: Arc<[u8]>, tenant: Option<&Tenant>) -> Spot {
        Spot {
            name,
            function: Arc::clone(&self.outer),
            schema: Arc::clone(&self.schema),
            key,
            tenant: Arc::clone(tenant.map_or(&self.nobody, |tenant| &tenant.0)),
            older: Arc::clone(&self.none_older),
        }
    }

    /// What an entry carries so that it can be listed: the canonical bytes of its key, among objects.
    #[must_use]
    pub fn listed(&self, arguments: &[u8]) -> Option<KeyBytes> {
        self.function.is_empty().then(|| arguments.into())
    }

    /// The tags by which memory lets the entry of a place go, alone or with its function's others.
    #[must_use]
    pub fn own_tags(&self, place: &Place) -> [Arc<str>; OWN_TAGS] {
        [tag_of_entry(&place.name), Arc::clone(&self.tag)]
    }

    /// The name of the function; empty for objects.
    #[must_use]
    pub const fn function(&self) -> &Arc<str> {
        &self.function
    }

    /// The function as stores know it; empty for objects.
    #[must_use]
    pub const fn outer(&self) -> &Arc<str> {
        &self.outer
    }

    /// The schema of the values, as the stored names have it.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }
}

const ENTRY: &str = "entry ";
/// The tags of nearly all stored names are no longer.
const TAG: usize = 256;

/// The tag of the entry of a stored name.
#[must_use]
pub fn tag_of_entry(name: &str) -> Arc<str> {
    // Each set makes one: to format it, or to join it elsewhere than on the stack, would cost some times as much.
    let mut room = [0; TAG];
    let (own, rest) = room.split_at_mut(OWN.len_utf8());
    OWN.encode_utf8(own);
    let (entry, rest) = rest.split_at_mut(ENTRY.len());
    entry.copy_from_slice(ENTRY.as_bytes());
    if let Some(place) = rest.get_mut(..name.len()) {
        place.copy_from_slice(name.as_bytes());
        let length = OWN.len_utf8() + ENTRY.len() + name.len();
        if let Ok(tag) = str::from_utf8(&room[..length]) {
            return tag.into();
        }
    }
    format!("{OWN}{ENTRY}{name}").into()
}

/// The tag of all entries of a function.
#[must_use]
pub fn tag_of_function(function: &str) -> Arc<str> {
    format!("{OWN}function {function}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_an_entry_has_its_name_however_long() {
        for length in [0, 1, 43, TAG - 8, TAG - 7, TAG - 6, TAG, 2_000] {
            let name = "n".repeat(length);
            assert_eq!(*tag_of_entry(&name), format!("{OWN}entry {name}"));
        }
        assert_eq!(*tag_of_entry("\u{e9}:f"), format!("{OWN}entry \u{e9}:f"));
    }
}
