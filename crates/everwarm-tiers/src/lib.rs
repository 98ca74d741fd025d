//! What the fronts for Rust and for Python have in common of the stores behind a cache.
//!
//! The rooms: `schemes` which client opens which URL · `layers` what a store is behind · `awaited` a store
//! that could not be opened yet · `naming` what entries, functions and tags are
//! called · `shelf` what the entries of one function have in common · `standing` whose a computed value is · `memory` what memory in
//! front keeps of what lies there, and what it hears of · `amending` changes of entries in place.
//!
//! Neither front's values are known here: they are bytes by then.
#![forbid(unsafe_code)]

mod amending;
#[cfg(feature = "stores")]
mod awaited;
#[cfg(feature = "stores")]
mod layers;
mod memory;
mod naming;
pub mod schemes;
mod shelf;
mod standing;

pub use amending::{as_it_is, change};
#[cfg(feature = "stores")]
pub use awaited::{Awaited, is_lasting};
#[cfg(feature = "stores")]
pub use everwarm_runtime::waiting;
#[cfg(feature = "stores")]
pub use layers::{Passing, around};
pub use memory::{Struck, in_memory, struck};
pub use naming::{Naming, OWN, Tenant, shown};
pub use shelf::{OWN_TAGS, Shelf, tag_of_entry, tag_of_function};
pub use standing::Standing;
