//! The attribute `#[cached]` and the derivation of `ToKey`, for the crate `everwarm`, which has their documentation.
#![forbid(unsafe_code)]

mod background;
mod cached;
mod judge;
mod options;
mod policy;
mod signature;
mod template;
mod to_key;
mod values;

use proc_macro::TokenStream;

/// Makes a function remember what it gave for the same arguments: see `everwarm::cached`.
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    cached::expand(options.into(), item.into())
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}

/// Makes a struct or an enum part of keys, by its content: see `everwarm::ToKey`.
#[proc_macro_derive(ToKey, attributes(key))]
pub fn to_key(item: TokenStream) -> TokenStream {
    to_key::expand(item.into())
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
