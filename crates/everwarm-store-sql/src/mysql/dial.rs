//! How a connection is made: to the server that takes writes, with the tables of the store in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, Opts, OptsBuilder, Row, SslOpts};
use tokio::time::timeout;

use super::error::refused;
use super::names::Names;
use super::pool::said;
use super::script::{Script, Value, cell};
use super::statements::{Statement, Written};
use crate::server::config::{Address, Config, Tls};
use crate::server::failure::{late, unexpected};
use crate::server::met::Met;
use everwarm_network::tls::authorities;

/// How much longer than to connect it may take to make tables.
const TABLES: u32 = 10;
/// What no server takes more of at once, whatever it is set to.
const PACKET: usize = 1 << 30;
/// What every session of ours has, whatever the server's own settings are: how texts are read, what a transaction sees, and for how
/// long one waits for another.
const SETTINGS: &str = "SET NAMES utf8mb4, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1,
    completion_type = 0, sql_safe_updates = 0, sql_select_limit = DEFAULT, innodb_lock_wait_timeout = 5;
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// Who answers. The names of settings are not the same everywhere, so they are looked for.
const GREETING: &str = "SELECT @@hostname, @@port, @@version, @@max_allowed_packet, UNIX_TIMESTAMP();
    SHOW GLOBAL STATUS LIKE 'Uptime';
    SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'innodb_read_only')";

/// What connections are made with.
pub(crate) struct Dialer {
    pub(crate) config: Arc<Config>,
    pub(crate) names: Arc<Names>,
    pub(crate) written: Arc<Written>,
    servers: Vec<Opts>,
    /// How much the server that was greeted last takes at once; what none exceeds as long as none was.
    packet: AtomicUsize,
    /// The servers that were met.
    pub(crate) met: Met,
}

impl Dialer {
    /// One that has connected to nothing.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let tls = config.tls.as_ref().map(encryption).transpose()?;
        let servers = config.servers.iter();
        let names = Names::of(&config);
        Ok(Self {
            servers: servers
                .map(|server| options(&config, server, tls.as_ref()))
                .collect(),
            written: Arc::new(Written::new(&names)),
            names: Arc::new(names),
            packet: AtomicUsize::new(PACKET),
            met: Met::default(),
            config: Arc::new(config),
        })
    }

    /// That of a forked child.
    pub(crate) fn again(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            names: Arc::clone(&self.names),
            written: Arc::clone(&self.written),
            servers: self.servers.clone(),
            packet: AtomicUsize::new(self.packet.load(Ordering::Relaxed)),
            met: self.met.again(),
        }
    }

    /// How much the server takes at once, at most: what is sent is held to what its connection's server has said.
    pub(crate) fn packet(&self) -> usize {
        self.packet.load(Ordering::Relaxed)
    }

    /// A connection on which scripts can be asked, and how much its server takes at once. To be called on the process's runtime.
    pub(crate) async fn connection(&self) -> Result<(Conn, usize), Failure> {
        let limit = self.config.connect_timeout;
        let mut failure = None;
        for server in &self.servers {
            let made = timeout(limit, Conn::new(server.clone())).await;
            let greeted = match made {
                Ok(Ok(mut conn)) => {
                    let greeted = timeout(limit * TABLES, self.greet(&mut conn)).await;
                    match greeted {
                        Ok(Ok(packet)) => return Ok((conn, packet)),
                        Ok(Err(failure)) => failure,
                        Err(_) => late(&self.config.to_string()),
                    }
                }
                Ok(Err(error)) => refused(&error),
                Err(_) => late(&self.config.to_string()),
            };
            failure = Some(greeted);
        }
        Err(failure.unwrap_or_else(|| late(&self.config.to_string())))
    }

    /// Sees that a server can be asked; how much it takes at once.
    async fn greet(&self, conn: &mut Conn) -> Result<usize, Failure> {
        let tables = self.names.all();
        let tables: Vec<&[u8]> = tables.iter().map(|name| name.as_bytes()).collect();
        let mut script = Script::new(&self.written);
        script.add(Statement::Tables, &[Value::Texts(&tables)]);
        let there = script.finish().text;
        let script = [SETTINGS.as_bytes(), b";", GREETING.as_bytes(), b";", &there].concat();
        let asked = said(conn, &script, 6).await;
        let mut asked = asked.map_err(|error| refused(&error))?;
        let host: String = asked.cell(2, 0)?;
        let port: u64 = asked.cell(2, 1)?;
        let packet: usize = asked.cell(2, 3)?;
        let now: u64 = asked.cell(2, 4)?;
        let uptime: u64 = asked.cell(3, 1)?;
        let settings = asked.rows(4)?;
        let is_on = |row: &Row| cell::<String>(row, 1).is_some_and(|value| value != "OFF");
        if settings.iter().any(is_on) {
            return Err(super::error::answered(1290));
        }
        let started = Duration::from_secs(now.saturating_sub(uptime));
        self.met.meet(&format!("{host}:{port}"), started);
        self.packet.store(packet, Ordering::Relaxed);
        let there: usize = asked.cell(5, 0)?;
        if there != tables.len() {
            self.make_tables(conn).await?;
        }
        Ok(packet)
    }

    async fn make_tables(&self, conn: &mut Conn) -> Result<(), Failure> {
        if !self.config.make_tables {
            return Err(Failure::new(
                FailureKind::Permanent,
                format!("there are no tables at {}", self.config),
                "have a DBA run what everwarm.ddl(url) prints, or leave make_tables=false out",
            ));
        }
        // Of several processes that come at once each finds what others made.
        let made = conn.query_drop(self.names.ddl()).await;
        made.map_err(|error| match refused(&error) {
            failure if failure.kind == FailureKind::Corruption => unexpected("DDL"),
            failure => failure,
        })
    }
}

fn options(config: &Config, server: &Address, tls: Option<&SslOpts>) -> Opts {
    let mut options = OptsBuilder::default()
        .db_name(Some(&config.database))
        .prefer_socket(false)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .client_found_rows(true)
        .stmt_cache_size(0)
        // What is too much is refused before, and what is answered is as large as it is.
        .max_allowed_packet(Some(PACKET))
        .wait_timeout(Some(28_800))
        .ssl_opts(tls.cloned());
    if let Some(credentials) = &config.credentials {
        options = options
            .user(Some(&credentials.user))
            .pass(credentials.password.clone());
    }
    match server {
        Address::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
        Address::Unix { path, .. } => options.socket(Some(path.display().to_string())),
    }
    .into()
}

fn encryption(tls: &Tls) -> Result<SslOpts, Failure> {
    // The client takes what the process has chosen, and this is what the rest of us takes.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let roots = authorities(tls.ca.as_deref())?;
    let roots = roots
        .into_iter()
        .map(|authority| authority.as_ref().to_vec().into());
    let mut options = SslOpts::default()
        .with_disable_built_in_roots(true)
        .with_root_certs(roots.collect());
    if let Some((certificate, key)) = &tls.identity {
        // They are read with every connection, so a mistake is told now.
        everwarm_network::tls::configured(tls)?;
        let identity = ClientIdentity::new(certificate.clone().into(), key.clone().into());
        options = options.with_client_identity(Some(identity));
    }
    Ok(options)
}
