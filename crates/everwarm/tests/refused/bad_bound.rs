#[everwarm::cached(max_bytes = "100MB")]
fn unweighed(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(max_entry_bytes = 1_000)]
fn unweighed_too(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(weigher = |_| 8)]
fn unbounded(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(max_bytes = 0, weigher = |_| 8)]
fn roomless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(max_bytes = "100", weigher = |_| 8)]
fn unitless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(max_entry_bytes = true, weigher = |_| 8)]
fn untrue(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(when)]
fn whenever(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(eviction = "lru")]
fn texted(sku: u64) -> u64 {
    sku
}

fn main() {}
