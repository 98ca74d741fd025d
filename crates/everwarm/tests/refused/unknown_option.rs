#[everwarm::cached(tll = "5m")]
fn price(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(colour = "red")]
fn stock(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", ttl = "6m")]
fn twice(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl)]
fn bare(sku: u64) -> u64 {
    sku
}

fn main() {}
