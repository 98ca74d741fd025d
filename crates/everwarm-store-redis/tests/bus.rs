//! What others are told over the bus, and what happens to numbers and markers when connections or servers are lost.

mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use everwarm_core::mark::{Reading, Tag, TagKind, valid};
use everwarm_core::shard::JUMP;
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Failure, Generations, Grant, Leases, Message,
    Messages, Notify, Settled, Store, Suspend,
};
use everwarm_store_redis::{Config, Redis};
use support::{config, until, wait};

const PLAIN: &str = "EVERWARM_TEST_REDIS";
const SENTINEL: &str = "EVERWARM_TEST_REDIS_SENTINEL";
const CLUSTER: &str = "EVERWARM_TEST_REDIS_CLUSTER";

/// The database of these tests, which they empty.
const DATABASE: u32 = 9;

/// Tests that kill connections, or empty the database, run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two handles, as two processes would have them, and a namespace of their own.
struct Two {
    config: Config,
    one: Redis,
    other: Redis,
    space: String,
}

impl Two {
    fn at(variable: &str, test: &str) -> Option<Self> {
        let mut config = config(variable)?;
        if variable == PLAIN {
            config.database = DATABASE;
        }
        let open = || Redis::open(config.clone()).expect("nothing is connected yet");
        let two = Self {
            one: open(),
            other: open(),
            space: format!("bus-{test}-{}", std::process::id()),
            config,
        };
        for store in [&two.one, &two.other] {
            two.listens(store);
        }
        Some(two)
    }

    /// Asks for something, and waits until everything is heard.
    fn listens(&self, store: &Redis) {
        wait(store.get(&self.name("asked"))).expect("an answer");
        until("everything is heard", || store.silence() < Duration::MAX);
    }

    fn name(&self, text: &str) -> String {
        format!("{}:{text}", self.space)
    }

    fn set(&self, store: &Redis, text: &str) {
        wait(store.set(&self.name(text), Bytes::from("value"), None)).expect("an answer");
    }

    fn begin(&self, store: &Redis, tags: &[Tag]) -> Reading {
        wait(store.begin(&self.space, tags, None)).expect("an answer")
    }

    fn settle(&self, store: &Redis, stamps: &Reading, tags: &[Tag]) -> Settled {
        let name = self.name("settled");
        wait(store.settle(Computed {
            name: &name,
            namespace: &self.space,
            bytes: Bytes::from("value"),
            ttl: None,
            token: None,
            stamps: &stamps.shards,
            tags,
        }))
        .expect("an answer")
    }

    fn key(&self, text: &str) -> Message {
        Message::Key(self.name(text).into())
    }

    /// Asks the server itself.
    fn admin(&self) -> redis::Connection {
        let url = support::url(PLAIN).expect("a URL");
        let client = redis::Client::open(url).expect("a URL");
        let mut admin = client.get_connection().expect("a server");
        let select = redis::cmd("SELECT").arg(self.config.database).to_owned();
        select.exec(&mut admin).expect("a database");
        admin
    }

    /// Has the shard say something else.
    fn say_of_shard(&self, text: &str) {
        let shard = format!("ew{{{}.0}}s:{}:", self.space, self.space);
        let mut set = redis::cmd("SET");
        set.arg(&shard).arg(text);
        set.exec(&mut self.admin()).expect("an answer");
    }

    /// The run of the server.
    fn run(&self) -> String {
        let info = redis::cmd("INFO").arg("server").to_owned();
        let info: String = info.query(&mut self.admin()).expect("an answer");
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:"));
        run.expect("a run").trim().to_owned()
    }
}

fn tag(text: &str) -> Tag {
    Tag::of("bus", TagKind::Tag, text)
}

fn heard(store: &Redis, after: u64) -> Messages {
    wait(store.messages(after)).expect("what was heard is here")
}

/// Waits for a message, or for a gap in its place; how long it took, and whether there was one.
fn hears(store: &Redis, mut after: u64, message: &Message) -> (Duration, bool) {
    let began = Instant::now();
    let mut gap = false;
    until("a message is heard", || {
        let heard = heard(store, after);
        after = heard.up_to;
        gap |= heard.gap;
        gap || heard.messages.contains(message)
    });
    (began.elapsed(), gap)
}

