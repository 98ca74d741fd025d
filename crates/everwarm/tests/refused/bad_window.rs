#[everwarm::cached(stale_while_revalidate = "1h")]
fn endless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_ahead = 1.5)]
fn late(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_ahead = "often")]
fn often(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", stale_if_error = "soon")]
fn soon(sku: u64) -> Result<u64, ()> {
    Ok(sku)
}

#[everwarm::cached(ttl = "5m", stale_if_error = "1h")]
fn infallible(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", error_backoff = "30s")]
fn impatient(sku: u64) -> Result<u64, ()> {
    Ok(sku)
}

#[everwarm::cached(jitter = 0.1)]
fn shortened(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(negative_errors = true)]
fn unremembered(sku: u64) -> Result<u64, ()> {
    Ok(sku)
}

#[everwarm::cached(negative_ttl = "10s")]
fn never_none(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(negative_ttl = "10s", negative_errors = true)]
fn never_fails(sku: u64) -> Option<u64> {
    Some(sku)
}

#[everwarm::cached(negative_ttl = "10s", cache_none = false)]
fn both_ways(sku: u64) -> Option<u64> {
    Some(sku)
}

#[everwarm::cached(ttl = "5m", stale_if_error = "1h", negative_ttl = "10s", negative_errors = true)]
fn two_answers(sku: u64) -> Result<u64, ()> {
    Ok(sku)
}

#[everwarm::cached(negative_ttl = "10s", negative_errors = true, cache_none = false)]
fn fails_only(sku: u64) -> Result<u64, ()> {
    Ok(sku)
}

fn main() {}
