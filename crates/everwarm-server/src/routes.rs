//! What is asked, by method and path.

use hyper::Method;

use everwarm_store_http::contract::decoded;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Delete,
    Page,
    Clear,
    Ttl,
    Expire,
    Lease,
    Renew,
    Release,
    Incr,
    GetMany,
    SetMany,
    DeleteMany,
    LeaseMany,
    SetLeasedMany,
    Begin,
    Read,
    GetWith,
    Invalidate,
    Settle,
    Suspend,
    Resume,
    Messages,
    Sweep,
    Ping,
    Info,
    OpenApi,
}

impl Verb {
    /// Whether nothing is changed by it: it may end with who asked.
    pub(crate) const fn reads(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::Page
                | Self::Ttl
                | Self::GetMany
                | Self::Read
                | Self::GetWith
                | Self::Messages
                | Self::Ping
                | Self::Info
                | Self::OpenApi
        )
    }
}

/// A method and a path, as the contract has them.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path; `{name}` stands for a name, percent-encoded.
    pub path: &'static str,
    pub(crate) verb: Verb,
}

const fn route(method: &'static str, path: &'static str, verb: Verb) -> Route {
    Route { method, path, verb }
}

/// All routes of the contract.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/entries/{name}", Verb::Get),
    route("HEAD", "/v1/entries/{name}", Verb::Get),
    route("PUT", "/v1/entries/{name}", Verb::Put),
    route("DELETE", "/v1/entries/{name}", Verb::Delete),
    route("GET", "/v1/entries", Verb::Page),
    route("DELETE", "/v1/entries", Verb::Clear),
    route("GET", "/v1/ttl/{name}", Verb::Ttl),
    route("PUT", "/v1/ttl/{name}", Verb::Expire),
    route("POST", "/v1/leases/{name}", Verb::Lease),
    route("PUT", "/v1/leases/{name}", Verb::Renew),
    route("DELETE", "/v1/leases/{name}", Verb::Release),
    route("POST", "/v1/counters/{name}", Verb::Incr),
    route("POST", "/v1/many/get", Verb::GetMany),
    route("POST", "/v1/many/set", Verb::SetMany),
    route("POST", "/v1/many/delete", Verb::DeleteMany),
    route("POST", "/v1/many/lease", Verb::LeaseMany),
    route("POST", "/v1/many/set-leased", Verb::SetLeasedMany),
    route("POST", "/v1/generations/begin", Verb::Begin),
    route("POST", "/v1/generations/read", Verb::Read),
    route("POST", "/v1/generations/get", Verb::GetWith),
    route("POST", "/v1/generations/invalidate", Verb::Invalidate),
    route("POST", "/v1/generations/settle", Verb::Settle),
    route("POST", "/v1/generations/suspend", Verb::Suspend),
    route("POST", "/v1/generations/resume", Verb::Resume),
    route("GET", "/v1/messages", Verb::Messages),
    route("POST", "/v1/sweep", Verb::Sweep),
    route("GET", "/v1/ping", Verb::Ping),
    route("GET", "/v1/info", Verb::Info),
    route("GET", "/v1/openapi.json", Verb::OpenApi),
];

/// Where a request leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To a verb, on the thing of a name if it is about one.
    To(Verb, String),
    /// To a path that has other methods.
    Otherwise(Vec<&'static str>),
    /// Nowhere.
    Nowhere,
}

/// Where a request of this method and path leads.
pub(crate) fn way(method: &Method, path: &str) -> Way {
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(name) = named(route.path, path) else {
            continue;
        };
        if route.method == method.as_str() {
            return match decoded(name) {
                Some(name) => Way::To(route.verb, name),
                None => Way::Nowhere,
            };
        }
        others.push(route.method);
    }
    match others.is_empty() {
        true => Way::Nowhere,
        false => Way::Otherwise(others),
    }
}

/// The encoded name that a path has where the route has its own; an empty one for a route without.
fn named<'p>(route: &str, path: &'p str) -> Option<&'p str> {
    match route.strip_suffix("{name}") {
        None => (route == path).then_some(""),
        Some(beginning) => {
            let name = path.strip_prefix(beginning)?;
            (!name.contains('/')).then_some(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_is_in_it() {
        let to = |verb, name: &str| Way::To(verb, name.to_owned());
        for (method, path, expected) in [
            (Method::GET, "/v1/entries/a%2Fb%20", to(Verb::Get, "a/b ")),
            (Method::GET, "/v1/entries/", to(Verb::Get, "")),
            (Method::GET, "/v1/entries", to(Verb::Page, "")),
            (Method::PUT, "/v1/ttl/%2E%2E", to(Verb::Expire, "..")),
            (Method::GET, "/v1/entries/a/b", Way::Nowhere),
            (Method::GET, "/v1/entries/%ff", Way::Nowhere),
            (Method::GET, "/v2/entries/a", Way::Nowhere),
            (Method::GET, "/v1/many/get", Way::Otherwise(vec!["POST"])),
            (
                Method::PATCH,
                "/v1/ttl/a",
                Way::Otherwise(vec!["GET", "PUT"]),
            ),
        ] {
            assert_eq!(way(&method, path), expected, "{method} {path}");
        }
    }
}
