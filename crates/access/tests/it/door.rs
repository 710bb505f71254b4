//! The rig: one door, people at it, and the clock.

use rusqlite::Connection;
use secrecy::{ExposeSecret, SecretString};
use squareoff_access::password::Hashing;
use squareoff_access::{
    Access, AccessError, Carried, Credentials, Factor, FirstSecret, Granted, KeySource, LogIn,
    NewPerson, Secrets, SecretsError, Visit, totp_code,
};
use squareoff_domain::people::{
    self, LogInKind, Person, PersonAsk, PersonEvent, PersonRefusal, PersonRequest, Role,
};
use squareoff_domain::{Event, OperatorId, RequestId, Timestamp};
use squareoff_store::{Caller, EventStore, Streams, codec};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-11-20 09:00 in India.
const MORNING_S: i64 = 1_795_145_400;
pub const PASSWORD: &str = "three quiet herons";
pub const HERE: &str = "192.0.2.7";
pub const ELSEWHERE: &str = "198.51.100.9";
pub const ADMIN: &str = "admin-ravi";

pub struct Door {
    folder: TempDir,
    store: EventStore,
    pub access: Access,
    now: AtomicI64,
}

/// Somebody who has set up what they come in with.
pub struct Ready {
    pub operator: OperatorId,
    seed: Vec<u8>,
    pub recovery_codes: Vec<String>,
}

impl Ready {
    pub fn seed(&self) -> &[u8] {
        &self.seed
    }

    pub fn code(&self, door: &Door) -> String {
        totp_code(&self.seed, door.now())
    }

    /// They have another app now.
    pub fn replace_seed(&mut self, seed: Vec<u8>) {
        self.seed = seed;
    }
}

/// The secrets file of a folder, and its key beside it.
pub fn secrets_in(folder: &Path) -> Result<Secrets, SecretsError> {
    let key = KeySource::FileMadeOnce(folder.join("access.key"));
    Secrets::open(&folder.join("access"), &key)
}

impl Door {
    pub fn open() -> Self {
        Self::hashing(Hashing::with_limits(2, 62))
    }

    pub fn hashing(hashing: Hashing) -> Self {
        let folder = TempDir::new().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let secrets = secrets_in(folder.path()).unwrap();
        let access = Access::new(secrets, hashing, store.clone());
        Door {
            folder,
            store,
            access,
            now: AtomicI64::new(MORNING_S),
        }
    }

    /// Nothing has the secrets file open any more.
    pub fn close(self) -> (TempDir, EventStore, i64) {
        (self.folder, self.store, self.now.into_inner())
    }

    pub fn with(folder: TempDir, store: EventStore, access: Access, now: i64) -> Self {
        Door {
            folder,
            store,
            access,
            now: AtomicI64::new(now),
        }
    }

