//! The description of the contract is the contract: every route and status that it names is seen here, and no other.

#[path = "support/failing.rs"]
mod failing;
mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::mark::Tag;
use everwarm_core::store::{Bytes, Computed, Entry, FailureKind, Leased};
use everwarm_server::{OPENAPI, ROUTES, Route};
use everwarm_store_http::Token;
use everwarm_store_http::contract::bodies::{
    body, put_asked, put_computed, put_entries, put_leased, put_names, put_wanted,
};
use everwarm_store_http::contract::frames::Writer;
use everwarm_store_http::contract::{FAILURE, SERVER};
use failing::Failing;
use serde_json::Value;
use support::{Heard, over_memory, request, said, served, served_with};

/// A method, a path and a status.
type Seen = (String, String, u16);

/// What was seen: each answer is of the contract, and tells of a failure if it is one.
#[derive(Default)]
struct Witness(BTreeSet<Seen>);

impl Witness {
    fn see(&mut self, route: &Route, heard: &Heard) {
        let of = format!("{} {}: {heard:?}", route.method, route.path);
        assert!(heard.headers.contains_key(SERVER), "{of}");
        let is_plain = [200, 204, 304, 404, 409, 412, 423].contains(&heard.status);
        assert_eq!(heard.headers.contains_key(FAILURE), !is_plain, "{of}");
        let (method, path) = (route.method.to_lowercase(), route.path.to_owned());
        self.0.insert((method, path, heard.status));
    }

    /// Asks what no test is about but the status.
    fn ask(
        &mut self,
        at: SocketAddr,
        route: &Route,
        (name, headers): Called<'_>,
        body: &[u8],
    ) -> Heard {
        let path = route.path.replace("{name}", name);
        self.ask_at(at, (route, &path), headers, body)
    }

    fn ask_at(
        &mut self,
        at: SocketAddr,
        (route, path): (&Route, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Heard {
        let heard = said(at, &request(route.method, path, headers, body));
        self.see(route, &heard);
        heard
    }
}

type Called<'a> = (&'a str, &'a [(&'a str, &'a str)]);

fn route(method: &str, path: &str) -> &'static Route {
    let mut routes = ROUTES.iter();
    let found = routes.find(|route| route.method == method && route.path == path);
    found.unwrap_or_else(|| panic!("{method} {path} is no route"))
}

fn described() -> BTreeSet<Seen> {
    let described: Value = serde_json::from_str(OPENAPI).expect("it is JSON");
    let paths = described["paths"].as_object().expect("it has paths");
    let mut all = BTreeSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("a path has methods") {
            for (status, response) in operation["responses"].as_object().expect("it answers") {
                if let Some(named) = response["$ref"].as_str() {
                    let named = &described["components"]["responses"]
                        [named.rsplit('/').next().unwrap_or("")];
                    assert!(named["description"].is_string(), "{path} {status}");
                }
                let status = status.parse().expect("a status");
                all.insert((method.clone(), path.clone(), status));
            }
        }
    }
    all
}

/// What a route has to be asked with, so that its store is asked.
fn sample(route: &Route) -> (String, Vec<(&'static str, &'static str)>, Bytes) {
    let tags = [Tag([1; 16])];
    let asked = |span| move |to: &mut Writer| put_asked(to, "shop", &[Tag([1; 16])], span);
    let framed = match route.path {
        "/v1/many/get" | "/v1/many/delete" => body(|to| put_names(to, &["n"])),
        "/v1/many/set" => body(|to| {
            let (bytes, ttl) = (Bytes::from("v"), None);
            put_entries(
                to,
                &[Entry {
                    name: "n",
                    bytes,
                    ttl,
                }],
            );
        }),
        "/v1/many/lease" => body(|to| put_wanted(to, &[("n", 7)], Duration::from_secs(9))),
        "/v1/many/set-leased" => body(|to| {
            let (bytes, ttl) = (Bytes::from("v"), None);
            put_leased(
                to,
                &[Leased {
                    name: "n",
                    token: 7,
                    bytes,
                    ttl,
                }],
            );
        }),
        "/v1/generations/get" => body(|to| {
            put_names(to, &["n"]);
            asked(None)(to);
        }),
        "/v1/generations/settle" => body(|to| {
            let computed = Computed {
                name: "n",
                namespace: "shop",
                bytes: Bytes::from("v"),
                ttl: None,
                token: None,
                stamps: &[],
                tags: &tags,
            };
            put_computed(to, &[computed]);
        }),
        "/v1/generations/suspend" => body(asked(Some(Duration::from_secs(9)))),
        path if path.starts_with("/v1/generations/") => body(asked(None)),
        _ => Bytes::new(),
    };
    let query = match (route.method, route.path) {
        ("DELETE", "/v1/entries") => "?prefix=p",
        _ => "",
    };
    let headers = match route.path {
        "/v1/leases/{name}" => vec![("everwarm-lease", "7"), ("everwarm-ttl", "9")],
        _ => Vec::new(),
    };
    (
        format!("{}{query}", route.path.replace("{name}", "n")),
        headers,
        framed,
    )
}

