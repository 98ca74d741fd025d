//! Fuzzing of stored names: what is called apart lies apart, and nothing lies below another's prefix.

use everwarm_conformance::{Wrong, fuzz, hunt};
use everwarm_core::key::{Digest, Header, MAX_NAME, function_of, prefix, stored_name};

/// What an entry is called by: namespace, function, schema, arguments.
type Called = [String; 4];

/// Two of them, from bytes of anybody: parts end with a zero byte, and what is not there is empty.
fn two(data: &[u8]) -> [Called; 2] {
    let mut parts = data
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned());
    [(); 2].map(|()| [(); 4].map(|()| parts.next().unwrap_or_default()))
}

/// How a namespace, a function and so on become one text.
struct Naming {
    name: fn(&Called) -> String,
    prefix: fn(&[&str]) -> String,
}

fn digest([_, function, _, arguments]: &Called) -> Option<Digest> {
    let header = Header {
        function,
        version: "",
        parameters: &[],
    };
    Digest::new(&header, arguments.as_bytes()).ok()
}

const OURS: Naming = Naming {
    name: |called| {
        let digest = digest(called).expect("it was made before");
        stored_name(&called[0], &called[1], &called[2], &digest)
    },
    prefix,
};

fn check(data: &[u8], naming: &Naming) -> Wrong {
    let [one, other] = two(data);
    // A function whose name is longer than a key is refused before.
    digest(&one).and(digest(&other))?;
    let [name, another] = [&one, &other].map(naming.name);
    if (name == another) != (one == other) {
        return Some("two entries have one name, or one has two");
    }
    if name.len() > MAX_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("a name that stores do not take");
    }
    for count in 1..=3 {
        let parts = |called: &Called| called[..count].to_vec();
        let above = parts(&other);
        let above: Vec<&str> = above.iter().map(String::as_str).collect();
        let is_below = name.starts_with(&(naming.prefix)(&above));
        if is_below != (parts(&one) == parts(&other)) {
            return Some("an entry lies below what it is no part of");
        }
    }
    let said = function_of(&one[0], &name);
    said.is_some_and(|function| function != one[1])
        .then_some("a name says another function")
}

const CORPUS: [&str; 8] = [
    "eu/shop\0shop.price\0s1\0a\0eu/shop\0shop.price\0s1\0a",
    "a:b\0c\0\0k\0a\0b:c\0\0k",
    "eu\0f\0\0k\0eu%2F\0f\0\0k",
    "shop\0price\0v\0k\0shop2\0price\0v\0k",
    "a~\0b~c\0d\0\0a\0~b~c\0d\0",
    "\0\0\0\0:\0:\0:\0",
    "Stra\u{df}e\0<locals>.f\0 \0\u{1f600}\0STRASSE\0<lambda>\0\t\0\u{1f600}",
    "a.very.long.namespace.that.is.cut.since.it.has.more.than.sixty.four.bytes\0f\0s\0k\0\
     a.very.long.namespace.that.is.cut.since.it.has.more.than.sixty.four.bytes2\0f\0s\0k",
];

#[test]
fn names() {
    fuzz("store names", &CORPUS, |data| check(data, &OURS));
}

#[test]
fn names_that_are_joined_as_they_are_are_found() {
    // The planted fault: a part may have the sign in it that ends it.
    let joined = Naming {
        name: |called| called.join(":").escape_default().to_string(),
        prefix: |parts| parts.join(":") + ":",
    };
    let found = hunt(&CORPUS, |data| check(data, &joined)).expect("it is found");
    assert!(found.starts_with("two entries have one name"), "{found}");
}

#[test]
fn a_prefix_that_does_not_end_is_found() {
    // The planted fault: `shop` is a prefix of `shop2`.
    let endless = Naming {
        prefix: |parts| prefix(parts).trim_end_matches(':').to_owned(),
        ..OURS
    };
    let found = hunt(&CORPUS, |data| check(data, &endless)).expect("it is found");
    assert!(found.starts_with("an entry lies below"), "{found}");
}
