#[everwarm::cached(when = |price: &String| price.is_empty())]
fn other(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(tags_from_result = |price| [*price])]
fn untagged(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(on_remove = |key| println!("{key}"))]
fn untold(sku: u64) -> u64 {
    sku
}

fn main() {}
