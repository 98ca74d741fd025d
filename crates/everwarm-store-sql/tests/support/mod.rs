//! The database that tests ask; `scripts/servers/up` says where it is.
#![allow(dead_code)]

use std::io::Write;
use std::time::Duration;

use everwarm_core::store::{Answer, Failure};
use everwarm_store_sql::{Config, Postgres, Tls};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const VARIABLE: &str = "EVERWARM_TEST_POSTGRES";
const MYSQL: &str = "EVERWARM_TEST_MARIADB";
const APART: &str = "EVERWARM_TEST_MARIADB_APART";

/// The URL of PostgreSQL, as [`named`].
pub(crate) fn url() -> Option<String> {
    named(VARIABLE)
}

/// The URL of the database that a variable names. Without one the test is left out, loudly; where nothing may be left out, it fails.
///
/// # Panics
/// Without one, if `CI=true`.
fn named(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "{variable} is not set");
        // The test runner keeps what `eprintln!` writes to itself.
        let line = format!("LEFT OUT: a test that needs {variable} (scripts/servers/up sets it)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    url
}

/// Tables of a test's own, with more patience than a connection needs: the machine may be busy.
pub(crate) fn config(table: &str) -> Option<Config> {
    Some(patient(&url()?, table))
}

/// The same of MariaDB.
pub(crate) fn mysql(table: &str) -> Option<Config> {
    Some(patient(&named(MYSQL)?, table))
}

fn patient(url: &str, table: &str) -> Config {
    let mut config = Config::from_url(url).expect("a URL");
    config.table = format!("{table}_{}", std::process::id());
    config.connect_timeout = Duration::from_secs(10);
    config
}

/// The same of MariaDB, as a user who may read and write, and make nothing.
pub(crate) fn plain_mysql(table: &str) -> Option<Config> {
    Some(patient(&named("EVERWARM_TEST_MARIADB_PLAIN")?, table))
}

/// A MariaDB whose settings a test may change: it is nobody else's meanwhile.
pub(crate) fn mysql_apart(table: &str) -> Option<Config> {
    Some(patient(&named(APART)?, table))
}

/// The same, with encryption.
pub(crate) fn encrypted(table: &str) -> Option<Config> {
    trusting(config(table)?, "EVERWARM_TEST_POSTGRES_CA")
}

/// The same of MariaDB.
pub(crate) fn encrypted_mysql(table: &str) -> Option<Config> {
    trusting(mysql(table)?, "EVERWARM_TEST_MARIADB_CA")
}

fn trusting(mut config: Config, variable: &str) -> Option<Config> {
    let ca = std::env::var_os(variable)?;
    config.tls = Some(Tls {
        ca: Some(ca.into()),
        identity: None,
    });
    Some(config)
}

/// A store in tables of a test's own.
pub(crate) fn store(table: &str) -> Option<Postgres> {
    config(table).map(|config| Postgres::open(config).expect("a store"))
}

/// The answer, waited for.
///
/// # Errors
/// The store's.
pub(crate) fn wait<T>(answer: Answer<'_, T>) -> Result<T, Failure> {
    everwarm_conformance::wait(answer)
}

/// Waits until something is so, for as long as it may take on a busy machine.
///
/// # Panics
/// If it does not become so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{what}: not within ten seconds");
}

/// Runs statements as somebody else would, on a connection of their own.
///
/// # Panics
/// If the database refuses them.
pub(crate) fn run(script: &str) {
    let url = url().expect("a test that gets here has a server");
    let runtime = everwarm_runtime::handle().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .expect("a connection");
        let carried = runtime.spawn(connection);
        client.batch_execute(script).await.expect("they are run");
        drop(client);
        let _ = carried.await;
    });
}

/// The number that answers a question, asked as somebody else would.
///
/// # Panics
/// If the database gives none.
pub(crate) fn number(question: &str) -> i64 {
    let url = url().expect("a test that gets here has a server");
    let runtime = everwarm_runtime::handle().expect("a runtime");
    runtime.block_on(async {
        let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("a connection");
        let carried = runtime.spawn(connection);
        let row = client.query_one(question, &[]).await.expect("an answer");
        drop(client);
        let _ = carried.await;
        row.get(0)
    })
}

async fn connected() -> Conn {
    connected_to(MYSQL).await
}

async fn connected_to(variable: &str) -> Conn {
    let url = named(variable).expect("a test that gets here has a server");
    let url = url.replacen("mariadb:", "mysql:", 1);
    Conn::from_url(&url).await.expect("a connection")
}

/// Runs statements in MariaDB as somebody else would.
///
/// # Panics
/// If the database refuses them.
pub(crate) fn run_mysql(script: &str) {
    let runtime = everwarm_runtime::handle().expect("a runtime");
    runtime.block_on(async {
        let mut conn = connected().await;
        conn.query_drop(script).await.expect("they are run");
    });
}

/// The number that answers a question of somebody else's to MariaDB.
///
/// # Panics
/// If the database gives none.
pub(crate) fn number_mysql(question: &str) -> i64 {
    let runtime = everwarm_runtime::handle().expect("a runtime");
    let answer = runtime.block_on(async {
        let mut conn = connected().await;
        conn.query_first(question).await.expect("an answer")
    });
    answer.expect("a number")
}

/// Does something while a transaction of somebody else's in MariaDB holds what it asked for.
///
/// # Panics
/// If the database refuses it.
pub(crate) fn while_mysql_holds(what: &str, then: impl FnOnce()) {
    let runtime = everwarm_runtime::handle().expect("a runtime");
    let mut conn = runtime.block_on(async {
        let mut conn = connected().await;
        conn.query_drop("START TRANSACTION").await.expect("a start");
        let _: Vec<mysql_async::Row> = conn.query(what).await.expect("an answer");
        conn
    });
    then();
    runtime.block_on(async { conn.query_drop("ROLLBACK").await.expect("an end") });
}

/// Sets how much the MariaDB apart takes at once on connections that are made from now on.
///
/// # Panics
/// If the database refuses it.
pub(crate) fn set_packet(bytes: usize) {
    let runtime = everwarm_runtime::handle().expect("a runtime");
    runtime.block_on(async {
        let mut conn = connected_to(APART).await;
        let set = format!("SET GLOBAL max_allowed_packet = {bytes}");
        conn.query_drop(set).await.expect("it is set");
    });
}

/// Bytes that the MariaDB apart was sent so far.
///
/// # Panics
/// If the database does not say so.
pub(crate) fn received() -> u64 {
    let runtime = everwarm_runtime::handle().expect("a runtime");
    let row: Option<(String, u64)> = runtime.block_on(async {
        let mut conn = connected_to(APART).await;
        let asked = "SHOW GLOBAL STATUS LIKE 'Bytes_received'";
        conn.query_first(asked).await.expect("an answer")
    });
    row.expect("a number").1
}
