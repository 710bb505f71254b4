//! What can go wrong with the private server: each a sentence for the operator.

use std::path::PathBuf;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ClusterError {
    #[error(
        "no PostgreSQL server programs (initdb, postgres) in {looked_in}; install them with `apt-get install postgresql`, or name their folder in SQUAREOFF_PG_BIN"
    )]
    NoBinaries { looked_in: String },
    #[error(
        "the server must not run as root and there is no system user `postgres` to run it as; create that user or start as an ordinary one"
    )]
    NoServerUser,
    #[error("another process already runs the database in {}", folder.display())]
    Taken { folder: PathBuf },
    #[error(
        "the data folder {} was made by PostgreSQL {found}, and the server found here is PostgreSQL {server}; install PostgreSQL {found}, or move the folder away (read models are rebuilt from the log)",
        folder.display()
    )]
    OldData {
        folder: PathBuf,
        found: String,
        server: u32,
    },
    #[error("the data folder {} is not one of PostgreSQL's: it has files but no PG_VERSION", folder.display())]
    NotAData { folder: PathBuf },
    #[error("the socket folder {} belongs to somebody else", folder.display())]
    SocketFolderTaken { folder: PathBuf },
    #[error("initdb failed: {reason}")]
    Initdb { reason: String },
    #[error("the database did not start: {reason} (its log: {})", log_file.display())]
    NotStarted { reason: String, log_file: PathBuf },
    #[error(
        "the database runs with {setting} = {value}: a crash could lose or tear what was committed; switch it on"
    )]
    NotDurable {
        setting: &'static str,
        value: String,
    },
    #[error("{doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the database answered with an error: {0}")]
    Sql(#[from] sqlx::Error),
}

impl ClusterError {
    /// For `map_err`: what was being done to which path.
    pub(super) fn io(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> ClusterError {
        let path = path.to_owned();
        move |source| ClusterError::Io {
            doing,
            path,
            source,
        }
    }
}