/// What any route may say before its store is asked, and what a store may fail at.
fn refusals(witness: &mut Witness) {
    let limited = served_with(Arc::new(Failing(FailureKind::Transient)), |options| {
        options.tokens = vec![Token::new("secret").expect("a token")];
        options.max_body = 1_000;
        options.patience = Duration::from_millis(20);
    });
    let at = limited.address();
    let bearer = ("authorization", "Bearer secret");
    for route in ROUTES {
        let (path, headers, framed) = sample(route);
        let heard = witness.ask_at(at, (route, &path), &headers, &framed);
        assert_eq!(heard.status, 401);
        for (header, value, status) in [
            ("transfer-encoding", "chunked", 411),
            ("content-length", "70000", 413),
            ("content-length", "10", 408),
        ] {
            let asked = request(route.method, &path, &[bearer, (header, value)], b"");
            let heard = said(at, &asked);
            assert_eq!(heard.status, status, "{} {path}", route.method);
            witness.see(route, &heard);
        }
        if route.path.contains("{name}") {
            let heard = witness.ask(at, route, (&"n".repeat(1_025), &[bearer]), b"");
            assert_eq!(heard.status, 414);
        }
    }
    for kind in FailureKind::ALL {
        let failing = served(Arc::new(Failing(kind)));
        for route in ROUTES {
            let (path, headers, framed) = sample(route);
            if route.path == "/v1/messages" {
                // The first look at a store takes nothing.
                said(failing.address(), &request(route.method, &path, &[], b""));
            }
            let heard = witness.ask_at(failing.address(), (route, &path), &headers, &framed);
            let is_own = ["/v1/info", "/v1/openapi.json"].contains(&route.path);
            assert_eq!(
                heard.status == 200,
                is_own,
                "{} {path}: {heard:?}",
                route.method
            );
        }
    }
}

/// What a store that works says.
fn answers(witness: &mut Witness) {
    let server = over_memory();
    let at = server.address();
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let heard = witness.ask(at, route(method, path), ("n", headers), body);
        (heard.status, heard)
    };
    let entry = "/v1/entries/{name}";
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(ask(method, entry, &[], b"").0, 404);
    }
    assert_eq!(ask("GET", "/v1/ttl/{name}", &[], b"").0, 404);
    assert_eq!(ask("PUT", "/v1/ttl/{name}", &[], b"").0, 404);
    assert_eq!(
        ask("PUT", entry, &[("cache-control", "max-age=60")], b"value").0,
        204
    );
    assert_eq!(
        ask("PUT", entry, &[("if-none-match", "*")], b"other").0,
        412
    );
    let (status, heard) = ask("GET", entry, &[], b"");
    assert_eq!((status, &*heard.body), (200, &b"value"[..]));
    assert_eq!(
        heard.headers["cache-control"],
        "private, no-cache, max-age=60"
    );
    assert_eq!(
        (&*heard.headers["age"], &*heard.headers["everwarm-ttl"]),
        ("0", "60.000000000")
    );
    let tag = heard.headers["etag"].clone();
    assert_eq!(ask("GET", entry, &[("if-none-match", &tag)], b"").0, 304);
    assert_eq!(ask("HEAD", entry, &[("if-none-match", &tag)], b"").0, 304);
    let (status, heard) = ask("HEAD", entry, &[], b"");
    assert_eq!(
        (status, &*heard.headers["content-length"], heard.body.len()),
        (200, "5", 0)
    );
    assert_eq!(
        ask("GET", "/v1/ttl/{name}", &[], b"").1.body,
        b"60.000000000\n"
    );
    assert_eq!(ask("PUT", "/v1/ttl/{name}", &[], b"").0, 204);
    assert_eq!(ask("GET", "/v1/ttl/{name}", &[], b"").1.body, b"none\n");
    assert_eq!(
        ask("DELETE", entry, &[("if-match", "\"ffff\"")], b"").0,
        412
    );
    assert_eq!(ask("DELETE", entry, &[("if-match", &tag)], b"").0, 204);
    // A life that is over at once: nothing is there any more.
    assert_eq!(ask("PUT", entry, &[("everwarm-ttl", "0")], b"value").0, 204);
    assert_eq!(ask("GET", entry, &[], b"").0, 404);
    leases(&mut ask);
    assert_eq!(
        ask("POST", "/v1/counters/{name}", &[("everwarm-by", "-4")], b"")
            .1
            .body,
        b"-4\n"
    );
    assert_eq!(ask("GET", "/v1/entries", &[], b"").1.body, b"=n\n");
    for route in ROUTES {
        let (path, headers, framed) = sample(route);
        let heard = witness.ask_at(at, (route, &path), &headers, &framed);
        assert!(heard.status < 500, "{} {path}: {heard:?}", route.method);
    }
}

