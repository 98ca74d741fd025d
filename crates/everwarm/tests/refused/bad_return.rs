#![allow(unused_variables)]

struct Page;

#[everwarm::cached]
fn page(id: u64) -> Page {
    Page
}

#[everwarm::cached]
fn tried(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

fn main() {}
