//! The API in a process of its own, on a day that is open: contracts, clients, positions, operators that are logged in as programs are.

use crate::day::{self, OPERATORS, caller, operator};
use crate::desk::fill;
use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use squareoff_access::password::Hashing;
use squareoff_access::{
    Access, Carried, Credentials, Factor, FirstSecret, KeySource, NewPerson, Secrets, Visit,
    totp_code,
};
use squareoff_api::bulk::SessionClose;
use squareoff_api::server::now;
use squareoff_api::{App, DevelopmentKey, Settings};
use squareoff_domain::people::{LogInKind, Role};
use squareoff_projections::Database;
use squareoff_store::EventStore;
use std::path::Path;

const PASSWORD: &str = "three quiet herons";

/// Serves a new log in a folder, until standard input ends. Prints the address, then each operator's access token. `args`: the folder.
pub fn run(args: &[String]) -> Result<()> {
    let [folder] = args else {
        bail!("requests-serve is started by `requests`")
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let folder = Path::new(folder);
        let store = EventStore::open(&folder.join("log"))?;
        fill(&store, 0).await?;
        day::open(&store).await?;
        let key = KeySource::FileMadeOnce(folder.join("access.key"));
        let access = Access::new(
            Secrets::open(&folder.join("access"), &key)?,
            Hashing::start(),
            store.clone(),
        );
        let mut tokens = vec![];
        for number in 0..OPERATORS {
            tokens.push(token_of(&access, &operator(number)).await?);
        }
        // Nothing here is asked of the read models.
        let reads = Database::from_url("postgres://nobody@127.0.0.1:1/nothing")?.pool(1);
        let settings = Settings {
            reference_age_max_s: 86_400,
            venue_message_rate: 100,
            caller_verification: true,
            approval_notional: Some(500_000_000_000),
            caller_verification_minutes: 15,
            session_close: SessionClose::default(),
        };
        tokio::spawn(day::keep_session(store.clone()));
        let key = DevelopmentKey::load_or_create(&folder.join("development.key"))?;
        let app = App::start(store, reads, key, settings).with_access(access, false);
        app.live.begun().await;
        let listener = squareoff_api::listen("127.0.0.1:0".parse()?, None)?;
        println!("{}", listener.local_addr()?);
        tokens.iter().for_each(|token| println!("{token}"));
        let ended = tokio::task::spawn_blocking(|| {
            let _ = std::io::stdin().lines().count();
        });
        squareoff_api::serve(listener, app, None, async { drop(ended.await) }).await;
        Ok(())
    })
}

/// Enrolled and logged in, with one access token.
async fn token_of(access: &Access, operator: &str) -> Result<String> {
    let person = NewPerson {
        operator: operator.parse()?,
        name: "Somebody of the desk".into(),
        role: Role::Desk,
        client: None,
        reason: "bench".into(),
    };
    let given = access.enrol(person, &caller("bench")).await?;
    let FirstSecret::Invitation { secret, .. } = given.secret else {
        bail!("an operator of the desk is invited")
    };
    let visit = || Visit {
        address: "127.0.0.1".into(),
        epoch: 1,
        now: now(),
    };
    let secret = secret.expose_secret();
    let password = || SecretString::from(PASSWORD);
    let app = access
        .begin_enrolment(operator, secret, password(), &visit())
        .await?;
    let code = totp_code(&seed_of(app.uri.expose_secret())?, now()).into();
    let codes = access
        .confirm_enrolment(operator, secret, &code, &visit())
        .await?;
    let credentials = Credentials {
        account: operator.to_owned(),
        password: password(),
        factor: Factor::RecoveryCode(codes.into_iter().next().context("a recovery code")?),
    };
    let granted = access
        .log_in(credentials, LogInKind::Token, &visit())
        .await?;
    match granted.carried {
        Carried::Tokens { access, .. } => Ok(access.expose_secret().to_owned()),
        Carried::Cookie { .. } => bail!("a program is given tokens"),
    }
}

/// What the authenticator app reads out of the picture: Base32, RFC 4648.
fn seed_of(uri: &str) -> Result<Vec<u8>> {
    let secret = uri
        .split("secret=")
        .nth(1)
        .and_then(|rest| rest.split('&').next());
    let (mut bits, mut held, mut seed) = (0_u32, 0, vec![]);
    for letter in secret.context("a secret")?.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => bail!("no Base32"),
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            seed.push(u8::try_from((bits >> held) & 0xff)?);
        }
    }
    Ok(seed)
}
