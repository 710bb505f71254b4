//! `squareoff store serve`: the event log for clients of KurrentDB, such as an auditor's.

use crate::shutdown;
use anyhow::Result;
use squareoff_serve::{Options, Tls, Token, Write, start};
use squareoff_store::EventStore;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::sync::watch;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on. One that is not loopback needs a certificate, its key and a token.
    #[arg(long, default_value = "127.0.0.1:2113")]
    listen: SocketAddr,
    /// Lets clients append, past the rules of the platform: events of the types that this release knows, with bodies that it can read.
    #[arg(long)]
    write: bool,
    /// With --write: events of any type. Every role of the platform stops at one that it does not know: for a log that none of them reads.
    #[arg(long, requires = "write")]
    any_type: bool,
    /// Certificate chain, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// File with one line, which clients send as their password (with any user name) or as a bearer token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Serves until `stop` turns true.
///
/// # Errors
/// What can't be read, or is not safe to serve, in one sentence.
pub async fn run(
    store: EventStore,
    arguments: Arguments,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let options = Options {
        listen: arguments.listen,
        write: match (arguments.write, arguments.any_type) {
            (false, _) => Write::Nothing,
            (true, false) => Write::KnownEvents,
            (true, true) => Write::AnyEvents,
        },
        tls: arguments
            .tls_cert
            .zip(arguments.tls_key)
            .map(|(certificate, key)| Tls { certificate, key }),
        token: arguments
            .token_file
            .as_deref()
            .map(Token::read)
            .transpose()?,
    };
    let secure = options.tls.is_some();
    let server = start(store, options).await?;
    println!(
        "the event log is served at kurrentdb://{}{}",
        server.address(),
        if secure { "" } else { "?tls=false" }
    );
    shutdown::requested(stop).await;
    server.stop().await;
    Ok(())
}
