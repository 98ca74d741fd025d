#[everwarm::cached(ttl = "5m", sliding = 1.5)]
fn beyond(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", sliding = "1h")]
fn spanned(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(sliding = 0.5)]
fn endless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", sliding_max_age = "1h")]
fn aged(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", sliding = 0.5, sliding_max_age = "1m")]
fn short(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", sliding = 0.5, refresh_ahead = 0.8)]
fn replaced(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(negative_growth = 2.0)]
fn unremembered(sku: u64) -> Option<u64> {
    Some(sku)
}

#[everwarm::cached(negative_ttl = "10s", negative_growth = 0.5)]
fn shrinking(sku: u64) -> Option<u64> {
    Some(sku)
}

#[everwarm::cached(negative_ttl = "10s", negative_max_ttl = "1m")]
fn constant(sku: u64) -> Option<u64> {
    Some(sku)
}

fn main() {}
