//! How a connection is made: to the server that takes writes, with the tables of the store in it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use rustls::ClientConfig;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, NoTls, Notification, Socket};

use super::connection::Connection;
use super::encrypt::Encrypt;
use super::error::refused;
use super::schema::Names;
use crate::server::config::{Address, Config};
use crate::server::failure::{late, unexpected};
use crate::server::met::Met;

/// How much longer than to connect it may take to make tables.
const TABLES: u32 = 10;

/// What connections are made with.
pub(crate) struct Dialer {
    pub(crate) config: Arc<Config>,
    pub(crate) names: Arc<Names>,
    tls: Option<Arc<ClientConfig>>,
    /// The servers that were met.
    pub(crate) met: Met,
}

impl Dialer {
    /// One that has connected to nothing.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let tls = config.tls.as_ref().map(everwarm_network::tls::configured);
        Ok(Self {
            names: Arc::new(Names::of(&config)),
            tls: tls.transpose()?,
            met: Met::default(),
            config: Arc::new(config),
        })
    }

    /// That of a forked child.
    pub(crate) fn again(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            names: Arc::clone(&self.names),
            tls: self.tls.clone(),
            met: self.met.again(),
        }
    }

    /// A connection on which the store's statements can be asked. To be called on the process's runtime.
    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        let (client, task) = self.client(|_| {}).await?;
        let connection = Connection::new(client, Arc::clone(&self.names), task);
        Ok(connection)
    }

    /// A client whose notifications go to `hear`, and the task that carries what it asks.
    pub(crate) async fn client(
        &self,
        hear: impl FnMut(Notification) + Send + 'static,
    ) -> Result<(Client, AbortHandle), Failure> {
        let limit = self.config.connect_timeout;
        let made = match &self.tls {
            Some(tls) => {
                let tls = Encrypt(Arc::clone(tls));
                timeout(limit, self.connected(tls, hear)).await
            }
            None => timeout(limit, self.connected(NoTls, hear)).await,
        };
        let made = made.map_err(|_| late(&self.config.to_string()))?;
        let (client, task) = made?;
        let task = Ends(Some(task));
        // What is asked first is who answers, and whether the tables are there.
        let ready = timeout(limit * TABLES, self.prepare(&client)).await;
        ready.map_err(|_| late(&self.config.to_string()))??;
        Ok((client, task.lasts()))
    }

    async fn connected<T>(
        &self,
        tls: T,
        mut hear: impl FnMut(Notification) + Send + 'static,
    ) -> Result<(Client, AbortHandle), Failure>
    where
        T: MakeTlsConnect<Socket>,
        T::TlsConnect: Send,
        T::Stream: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connected = self.parameters().connect(tls).await;
        let (client, mut connection) = connected.map_err(|error| refused(&error))?;
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notification(notification) = message {
                    hear(notification);
                }
            }
        });
        Ok((client, task.abort_handle()))
    }

    fn parameters(&self) -> tokio_postgres::Config {
        let config = &self.config;
        let mut parameters = tokio_postgres::Config::new();
        for server in &config.servers {
            match server {
                Address::Tcp { host, port } => parameters.host(host).port(*port),
                Address::Unix { path, port } => parameters.host_path(path).port(*port),
            };
        }
        parameters
            .dbname(&config.database)
            .application_name("everwarm")
            .connect_timeout(config.connect_timeout)
            .tcp_user_timeout(4 * config.connect_timeout)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .ssl_mode(match self.tls {
                Some(_) => SslMode::Require,
                None => SslMode::Disable,
            });
        if let Some(credentials) = &config.credentials {
            parameters.user(&credentials.user);
            if let Some(password) = &credentials.password {
                parameters.password(password);
            }
        }
        parameters
    }

    async fn prepare(&self, client: &Client) -> Result<(), Failure> {
        // A statement sees what was done when it began, and what was waited for. All of ours are looks into an index, whatever is
        // asked for: to plan one anew each time takes the server longer than to run it.
        let [tables, functions] = self.names.all();
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&tables, Type::TEXT_ARRAY), (&functions, Type::TEXT_ARRAY)];
        let said = client.query_typed(
            "SELECT (SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($1) AS name)
                AND (SELECT bool_and(to_regproc(name) IS NOT NULL) FROM unnest($2) AS name),
                extract(epoch FROM pg_postmaster_start_time())::text,
                set_config('default_transaction_isolation', 'read committed', false),
                set_config('plan_cache_mode', 'force_generic_plan', false)",
            &values,
        );
        let said = said.await.map_err(|error| refused(&error))?;
        let row = said.first().ok_or_else(|| unexpected("a greeting"))?;
        let is_there: bool = row.get(0);
        // It says when it was started to the microsecond, which names it well enough.
        self.met.meet(row.get(1), Duration::ZERO);
        if is_there {
            return Ok(());
        }
        if !self.config.make_tables {
            return Err(Failure::new(
                FailureKind::Permanent,
                format!("there are no tables at {}", self.config),
                "have a DBA run what everwarm.ddl(url) prints, or leave make_tables=false out",
            ));
        }
        // Of several processes that come at once one makes them, and the others wait for it.
        let script = format!(
            "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{}', 0)); {} COMMIT;",
            self.names.channel(),
            self.names.ddl(),
        );
        client
            .batch_execute(&script)
            .await
            .map_err(|error| refused(&error))
    }
}

/// A task that ends with this, unless it is to last.
struct Ends(Option<AbortHandle>);

impl Ends {
    fn lasts(mut self) -> AbortHandle {
        self.0.take().expect("it was not taken yet")
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