#[test]
fn others_hear_of_it_within_half_a_second() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "hears")) else {
        return;
    };
    let shortest = (0..5).map(|round| {
        let after = two.other.change();
        let text = format!("n{round}");
        two.set(&two.one, &text);
        let (took, gap) = hears(&two.other, after, &two.key(&text));
        assert!(!gap, "a message was missed");
        took
    });
    let shortest = shortest.min().unwrap();
    assert!(
        shortest < Duration::from_millis(500),
        "it took {shortest:?}"
    );
}

#[test]
fn silence_is_short_while_the_server_answers() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "silence")) else {
        return;
    };
    let gap = heard(&two.other, 0).up_to;
    std::thread::sleep(Duration::from_millis(1200));
    until("it is confirmed again", || {
        two.other.silence() < Duration::from_millis(700)
    });
    assert!(
        !heard(&two.other, gap).gap,
        "nothing happened, and something was missed"
    );
}

#[test]
fn a_lost_connection_is_a_gap_and_is_replaced() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "killed")) else {
        return;
    };
    let after = heard(&two.other, 0).up_to;
    let kill = ["CLIENT", "KILL", "TYPE", "pubsub"];
    let kill = redis::cmd(kill[0]).arg(&kill[1..]).to_owned();
    let killed: u64 = kill.query(&mut two.admin()).expect("an answer");
    assert!(killed >= 2, "{killed} connections listened");
    until("a gap is told", || heard(&two.other, after).gap);
    until("everything is heard again", || {
        two.other.silence() < Duration::MAX
    });
    // Once it listens again, messages come without a gap.
    until("messages come again", || {
        let after = heard(&two.other, 0).up_to;
        two.set(&two.one, "again");
        std::thread::sleep(Duration::from_millis(50));
        let heard = heard(&two.other, after);
        !heard.gap && heard.messages.contains(&two.key("again"))
    });
}

#[test]
fn a_server_that_lost_everything_begins_a_new_epoch() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "emptied")) else {
        return;
    };
    let tags = [tag("a")];
    let before = two.begin(&two.one, &tags);
    assert_eq!(two.settle(&two.one, &before, &tags), Settled::Stored);
    let after = heard(&two.other, 0).up_to;
    redis::cmd("FLUSHDB")
        .exec(&mut two.admin())
        .expect("an answer");
    let begun = two.begin(&two.one, &tags);
    assert_ne!(begun.shards[0].epoch, before.shards[0].epoch);
    assert!(!valid(&before.shards, begun.markers));
    assert_eq!(two.settle(&two.one, &before, &tags), Settled::Overtaken);
    until("the loss is heard of", || heard(&two.other, after).gap);
    until("everything is heard again", || {
        two.other.silence() < Duration::MAX
    });
}

#[test]
fn a_lost_marker_is_a_miss_and_a_lost_shard_a_new_epoch() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "evicted")) else {
        return;
    };
    let tags = [tag("a"), tag("b")];
    let before = two.begin(&two.one, &tags);
    let mut admin = two.admin();
    let keys = |kind: &str| format!("ew{{{}.0}}{kind}:{}:*", two.space, two.space);
    let mut lose = |kind| {
        let found = redis::cmd("KEYS").arg(keys(kind)).to_owned();
        let found: Vec<String> = found.query(&mut admin).expect("an answer");
        assert!(!found.is_empty());
        redis::cmd("DEL")
            .arg(found)
            .exec(&mut admin)
            .expect("an answer");
    };
    lose("m");
    let read = wait(two.one.read(&two.space, &tags)).expect("an answer");
    assert_eq!(read.markers, [None, None]);
    assert_eq!(read.shards, before.shards);
    // What somebody else invalidated meanwhile, whose marker is lost, may have been this tag.
    wait(two.other.invalidate(&two.space, &[tag("c")])).expect("an answer");
    assert_eq!(two.settle(&two.one, &before, &tags), Settled::Overtaken);
    lose("s");
    let after = two.begin(&two.one, &tags);
    assert_ne!(after.shards[0].epoch, before.shards[0].epoch);
    assert!(!valid(&before.shards, after.markers));
}

