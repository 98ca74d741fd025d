use everwarm::{Cache, CallOptions};

#[everwarm::cached]
fn price(sku: u64) -> u64 {
    sku
}

fn main() {
    price::using(7);
    price::using(CallOptions::new().only_if_cached(), 7);
    let names: Cache<u64, String> = Cache::new("names");
    names.scan_prefix("user:").count();
}
