//! What is written is done and told of, also when who asked for it is gone.

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use everwarm_conformance::ManualClock;
use everwarm_core::store::{Answer, Bytes, Found, Info, Limits, Message, Notify, Store};
use support::{client, memory, request, served, until, wait};

/// A store whose sets take a while.
#[derive(Debug)]
struct Slow(Arc<dyn Store>);

impl Store for Slow {
    fn info(&self) -> Info {
        self.0.info()
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.0.get(name)
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        Answer::later(async move {
            everwarm_runtime::pause(Duration::from_millis(300)).await?;
            self.0.set(name, bytes, ttl).await
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.0.delete(name)
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.0.clear(prefix)
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.0.ping()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.0.close()
    }

    fn notify(&self) -> Option<&dyn Notify> {
        self.0.notify()
    }
}

#[test]
fn a_write_goes_on_when_its_client_is_gone() {
    let server = served(Arc::new(Slow(memory(Arc::new(ManualClock::default())))));
    let listens = client(&format!("{}?facets=notify", server.url()));
    wait(listens.ping()).unwrap();
    let notify = listens.notify().expect("it is offered");
    until("it hears", || notify.silence() < Duration::MAX);
    let after = notify.change();
    let mut gone = TcpStream::connect(server.address()).unwrap();
    gone.write_all(&request("PUT", "/v1/entries/a", &[], b"value"))
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    drop(gone);
    until("it is told of", || {
        let told = wait(notify.messages(after)).unwrap();
        told.messages.contains(&Message::Key("a".into()))
    });
    let found = wait(listens.get("a")).unwrap();
    assert_eq!(found.map(|found| found.bytes), Some(Bytes::from("value")));
}
