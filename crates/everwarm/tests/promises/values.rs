//! What the options of a decorated function say about its values: each test fails where its option does nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use everwarm::{Eviction, cached};

#[test]
fn the_order_of_eviction_is_the_one_that_is_said() {
    #[cached(max_entries = 2, eviction = Eviction::Lru)]
    fn squares(number: u64) -> u64 {
        number * number
    }
    squares(1);
    squares(2);
    squares(1);
    squares(3);
    assert!(squares::peek(1).is_some() && squares::peek(2).is_none());

    #[cached(max_entries = 2, eviction = Eviction::Fifo)]
    fn cubes(number: u64) -> u64 {
        number * number * number
    }
    cubes(1);
    cubes(2);
    cubes(1);
    cubes(3);
    assert!(cubes::peek(1).is_none() && cubes::peek(2).is_some());
}

#[test]
fn entries_weigh_no_more_than_they_may() {
    #[cached(max_bytes = "100kB", weigher = |page| page.len() as u64)]
    fn pages(number: usize) -> String {
        "x".repeat(number)
    }
    pages(1_000);
    pages(200_000);
    assert!(pages::peek(1_000).is_some() && pages::peek(200_000).is_none());
    assert!(pages::stats().bytes >= 1_000);

    #[cached(max_entry_bytes = 10, weigher = |page| page.len() as u64)]
    fn notes(number: usize) -> Result<String, String> {
        Ok("x".repeat(number))
    }
    let lengths = [10, 11].map(|number| notes(number).map(|note| note.len()));
    assert_eq!(lengths, [Ok(10), Ok(11)]);
    assert!(notes::peek(10).is_some() && notes::peek(11).is_none());
    assert_eq!(notes::stats().refused, 1);
    notes::prime(Ok("x".repeat(11)), 10);
    assert!(notes::peek(10).is_none());
}

#[test]
fn a_listener_is_told_of_what_left() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    #[cached(
        name = "shop.price",
        on_remove = |key, value, cause| TOLD.lock().unwrap().push(format!("{key} {value:?} {}", cause.name()))
    )]
    fn price(sku: &str) -> Option<u32> {
        Some(u32::try_from(sku.len()).unwrap_or(0))
    }
    price("lamp");
    price::invalidate("lamp");
    let name = price::key("lamp").unwrap();
    assert_eq!(*TOLD.lock().unwrap(), [format!("{name} Some(4) deleted")]);
}

#[test]
fn only_what_is_to_be_kept_is_kept() {
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    #[cached(when = |page| !page.is_empty())]
    fn page(text: &str) -> Result<String, String> {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        Ok(text.to_owned())
    }
    for text in ["", "", "text", "text"] {
        assert_eq!(page(text).as_deref(), Ok(text));
    }
    assert_eq!(
        (COMPUTED.load(Ordering::Relaxed), page::stats().refused),
        (3, 2)
    );
    page::prime(Ok(String::new()), "");
    assert!(page::peek("").is_none());

    #[cached(when = |value| *value > 0, cache_none = true)]
    fn plain(value: i64) -> i64 {
        value
    }
    assert_eq!((plain(-1), plain(1)), (-1, 1));
    assert_eq!(plain::stats().entries, 1);
}

#[test]
fn tags_follow_from_what_was_returned() {
    #[derive(Clone)]
    struct Page {
        author: String,
    }
    #[cached(tags = ["page:{id}"], tags_from_result = |page| [format!("author:{}", page.author)])]
    fn page(id: u64) -> Result<Page, String> {
        let author = if id == 7 { "ada" } else { "bob" };
        Ok(Page {
            author: author.to_owned(),
        })
    }
    #[cached(tags_from_result = |names| names.clone())]
    async fn names(id: u64) -> Vec<String> {
        vec![format!("name:{id}")]
    }
    page(7).map(drop).unwrap();
    page(8).map(drop).unwrap();
    pollster::block_on(names(7));
    let tags = page::peek(7).unwrap().tags;
    assert_eq!(
        tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
        ["page:7", "author:ada"]
    );
    everwarm::invalidate_tags(["author:ada", "name:7"]);
    assert!(page::peek(7).is_none() && page::peek(8).is_some() && names::peek(7).is_none());
    let bob = Page {
        author: "bob".to_owned(),
    };
    page::prime(Ok(bob), 7);
    everwarm::invalidate_tags(["author:bob"]);
    assert!(page::peek(7).is_none() && page::peek(8).is_none());
}

#[cfg(feature = "disk")]
#[test]
fn they_hold_over_stores() {
    use std::sync::LazyLock;

    use everwarm::Cache;

    static SHOP: LazyLock<Cache<u64, u64>> = LazyLock::new(|| {
        let directory =
            std::env::temp_dir().join(format!("everwarm-values-{}", std::process::id()));
        let url = format!("disk://{}", directory.display());
        Cache::builder("shop").store(url).build().unwrap()
    });
    #[cached(
        cache = SHOP,
        when = |page| page.len() > 1,
        tags_from_result = |page| [page.clone()],
        max_entry_bytes = 5,
        weigher = |page| page.len() as u64
    )]
    fn page(text: String) -> String {
        text
    }
    for text in ["x", "text", "larger"] {
        page(text.to_owned());
    }
    let kept = ["x", "text", "larger"].map(|text| page::peek(text.to_owned()).is_some());
    assert_eq!(kept, [false, true, false]);
    assert_eq!(SHOP.tiers()[0].sets, 1);
    SHOP.invalidate_tags(["text"]);
    page("text".to_owned());
    assert_eq!(page::stats().computations, 4);
    SHOP.clear();
    SHOP.close();
    drop(std::fs::remove_dir_all(
        std::env::temp_dir().join(format!("everwarm-values-{}", std::process::id())),
    ));
}