#[test]
fn another_server_goes_beyond_all_numbers() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "jumps")) else {
        return;
    };
    let before = two.begin(&two.one, &[tag("a")]).shards[0];
    // As if this server were the replica of another one.
    two.say_of_shard(&format!("{} {} another", before.epoch, before.number));
    let after = two.begin(&two.one, &[tag("a")]).shards[0];
    assert_eq!(after.epoch, before.epoch);
    assert_eq!(after.number, before.number + JUMP);
    until("the other one is heard of", || two.other.failovers() == 1);
}

#[test]
fn numbers_are_exact_beyond_what_was_ever_given() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "exact")) else {
        return;
    };
    let near = (1_u64 << 53) - (1 << 34) - 3;
    let tags = [tag("a")];
    let epoch = two.begin(&two.one, &tags).shards[0].epoch;
    let run = two.run();
    two.say_of_shard(&format!("{epoch} {near} {run}"));
    for step in 1..=3 {
        let told = wait(two.one.invalidate(&two.space, &tags)).expect("an answer");
        assert_eq!(told.shards[0].number, near + step);
        assert_eq!(
            told.markers[0].map(|marker| marker.number),
            Some(near + step)
        );
    }
    // There is room for no more: the shard begins anew, and everything before it is a miss.
    let anew = wait(two.one.invalidate(&two.space, &tags)).expect("an answer");
    assert_eq!(anew.shards[0].number, 1);
}

#[test]
fn a_suspension_that_ended_by_itself_is_told() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "lapsed")) else {
        return;
    };
    let tags = [tag("a")];
    let span = Duration::from_millis(30);
    wait(two.one.suspend(&two.space, &tags, span)).expect("an answer");
    let during = two.begin(&two.one, &tags);
    assert!(!valid(&during.shards, during.markers.clone()));
    until("its time is up", || {
        let read = wait(two.one.read(&two.space, &tags)).expect("an answer");
        read.markers == [None]
    });
    let after = two.other.change();
    let begun = two.begin(&two.one, &tags);
    assert!(valid(&begun.shards, begun.markers.clone()));
    assert_eq!(two.settle(&two.one, &during, &tags), Settled::Overtaken);
    let told = Message::Tag {
        namespace: two.space.as_str().into(),
        tag: tags[0],
        marker: begun.markers[0].expect("a marker"),
    };
    assert!(
        !hears(&two.other, after, &told).1,
        "the number of an invalidation was told to nobody"
    );
}

#[test]
fn a_clear_of_part_of_a_namespace_is_told() {
    for variable in [PLAIN, CLUSTER] {
        let (_alone, Some(two)) = (alone(), Two::at(variable, "cleared")) else {
            continue;
        };
        two.set(&two.one, "here");
        let part = &two.space[..two.space.len() - 1];
        let after = heard(&two.other, 0).up_to;
        assert_eq!(wait(two.one.clear(part)), Ok(1));
        hears(&two.other, after, &Message::Clear(part.into()));
    }
}

#[test]
fn who_waits_for_a_lease_is_woken_by_its_end() {
    const LONG: Duration = Duration::from_secs(60);
    for variable in [PLAIN, CLUSTER] {
        let (_alone, Some(two)) = (alone(), Two::at(variable, "waits")) else {
            continue;
        };
        let name = two.name("leased");
        let bytes = || Bytes::from("value");
        let stamps = two.begin(&two.one, &[]).shards;
        let settle = || {
            wait(two.one.settle(Computed {
                name: &name,
                namespace: &two.space,
                bytes: bytes(),
                ttl: None,
                token: Some(7),
                stamps: &stamps,
                tags: &[],
            }))
            .map(drop)
        };
        let ends: [&dyn Fn() -> Result<(), Failure>; 6] = [
            &|| wait(two.one.release(&name, 7)).map(drop),
            &|| wait(two.one.set_leased(&name, 7, bytes(), None)).map(drop),
            &settle,
            &|| wait(two.one.set(&name, bytes(), None)),
            &|| wait(two.one.delete(&name)).map(drop),
            &|| wait(two.one.set_if(&name, bytes(), None, Condition::Absent)).map(drop),
        ];
        for (at, end) in ends.into_iter().enumerate() {
            assert_eq!(
                wait(two.one.lease(&name, 7, LONG)),
                Ok(Grant::Granted),
                "end {at}"
            );
            let freed = two.other.freed(&name).expect("it is told");
            let held = wait(two.other.lease(&name, 8, LONG)).expect("an answer");
            assert!(matches!(held, Grant::Held(_)), "end {at}");
            // To wait changes nothing for who holds it.
            assert_eq!(wait(two.one.renew(&name, 7, LONG)), Ok(true), "end {at}");
            end().expect("an answer");
            let woken = Answer::later(async {
                freed.await;
                Ok(())
            });
            wait(woken).unwrap_or_else(|_| panic!("nobody was woken by end {at}"));
        }
    }
}

