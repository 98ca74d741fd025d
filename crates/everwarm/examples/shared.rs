//! A cache that processes share, also with Python:
//!
//! ```sh
//! cargo run -p everwarm --features disk,redis --example shared -- redis://localhost/0
//! python -c 'from everwarm import Cache; print(Cache("redis://localhost/0", namespace="shop").get(7))'
//! ```

use std::env;
use std::io::{self, Write as _};
use std::sync::LazyLock;

use everwarm::{Cache, cached, duration::mins};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
    age: u8,
}

/// Memory in front of a store, and the entries of users in it.
static SHOP: LazyLock<Cache<u64, User>> = LazyLock::new(|| {
    let url = env::args().nth(1);
    Cache::builder("shop")
        .store(url.unwrap_or_else(|| "disk:".to_owned()))
        .ttl(mins(5))
        .build()
        .expect("the URL names a store")
});

/// A function whose values lie there, too: in Python
/// `@shop(name="shop.price", schema="", depends_on="nothing", tags=["sku:{sku}"])`.
#[cached(cache = SHOP, name = "shop.price", ttl = "1m", tags = ["sku:{sku}"])]
fn price(sku: &str) -> usize {
    10 * sku.len()
}

fn main() -> io::Result<()> {
    let mut how = "found";
    let user = SHOP.get_or_compute(&7, || {
        how = "computed";
        User {
            name: "Ada".to_owned(),
            age: 36,
        }
    });
    let mut out = io::stdout();
    writeln!(out, "{how} {} {}", user.name, user.age)?;
    writeln!(out, "lamp {}", price("lamp"))
}
