use everwarm::Cache;

fn main() {
    let names: Cache<u64, String> = Cache::new("names");
    names.incr(&1, "a".to_owned());
    names.using().only_if_cached().get_or_compute(&1, || "Ada".to_owned());
    let counts: Cache<u64, i64> = Cache::new("counts");
    counts.decr(&1, 1_u8);
    counts.get_many([1, 2]);
}