#[test]
fn databases_of_one_server_are_apart() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "database")) else {
        return;
    };
    let mut config = two.config.clone();
    config.database = DATABASE + 1;
    let elsewhere = Redis::open(config).expect("a store");
    two.listens(&elsewhere);
    let after = heard(&two.other, 0).up_to;
    two.set(&elsewhere, "elsewhere");
    two.set(&two.one, "here");
    until("what was done here is heard", || {
        two.other.change() != after
    });
    let heard = heard(&two.other, after);
    assert_eq!((heard.messages, heard.gap), (vec![two.key("here")], false));
}

#[test]
fn who_closes_listens_no_more() {
    let (_alone, Some(two)) = (alone(), Two::at(PLAIN, "closed")) else {
        return;
    };
    let mut admin = two.admin();
    let mut listeners = move || {
        let list = ["LIST", "TYPE", "pubsub"];
        let list = redis::cmd("CLIENT").arg(&list).to_owned();
        let list: String = list.query(&mut admin).expect("an answer");
        list.lines().count()
    };
    let before = listeners();
    wait(two.one.close()).expect("it closes");
    until("one listens no more", || listeners() < before);
    let Two { other, .. } = two;
    drop(other);
    until("neither does the other", || listeners() + 1 < before);
}

#[test]
fn tags_of_a_result_may_lie_in_any_shard() {
    let Some(two) = Two::at(CLUSTER, "result") else {
        return;
    };
    let known = [tag("known")];
    assert_eq!(two.begin(&two.one, &known).shards.len(), 16);
    for n in 0..20 {
        let begun = two.begin(&two.one, &known);
        let tags = [known[0], tag(&format!("result{n}"))];
        assert_eq!(
            two.settle(&two.one, &begun, &tags),
            Settled::Stored,
            "tag {n}"
        );
        wait(two.other.invalidate(&two.space, &tags[1..])).expect("an answer");
        assert_eq!(
            two.settle(&two.one, &begun, &tags),
            Settled::Overtaken,
            "tag {n}"
        );
    }
}

#[test]
fn what_sentinels_replace_goes_beyond_all_numbers() {
    let (_alone, Some(two)) = (alone(), Two::at(SENTINEL, "failover")) else {
        return;
    };
    let tags = [tag("a")];
    let before = two.begin(&two.one, &tags).shards[0];
    let url = support::url(SENTINEL).expect("a URL");
    let (hosts, rest) = url
        .split_once("://")
        .expect("a URL")
        .1
        .split_once('/')
        .expect("a name");
    let name = rest.split('/').next().expect("a name");
    let hosts = hosts.rsplit('@').next().expect("hosts");
    let sentinel = format!("redis://{}/", hosts.split(',').next().expect("a host"));
    let sentinel = redis::Client::open(sentinel).expect("a URL");
    let mut sentinel = sentinel.get_connection().expect("a sentinel");
    let replace = redis::cmd("SENTINEL").arg("FAILOVER").arg(name).to_owned();
    replace.exec(&mut sentinel).expect("a failover begins");
    // The sentinels turn the old one into a replica some ten seconds later; until then it goes on, and what it does is lost.
    let began = Instant::now();
    let is_beyond = |begun: Reading| begun.shards[0].number >= before.number + JUMP;
    while !wait(two.one.begin(&two.space, &tags, None)).is_ok_and(is_beyond) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no other master gives numbers"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(two.one.failovers() > 0, "known with the first answer");
    until("it is heard of", || two.other.failovers() > 0);
    until("everything is heard again", || {
        two.other.silence() < Duration::from_secs(1)
    });
}
