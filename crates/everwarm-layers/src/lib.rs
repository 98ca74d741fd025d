//! Layers: what is wrapped around every verb of a store, one policy per file.
#![forbid(unsafe_code)]
