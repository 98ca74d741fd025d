#[everwarm::cached(ttl = "5 m")]
fn spaced(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "30")]
fn unitless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = 0)]
fn never(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(jitter = 1.5)]
fn jumpy(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(jitter = -0.5)]
fn backwards(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(max_entries = 0)]
fn roomless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(tags = "sku:{sku}")]
fn one_tag(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(cache_none = "no")]
fn texted(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(name = "")]
fn nameless(sku: u64) -> u64 {
    sku
}

fn main() {}
