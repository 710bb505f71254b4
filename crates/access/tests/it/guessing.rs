//! Those who guess: they learn nothing, they are slowed down, and they keep nobody out.

use crate::door::{Door, ELSEWHERE, HERE, PASSWORD, assert_refused, code, recovery};
use squareoff_access::{AccessError, Factor};
use squareoff_domain::people::{LogInKind, Role};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use tracing::field::Field;
use tracing::{Metadata, Subscriber, span};

fn wait<T>(result: Result<T, AccessError>) -> Option<u32> {
    match result {
        Err(AccessError::Locked { wait_s }) => Some(wait_s),
        Err(AccessError::Refused) => None,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a guess was right"),
    }
}

/// The same answers in the same order, whether or not there is such an account and whatever is wrong with it.
#[tokio::test]
async fn an_unknown_account_answers_as_a_wrong_password_does() {
    let door = Door::open();
    door.ready("desk-asha", Role::Desk).await;
    door.enrol("desk-ravi", Role::Desk).await;
    door.ready("desk-gone", Role::Desk).await;
    let gone = "desk-gone".parse().unwrap();
    let admin = door.admin();
    let left = door.access.disable(&gone, "left".into(), &admin);
    left.await.unwrap();
    let accounts = [
        "desk-asha",
        "desk-ravi",
        "desk-gone",
        "desk-none",
        "no such name!",
        "",
    ];
    for account in accounts {
        let mut answers = Vec::new();
        for _ in 0..6 {
            let tried = door.try_with(account, "wrong", code("000000"), LogInKind::Cookie, HERE);
            answers.push(tried.await.err().unwrap().to_string());
        }
        let refused = "account, password or code is not right";
        let locked = "too many attempts failed: the next one in 61 s";
        assert_eq!(
            answers,
            [refused, refused, refused, refused, refused, locked],
            "{account}"
        );
    }
}

/// What costs the time is the hash: each of these has one made, of the same cost.
#[tokio::test]
async fn the_first_secret_of_an_unknown_account_answers_as_a_wrong_one_does() {
    let door = Door::open();
    door.enrol("desk-ravi", Role::Desk).await;
    door.ready("desk-asha", Role::Desk).await;
    for account in ["desk-ravi", "desk-asha", "desk-none"] {
        let password = secrecy::SecretString::from(PASSWORD);
        let visit = door.visit(HERE);
        let begun = door
            .access
            .begin_enrolment(account, "wrong", password, &visit);
        assert_refused(begun.await);
    }
}

#[tokio::test]
async fn a_guesser_elsewhere_does_not_lock_the_victim_out() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    for address in 0..4 {
        let address = format!("203.0.113.{address}");
        for _ in 0..5 {
            let tried = door.try_with(
                "desk-asha",
                "guess",
                code("000000"),
                LogInKind::Cookie,
                &address,
            );
            assert_eq!(wait(tried.await), None);
        }
        let tried = door.try_with(
            "desk-asha",
            "guess",
            code("000000"),
            LogInKind::Cookie,
            &address,
        );
        assert!(wait(tried.await).is_some());
    }
    door.log_in(&asha, LogInKind::Cookie).await;
    // The log, which keeps it for ever, is told once in a minute.
    let told = door.told("desk-asha").await;
    let locked = told.iter().filter(|one| *one == "LogInLockedOut").count();
    assert_eq!(locked, 1, "{told:?}");
}

#[tokio::test]
async fn waits_grow_are_bounded_and_end() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let guess = || {
        door.try_with(
            "desk-asha",
            "guess",
            code("000000"),
            LogInKind::Cookie,
            HERE,
        )
    };
    let mut waits = Vec::new();
    for _ in 0..5 {
        assert_eq!(wait(guess().await), None);
    }
    for _ in 0..6 {
        let wait_s = wait(guess().await).unwrap();
        waits.push(wait_s);
        door.pass(i64::from(wait_s));
        assert_eq!(wait(guess().await), None);
    }
    assert_eq!(waits, [61, 121, 241, 481, 901, 901]);
    // The victim at the same address waits as long, comes in, and begins anew.
    let wait_s = wait(guess().await).unwrap();
    door.pass(i64::from(wait_s));
    door.log_in(&asha, LogInKind::Cookie).await;
    assert_eq!(wait(guess().await), None);
}

