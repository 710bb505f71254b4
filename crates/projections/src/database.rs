//! The read database: how to reach it, and its migrations.

use crate::cluster::{ClusterError, check_durable};
use crate::origin::{OriginError, checkpoint_in};
use crate::rights::{self, Part};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use squareoff_store::EventStore;
use std::time::Duration;
use thiserror::Error;
use tokio_rustls::rustls::crypto;

/// Schema of the read models that are served.
pub(crate) const LIVE: &str = "read_live";
/// Schema in which a rebuild works.
pub(crate) const NEXT: &str = "read_next";

/// Where a swap puts the read models that were live, until it drops them.
pub(crate) const OLD: &str = "read_old";

/// A query that gets no connection for so long is answered as an outage; people don't wait longer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the read database can't be used as it is.
#[derive(Debug, Error)]
pub enum DatabaseError {
    #[error("the read models' migrations failed: {0}")]
    Migrate(#[from] MigrateError),
    /// For who may not lay out the tables.
    #[error(
        "the read models are not laid out as this release knows them: run `squareoff database prepare` as their owner"
    )]
    NotPrepared,
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the read database answered with an error: {0}")]
    Sql(#[from] sqlx::Error),
}

impl DatabaseError {
    /// Whether trying again later may help: the database is away, rather than unfit.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            DatabaseError::Sql(_) | DatabaseError::Cluster(ClusterError::Sql(_)) => true,
            DatabaseError::Migrate(error) => matches!(error, MigrateError::Execute(_)),
            DatabaseError::NotPrepared | DatabaseError::Cluster(_) => false,
        }
    }
}

/// Where the read database is. Cheap to clone; connects only when asked.
#[derive(Debug, Clone)]
pub struct Database {
    options: PgConnectOptions,
}

impl Database {
    pub fn new(options: PgConnectOptions) -> Self {
        // With sslmode=verify-ca sqlx takes the process's provider, and panics when it has to choose between two that are compiled in. An
        // error says that there is one already.
        let _ = crypto::aws_lc_rs::default_provider().install_default();
        Database { options }
    }

    /// From a `DATABASE_URL`.
    ///
    /// # Errors
    /// When it is no URL of a Postgres database.
    pub fn from_url(url: &str) -> Result<Self, sqlx::Error> {
        Ok(Database::new(url.parse()?))
    }

    /// For the queries of this crate: at most `connections_max`, opened when they are needed, again after an outage.
    pub fn pool(&self, connections_max: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(self.options_in(LIVE))
    }

    /// The same database, asked in the role of a part.
    pub fn of_part(&self, part: Part) -> Self {
        Database::new(self.options.clone().username(part.role()))
    }

    /// Makes the roles of the parts, unless they are there. Needs a role that may.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`]; also when a role of that name may more than its part needs.
    pub async fn make_roles(&self) -> Result<(), DatabaseError> {
        let mut connection = self.connect(LIVE).await?;
        rights::make_roles(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Makes or updates the live tables, and grants the parts' roles what they need; does nothing when all is as this release knows it.
    /// A role that may not lay them out only looks. Refuses a database that is not durable.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        let mut connection = self.connect(LIVE).await?;
        check_durable(&mut connection).await?;
        if rights::may_migrate(&mut connection, LIVE).await? {
            migrate(&mut connection, LIVE).await?;
            rights::grant(&mut connection).await?;
        } else if !rights::is_migrated(&mut connection, &migrations()).await? {
            return Err(DatabaseError::NotPrepared);
        }
        Ok(connection.close().await?)
    }

    /// Makes sure that the live tables, which must be migrated, are of this log or of none yet.
    ///
    /// # Errors
    /// [`OriginError`].
    pub async fn check_origin(&self, store: &EventStore) -> Result<(), OriginError> {
        let mut connection = self.connect(LIVE).await?;
        checkpoint_in(store, &mut connection).await?;
        Ok(connection.close().await?)
    }

    pub(crate) async fn connect(&self, schema: &str) -> Result<PgConnection, sqlx::Error> {
        self.options_in(schema).connect().await
    }

    /// Table names carry no schema in our SQL: the connection says which is meant. Optional filters (`$1 IS NULL OR ...`) need a
    /// plan made for the values at hand.
    fn options_in(&self, schema: &str) -> PgConnectOptions {
        let options = [
            ("search_path", schema),
            ("plan_cache_mode", "force_custom_plan"),
            ("timezone", "UTC"),
        ];
        self.options
            .clone()
            .application_name("squareoff")
            .options(options)
    }
}

fn migrations() -> Migrator {
    sqlx::migrate!("./migrations")
}

/// Each schema keeps its own record of migrations, so that it stays true when the schema is renamed.
pub(crate) async fn migrate(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<(), MigrateError> {
    let mut migrator = migrations();
    // Quoted, because the name of an auditor's copy may be a word of SQL's own.
    migrator.create_schema(format!("\"{schema}\""));
    migrator.run_direct(None, connection, false).await
}
