//! What each part may do in the read database, by a role of its own there.
//!
//! | role | is of | may |
//! |---|---|---|
//! | the owner | migrations, rebuild | everything: the schema and its tables are its own |
//! | `squareoff_projections` | the projections | read and write rows |
//! | `squareoff_api` | the API | read |
//!
//! 1. `deploy/postgres-roles.sql` makes the two roles; a database without them works too, and everybody is the owner there.
//! 2. Rights are granted behind each migration, and in the transaction that swaps a rebuild in: no moment of it has tables that the API can't
//!    read or may write.
//! 3. What was granted beyond the table above is taken back at the next migration.
//!
//! An auditor's copy is its owner's alone.

use crate::write::{LOCK_CLASS, LOCK_RIGHTS};
use sqlx::migrate::Migrator;
use sqlx::{Executor, PgConnection};

/// Makes the roles; once more changes nothing.
const ROLES: &str = include_str!("../../../../deploy/postgres-roles.sql");
const GRANT: &str = include_str!("grant.sql");

// They stand in `grant.sql` as numbers.
const _: () = assert!(LOCK_CLASS == 21_329 && LOCK_RIGHTS == 5);

/// A part that has a role of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Api,
    Projections,
}

impl Part {
    /// The name of its role.
    pub const fn role(self) -> &'static str {
        match self {
            Part::Api => "squareoff_api",
            Part::Projections => "squareoff_projections",
        }
    }
}

pub(crate) async fn make_roles(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(ROLES).await?;
    Ok(())
}

/// In the connection's schema.
pub(crate) async fn grant(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(GRANT).await?;
    Ok(())
}

/// Whether the connection's role may make or alter the live tables.
pub(crate) async fn may_migrate(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<bool, sqlx::Error> {
    let asked = "SELECT CASE
        WHEN to_regnamespace($1::text) IS NULL THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege($1::text, 'CREATE')
    END";
    sqlx::query_scalar(asked)
        .bind(schema)
        .fetch_one(connection)
        .await
}

/// Whether the tables of the connection's schema are as this release makes them.
pub(crate) async fn is_migrated(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<bool, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(false);
    }
    let done: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version",
    )
    .fetch_all(connection)
    .await?;
    let known = migrator
        .iter()
        .map(|migration| (migration.version, migration.checksum.to_vec()));
    Ok(known.eq(done))
}