#[tokio::test]
async fn whoever_knows_the_password_has_few_tries_at_the_code_and_the_victim_a_way_in() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let mut right = 0;
    for address in 0..8 {
        let address = format!("203.0.113.{address}");
        // Each a code that is not the one of now.
        let wrong = if asha.code(&door) == "000000" {
            "000001"
        } else {
            "000000"
        };
        let tried = door.try_with(
            "desk-asha",
            PASSWORD,
            code(wrong),
            LogInKind::Cookie,
            &address,
        );
        right += u32::from(tried.await.is_ok());
    }
    assert_eq!(right, 0);
    // The right code is not even looked at now, whoever has it ...
    let tried = door.try_with(
        "desk-asha",
        PASSWORD,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        HERE,
    );
    assert_refused(tried.await);
    // ... but a recovery code, which nobody guesses, is; and behind another password the code is too.
    let factor = recovery(&asha.recovery_codes[3]);
    let granted = door.try_with("desk-asha", PASSWORD, factor, LogInKind::Cookie, ELSEWHERE);
    let granted = granted.await.unwrap();
    let new = "five loud kingfishers";
    let visit = door.visit(ELSEWHERE);
    let changed = door
        .access
        .change_password(&granted.log_in, PASSWORD.into(), new.into(), &visit);
    changed.await.unwrap();
    door.pass(30);
    let tried = door.try_with(
        "desk-asha",
        new,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        ELSEWHERE,
    );
    tried.await.unwrap();
    let none = door.try_with("desk-asha", new, Factor::None, LogInKind::Cookie, ELSEWHERE);
    assert_refused(none.await);
}

/// Time would tell who has the right password, if one wrote more to the disk than the other.
#[tokio::test]
async fn a_wrong_password_writes_as_much_as_a_wrong_code() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let file = door.file();
    let counted = || -> u32 {
        file.query_row("select count(*) from failures", [], |row| row.get(0))
            .unwrap()
    };
    for (account, password, address) in [
        ("desk-asha", "not that of asha", "192.0.2.31"),
        ("desk-asha", PASSWORD, "192.0.2.32"),
        ("desk-nobody", PASSWORD, "192.0.2.33"),
    ] {
        let before = counted();
        let wrong = if asha.code(&door) == "000000" {
            "000001"
        } else {
            "000000"
        };
        let tried = door.try_with(account, password, code(wrong), LogInKind::Cookie, address);
        assert_refused(tried.await);
        // The account from the address, and the code of it or none.
        assert_eq!(counted(), before + 2, "{account} {password}");
    }
}

/// What is traced on this thread, as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("squareoff")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut lines = self.0.lock().unwrap();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            write!(lines, "{field}={value:?} ").unwrap();
        });
        lines.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_refused_log_in_is_a_line_that_names_no_secret() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let lines = Lines::default();
    let _on = tracing::subscriber::set_default(lines.clone());
    let right = asha.code(&door);
    for (account, password, given) in [
        ("desk-asha", "not that of asha", right.as_str()),
        ("desk-asha", PASSWORD, "000000"),
        // Somebody who is hasty types it into the first field.
        ("my-secret-words", PASSWORD, right.as_str()),
    ] {
        let tried = door.try_with(account, password, code(given), LogInKind::Cookie, HERE);
        assert_refused(tried.await);
    }
    let text = lines.0.lock().unwrap().clone();
    let refused = |line: &&str| line.contains("a log-in was refused");
    let found = Vec::from_iter(text.lines().filter(refused));
    assert_eq!(found.len(), 3, "{text}");
    assert!(found[0].contains("desk-asha") && found[1].contains("desk-asha"));
    assert!(found[2].contains("unknown"), "{text}");
    assert!(found.iter().all(|line| line.contains(HERE)), "{text}");
    for secret in ["my-secret-words", "not that of asha", PASSWORD, &right] {
        assert!(!text.contains(secret), "{text}");
    }
}
