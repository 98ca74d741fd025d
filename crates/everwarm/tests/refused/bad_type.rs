#![allow(unused_variables)]

struct Session;

#[everwarm::cached]
fn load(session: &Session, id: u64) -> u64 {
    id
}

#[everwarm::cached(cache_none = false)]
fn stock(id: u64) -> u64 {
    id
}

#[everwarm::cached(tags = ["session:{session}"], key = "{id}")]
fn tagged(session: &Session, id: u64) -> u64 {
    id
}

fn main() {}
