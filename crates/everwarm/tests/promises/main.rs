//! What the crate promises of caches and of decorated functions, in one program: each would take in the engine anew.

mod background;
mod bulkhead;
mod cache;
mod call_options;
mod clock;
mod explained;
mod freshness;
mod freshness_of_functions;
mod functions;
mod keys;
mod objects;
mod renewed;
mod stored_names;
mod time_limits;
mod timed;
mod values;
mod verbs;