    /// Another process's door on the same files.
    pub fn another(&self) -> Access {
        let store = EventStore::open(&self.folder.path().join("log")).unwrap();
        let secrets = secrets_in(self.folder.path()).unwrap();
        Access::new(secrets, Hashing::with_limits(1, 7), store)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of secrets, past all that guards it.
    pub fn file(&self) -> Connection {
        Connection::open(self.folder().join("access/secrets.db")).unwrap()
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed) * 1_000_000_000)
    }

    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn visit(&self, address: &str) -> Visit {
        Visit {
            address: address.into(),
            epoch: 1,
            now: self.now(),
        }
    }

    pub fn admin(&self) -> Caller {
        let id = Uuid::now_v7();
        Caller {
            actor: ADMIN.into(),
            request_id: id,
            correlation_id: id,
            epoch: 1,
            now: self.now(),
        }
    }

    pub async fn enrol(&self, name: &str, role: Role) -> FirstSecret {
        let person = NewPerson {
            operator: name.parse().unwrap(),
            name: format!("Somebody called {name}"),
            role,
            client: None,
            reason: "joined".into(),
        };
        let given = self.access.enrol(person, &self.admin()).await;
        given.unwrap().secret
    }

    /// Enrolled, with password and app set up.
    pub async fn ready(&self, name: &str, role: Role) -> Ready {
        let secret = self.enrol(name, role).await;
        self.set_up(name, &invitation(&secret)).await
    }

    pub async fn set_up(&self, name: &str, secret: &str) -> Ready {
        let visit = self.visit(HERE);
        let password = SecretString::from(PASSWORD);
        let begun = self.access.begin_enrolment(name, secret, password, &visit);
        let enrolment = begun.await.unwrap();
        let seed = seed(enrolment.uri.expose_secret());
        let code = SecretString::from(totp_code(&seed, self.now()));
        let confirmed = self.access.confirm_enrolment(name, secret, &code, &visit);
        let codes = confirmed.await.unwrap();
        // The code of this step is used up.
        self.pass(30);
        Ready {
            operator: name.parse().unwrap(),
            seed,
            recovery_codes: codes
                .iter()
                .map(|code| code.expose_secret().to_owned())
                .collect(),
        }
    }

    pub async fn try_with(
        &self,
        account: &str,
        password: &str,
        factor: Factor,
        kind: LogInKind,
        address: &str,
    ) -> Result<Granted, AccessError> {
        let credentials = Credentials {
            account: account.into(),
            password: SecretString::from(password),
            factor,
        };
        let visit = self.visit(address);
        self.access.log_in(credentials, kind, &visit).await
    }

    /// With the right password and code.
    pub async fn log_in(&self, ready: &Ready, kind: LogInKind) -> Granted {
        let granted = self
            .try_with(
                ready.operator.as_str(),
                PASSWORD,
                code(&ready.code(self)),
                kind,
                HERE,
            )
            .await;
        // The next one needs the next code.
        self.pass(30);
        granted.unwrap()
    }

    /// As a request does.
    fn asks(&self, found: Option<LogIn>) -> Option<LogIn> {
        found.inspect(|log_in| self.access.note_seen(log_in, self.now()))
    }

    pub fn of_cookie(&self, cookie: &str) -> Option<LogIn> {
        self.asks(self.access.of_cookie(cookie, self.now()).unwrap())
    }

    pub fn of_access_token(&self, token: &str) -> Option<LogIn> {
        self.asks(self.access.of_access_token(token, self.now()).unwrap())
    }

    /// The types of somebody's events, in order.
    pub async fn told(&self, operator: &str) -> Vec<String> {
        let events = self.events(operator).await;
        events
            .iter()
            .map(|event| {
                codec::encode(&Event::Person(event.clone()))
                    .event_type
                    .into()
            })
            .collect()
    }

    pub async fn events(&self, operator: &str) -> Vec<PersonEvent> {
        let stream = format!("operator-{operator}");
        let stored = self.store.read_stream(&stream, 1, 1_000).await.unwrap();
        let person = |stored| match codec::decode(stored).unwrap() {
            Event::Person(event) => event,
            other => panic!("{other:?}"),
        };
        stored.iter().map(person).collect()
    }

    pub async fn disable_in_the_log_alone(&self, operator: &str) {
        let caller = self.admin();
        let request = PersonRequest {
            request_id: RequestId(caller.request_id),
            by: ADMIN.into(),
            operator: operator.parse().unwrap(),
            ask: PersonAsk::Disable {
                reason: "left".into(),
            },
        };
        let people = Streams::<Person>::new(self.store.clone());
        let decide = |person: &Person| Ok((people::decide(person, request.clone())?, ()));
        people
            .transact::<_, PersonRefusal>(&format!("operator-{operator}"), &caller, decide)
            .await
            .unwrap();
    }

    /// Every byte that the log holds.
    pub fn log_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path().join("log")).unwrap();
        files
            .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }
}

pub fn code(text: &str) -> Factor {
    Factor::Code(SecretString::from(text))
}

pub fn recovery(text: &str) -> Factor {
    Factor::RecoveryCode(SecretString::from(text))
}

pub fn invitation(secret: &FirstSecret) -> String {
    match secret {
        FirstSecret::Invitation { secret, .. } => secret.expose_secret().to_owned(),
        FirstSecret::Password(_) => panic!("a program has no invitation"),
    }
}

pub fn cookie(granted: &Granted) -> String {
    match &granted.carried {
        Carried::Cookie { cookie, .. } => cookie.expose_secret().to_owned(),
        Carried::Tokens { .. } => panic!("no cookie"),
    }
}

/// Access and refresh token.
pub fn tokens(granted: &Granted) -> (String, String) {
    match &granted.carried {
        Carried::Tokens {
            access, refresh, ..
        } => (
            access.expose_secret().to_owned(),
            refresh.expose_secret().to_owned(),
        ),
        Carried::Cookie { .. } => panic!("no tokens"),
    }
}

/// The seed that an app takes out of the address.
pub fn seed(uri: &str) -> Vec<u8> {
    let (_, rest) = uri.split_once("secret=").unwrap();
    let (secret, _) = rest.split_once('&').unwrap();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut held, mut seed) = (0_u32, 0, Vec::new());
    for letter in secret.bytes() {
        let value = letters.iter().position(|known| *known == letter).unwrap();
        bits = (bits << 5) | u32::try_from(value).unwrap();
        held += 5;
        if held >= 8 {
            held -= 8;
            seed.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    seed
}

#[track_caller]
pub fn assert_refused<T>(result: Result<T, AccessError>) {
    assert!(matches!(result.err(), Some(AccessError::Refused)));
}
