//! `squareoff database`: the read database, laid out by its owner, so that no part that runs needs the right to.

use anyhow::{Context, Result};
use squareoff_projections::{Database, Part};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes the read models' tables or brings them to this release, and grants the roles of the API and the projections what they need.
    /// As the owner of the tables; once more changes nothing.
    Prepare {
        /// Makes the two roles first, without passwords. As a superuser, or who may make roles and owns the database.
        #[arg(long)]
        roles: bool,
    },
}

/// # Errors
/// Whatever keeps the command from being carried out, in one sentence.
pub async fn run(url: &str, command: Command) -> Result<()> {
    let database = Database::from_url(url).context("DATABASE_URL")?;
    let Command::Prepare { roles } = command;
    if roles {
        database.make_roles().await?;
        let (api, projections) = (Part::Api.role(), Part::Projections.role());
        println!(
            "the roles {api} and {projections} are there: give them passwords with \\password in psql"
        );
    }
    database.migrate().await?;
    println!("the read models are laid out as this release knows them");
    Ok(())
}
