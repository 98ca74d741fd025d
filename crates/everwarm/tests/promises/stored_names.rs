//! Calls of functions that are shared with Python have the stored names that Python gives them.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use everwarm::{Error, ToKey, cached};
use serde_json::Value as Json;

#[derive(ToKey)]
#[key(class = "vector_classes.Point")]
struct Point {
    x: i32,
    y: i32,
}

const POINT: Point = Point { x: 1, y: -2 };

/// Declares a function for one vector; what it gives does not matter.
macro_rules! shared {
    ($name:ident($($parameter:ident: $kind:ty),*), $($option:ident = $value:literal),+) => {
        #[cached($($option = $value),+)]
        #[allow(unused_variables)]
        fn $name($($parameter: $kind),*) -> u8 {
            0
        }
    };
}

shared!(now(), name = "shop.now");
shared!(price(sku: &str), name = "shop.price");
shared!(price_by_id(id: &str), name = "shop.price");
shared!(price_anew(sku: String), name = "shop.price", version = "2");
shared!(price_in_europe(sku: &str), name = "shop.price", namespace = "eu/shop");
shared!(sum(a: i8, b: usize, c: i128), name = "shop.sum");
shared!(id(id: u128), name = "shop.id");
shared!(net(net: bool, rate: f64), name = "shop.net");
shared!(find(text: &str, limit: Option<u32>), name = "shop.find");
shared!(image(digest: &[u8]), name = "shop.image");
shared!(prices(ids: &[u64]), name = "shop.prices");
shared!(stock(skus: &[&str]), name = "shop.stock");
shared!(at(place: (u8, char)), name = "shop.at");
shared!(search(filters: &HashMap<&str, String>), name = "shop.search");
shared!(tagged(tags: BTreeSet<i64>), name = "shop.tagged");
shared!(visitor(address: Ipv4Addr), name = "shop.visitor");
shared!(page(text: &str), name = "shop.page");
shared!(pages(texts: &[&str]), name = "shop.pages");
shared!(distance(point: &Point), name = "shop.distance");
shared!(label(sku: &str, place: &Point), name = "shop.label", key = "{place.y}{sku}");

#[cached(
    name = "shop.very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_very_long"
)]
fn long(sku: &str) -> usize {
    sku.len()
}

/// The stored name that Rust gives each vector.
fn names() -> Vec<(&'static str, Result<String, Error>)> {
    let filters = [("size", "m".to_owned()), ("colour", "red".to_owned())];
    vec![
        ("no argument", now::key()),
        ("one text", price::key("lamp")),
        ("another parameter", price_by_id::key("lamp")),
        ("another version", price_anew::key("lamp".to_owned())),
        ("a namespace", price_in_europe::key("lamp")),
        ("integers", sum::key(-5, 0, 1 << 64)),
        ("a great integer", id::key(1 << 127)),
        (
            "truth and a float",
            net::key(true, f64::from_bits(0x3fc3_3333_3333_3333)),
        ),
        ("none", find::key("", None)),
        ("some", find::key("é漢", Some(10))),
        ("bytes", image::key(b"\x00\xff\x10")),
        ("a list", prices::key(&[1, 2, 300])),
        ("a list of texts", stock::key(&["lamp", "chair"])),
        ("a tuple", at::key((3, 'b'))),
        ("a dict", search::key(&filters.into())),
        ("a set", tagged::key([3, 1].into())),
        ("an address", visitor::key(Ipv4Addr::new(192, 0, 2, 1))),
        ("a long text", page::key(&"x".repeat(5_000))),
        (
            "above what a key may be",
            pages::key(&["0123456789"; 1_000]),
        ),
        ("a record", distance::key(&POINT)),
        ("a key of its own", label::key("lamp", &POINT)),
        ("a name that is cut", long::key("lamp")),
    ]
}

#[test]
fn every_shared_function_has_the_names_of_the_vectors() {
    let file = include_str!("../../../../tests/vectors/functions.json");
    let json: Json = serde_json::from_str(file).expect("the vectors are JSON");
    let vectors: HashMap<&str, &str> = json["vectors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|vector| {
            let text = |field: &str| vector[field].as_str().expect("a text");
            (text("id"), text("stored"))
        })
        .collect();
    let names = names();
    assert_eq!(names.len(), vectors.len());
    for (id, name) in names {
        assert_eq!(name.expect("a key"), vectors[id], "{id}");
    }
}