fn leases(ask: &mut impl FnMut(&str, &str, &[(&str, &str)], &[u8]) -> (u16, Heard)) {
    let (path, ttl) = ("/v1/leases/{name}", ("everwarm-ttl", "9"));
    let [own, other] = [("everwarm-lease", "a"), ("everwarm-lease", "b")];
    assert_eq!(ask("PUT", path, &[own, ttl], b"").0, 404);
    assert_eq!(ask("DELETE", path, &[own], b"").0, 404);
    assert_eq!(ask("POST", path, &[own, ttl], b"").0, 204);
    let (status, heard) = ask("POST", path, &[other, ttl], b"");
    assert_eq!(
        (status, &*heard.headers["everwarm-ttl"]),
        (423, "9.000000000")
    );
    assert_eq!(ask("PUT", path, &[own, ttl], b"").0, 204);
    assert_eq!(ask("PUT", "/v1/entries/{name}", &[other], b"late").0, 409);
    assert_eq!(ask("DELETE", path, &[own], b"").0, 204);
}

#[test]
fn every_route_and_status_is_described_and_seen() {
    let described = described();
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method.to_lowercase(), route.path.to_owned()))
        .collect();
    let named: BTreeSet<_> = described
        .iter()
        .map(|(method, path, _)| (method.clone(), path.clone()))
        .collect();
    assert_eq!(routes, named);
    let mut witness = Witness::default();
    refusals(&mut witness);
    answers(&mut witness);
    let unseen: Vec<_> = described.difference(&witness.0).collect();
    let undescribed: Vec<_> = witness.0.difference(&described).collect();
    assert!(
        unseen.is_empty() && undescribed.is_empty(),
        "unseen {unseen:?}, undescribed {undescribed:?}"
    );
}

#[test]
fn what_is_no_route_or_cannot_be_understood_is_refused() {
    let server = over_memory();
    for (method, path, headers, body, status) in [
        ("GET", "/", &[][..], &b""[..], 404),
        ("GET", "/v1/entries/a/b", &[], b"", 404),
        ("PATCH", "/v1/entries/a", &[], b"", 405),
        ("DELETE", "/v1/entries", &[], b"", 400),
        (
            "PUT",
            "/v1/entries/a",
            &[("everwarm-ttl", "soon")],
            b"x",
            400,
        ),
        (
            "PUT",
            "/v1/entries/a",
            &[("cache-control", "max-age=-1")],
            b"x",
            400,
        ),
        (
            "PUT",
            "/v1/entries/a",
            &[("if-match", "W/\"1\"")],
            b"x",
            400,
        ),
        (
            "PUT",
            "/v1/entries/a",
            &[("if-match", "*"), ("if-none-match", "*")],
            b"x",
            400,
        ),
        (
            "PUT",
            "/v1/entries/a",
            &[("if-match", "*"), ("everwarm-lease", "1")],
            b"x",
            400,
        ),
        (
            "PUT",
            "/v1/entries/a",
            &[("everwarm-lease", "0")],
            b"x",
            400,
        ),
        (
            "DELETE",
            "/v1/entries/a",
            &[("if-none-match", "*")],
            b"",
            400,
        ),
        ("POST", "/v1/leases/a", &[("everwarm-ttl", "9")], b"", 400),
        ("POST", "/v1/leases/a", &[("everwarm-lease", "9")], b"", 400),
        (
            "POST",
            "/v1/counters/a",
            &[("everwarm-by", "1.5")],
            b"",
            400,
        ),
        (
            "POST",
            "/v1/many/get",
            &[],
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            400,
        ),
        ("GET", "/v1/messages?wait=ever", &[], b"", 400),
    ] {
        let heard = said(server.address(), &request(method, path, headers, body));
        assert_eq!(
            heard.status, status,
            "{method} {path} {headers:?}: {heard:?}"
        );
        assert!(heard.headers.contains_key(FAILURE), "{heard:?}");
    }
    let nothing = said(server.address(), &request("GET", "/v1/entries/a", &[], b""));
    assert_eq!(nothing.status, 404, "something was set");
}
