//! `squareoff up`: everything on one machine, until it is told to stop.

use crate::config::{CallerVerification, Config};
use crate::shutdown;
use crate::stack::Stack;
use anyhow::Result;
use squareoff_api::DevelopmentKey;
use squareoff_domain::ClientCode;
use tokio::sync::watch;

/// The sample log-ins, beside that of the client in the commands.
const ACTORS: &[(&str, &str)] = &[
    ("desk-asha", "operations desk"),
    ("supervisor-ravi", "supervisor"),
    ("auditor-meera", "auditor"),
];

pub async fn run(config: Config, stop: watch::Receiver<bool>) -> Result<()> {
    let say = |step: &str| println!("· {step}");
    let starting = Stack::start(config, say);
    let mut stack = tokio::select! {
        stack = starting => stack?,
        () = shutdown::requested(stop.clone()) => {
            println!("stopped before everything was started");
            return Ok(());
        }
    };
    let failed = match banner(&stack).await {
        Err(error) => Some(error),
        Ok(banner) => {
            println!("{banner}");
            tokio::select! {
                () = shutdown::requested(stop) => None,
                error = stack.failed() => Some(error),
            }
        }
    };
    println!(
        "· stopping: the API first, then the bulk worker, the projections, the gateway, the exchange, the database"
    );
    stack.stop().await;
    match failed {
        None => {
            println!("· stopped, nothing is lost");
            Ok(())
        }
        Some(error) => Err(error),
    }
}

async fn banner(stack: &Stack) -> Result<String> {
    let key = DevelopmentKey::load_or_create(&stack.folder.development_key())?;
    let token = key.token(ACTORS[0].0)?;
    let url = &stack.url;
    let book = crate::book::read(&stack.folder.book())?;
    let example = book.positions.iter().find(|line| line.net_quantity.0 != 0);
    let investor = example.map(|line| format!("investor-{}", line.key.client).to_lowercase());
    let investor = investor.as_deref().map(|actor| (actor, "investor"));
    let logins = ACTORS
        .iter()
        .copied()
        .chain(investor)
        .map(|(actor, role)| Ok(format!("  {role:<16} {}\n", key.token(actor)?)))
        .collect::<Result<String>>()?;
    let commands = example.map_or_else(String::new, |line| {
        let (client, venue, symbol, product) = (&line.key.client, line.key.venue, &line.key.symbol, line.key.product);
        let verification = match stack.config.caller_verification {
            CallerVerification::Off => String::new(),
            CallerVerification::Required => verification(stack, client, &token),
        };
        format!(
            "\n{verification}\
             See a client's positions, close one of them, read the log:\n\n\
             curl -s -H 'Authorization: Bearer {token}' {url}/v1/clients/{client}/positions\n\n\
             curl -s -X POST -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \
             -H \"Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)\" {url}/v1/square-offs \
             -d '{{\"client_code\":\"{client}\",\"venue\":\"{venue}\",\"symbol\":\"{symbol}\",\"product\":\"{product}\",\"quantity\":\"all\"}}'\n\n\
             curl -s -H 'Authorization: Bearer {token}' '{url}/v1/streams/{stream}'\n",
            stream = line.key.stream().replace('&', "%26"),
        )
    });
    Ok(format!(
        "\nSquareoff is up: {url}\n\n\
         Sample log-ins (bearer tokens of the local development key):\n{logins}{commands}\n\
         Logs: {logs}. Ctrl-C stops everything in order.",
        logs = stack.folder.path().join("logs").display(),
    ))
}

/// Lets the desk act for the client. What the caller would tell is read from the book when the command runs: the terminal never shows it.
fn verification(stack: &Stack, client: &ClientCode, token: &str) -> String {
    let minutes = stack.config.caller_verification_minutes;
    let url = &stack.url;
    let clients = stack.folder.book().join("clients.csv");
    format!(
        "Verify who calls, so that the desk may act for them for {minutes} minutes (they tell what is in the book):\n\n\
         curl -s -X POST -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \
         -H \"Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)\" {url}/v1/clients/{client}/verifications \
         -d \"$(awk -F, '$1 == \"{client}\" {{ printf \"{{\\\"call_reference\\\":\\\"sample call\\\",\\\"pan\\\":\\\"%s\\\",\\\"date_of_birth\\\":\\\"%s\\\"}}\", $6, $9 }}' '{clients}')\"\n\n",
        clients = clients.display(),
    )
}
