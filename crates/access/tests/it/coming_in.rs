//! Coming in, staying, and ending it.

use crate::door::{
    ADMIN, Door, ELSEWHERE, HERE, PASSWORD, assert_refused, code, cookie, invitation, recovery,
    tokens,
};
use secrecy::{ExposeSecret, SecretString};
use squareoff_access::password::{INVESTOR, STAFF};
use squareoff_access::{AccessError, Carried, Factor, FirstSecret};
use squareoff_domain::people::{LogInKind, PersonEvent, Role, SecondFactor};

#[tokio::test]
async fn somebody_sets_up_a_password_and_an_app_and_comes_in() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    let found = door.of_cookie(&cookie(&granted)).unwrap();
    assert_eq!(found.operator.as_str(), "desk-asha");
    assert_eq!((found.role, found.kind), (Role::Desk, LogInKind::Cookie));
    assert_eq!(found.address, HERE);
    let expected = [
        "OperatorEnrolled",
        "PasswordSet",
        "SecondFactorEnrolled",
        "RecoveryCodesMade",
        "LoggedIn",
    ];
    assert_eq!(door.told("desk-asha").await, expected);
    assert_eq!(door.of_cookie("another"), None);
    assert_eq!(door.of_cookie(&"x".repeat(10_000)), None);
}

#[tokio::test]
async fn nothing_secret_is_in_the_log() {
    let door = Door::open();
    let secret = door.enrol("desk-asha", Role::Desk).await;
    let secret = invitation(&secret);
    let asha = door.set_up("desk-asha", &secret).await;
    let used = asha.code(&door);
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    let carried = cookie(&granted);
    let log = door.log_bytes();
    let holds = |text: &str| {
        log.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(holds("desk-asha") && holds("LoggedIn"));
    for secret in [&secret, PASSWORD, &carried, &asha.recovery_codes[0], &used] {
        assert!(!holds(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_code_counts_once_in_whichever_process() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let shown = asha.code(&door);
    let try_code = || door.try_with("desk-asha", PASSWORD, code(&shown), LogInKind::Cookie, HERE);
    try_code().await.unwrap();
    assert_refused(try_code().await);
    let visit = door.visit(ELSEWHERE);
    let credentials = squareoff_access::Credentials {
        account: "desk-asha".into(),
        password: SecretString::from(PASSWORD),
        factor: code(&shown),
    };
    let another = door.another();
    assert_refused(another.log_in(credentials, LogInKind::Cookie, &visit).await);
    // The code before is one of an earlier step, and no newer one.
    door.pass(30);
    let log_in = door.try_with("desk-asha", PASSWORD, code(&shown), LogInKind::Cookie, HERE);
    assert_refused(log_in.await);
    door.log_in(&asha, LogInKind::Cookie).await;
}

#[tokio::test]
async fn a_code_counts_once_when_it_comes_twice_at_once() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let shown = asha.code(&door);
    let try_code = || door.try_with("desk-asha", PASSWORD, code(&shown), LogInKind::Cookie, HERE);
    let (one, other) = tokio::join!(try_code(), try_code());
    assert_eq!(
        [one, other].iter().filter(|log_in| log_in.is_ok()).count(),
        1
    );
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_new_ones_end_the_old() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let first = recovery(&asha.recovery_codes[0].to_uppercase());
    let granted = door.try_with("desk-asha", PASSWORD, first, LogInKind::Cookie, HERE);
    let granted = granted.await.unwrap();
    let Some(PersonEvent::LoggedIn(told)) = door.events("desk-asha").await.pop() else {
        panic!("no log-in was told");
    };
    assert_eq!(told.second_factor, SecondFactor::RecoveryCode);
    assert_eq!(door.access.recovery_codes_left(&asha.operator).unwrap(), 9);
    let again = recovery(&asha.recovery_codes[0]);
    assert_refused(
        door.try_with("desk-asha", PASSWORD, again, LogInKind::Cookie, HERE)
            .await,
    );
    let visit = door.visit(HERE);
    let wrong =
        door.access
            .new_recovery_codes(&granted.log_in, SecretString::from("wrong"), &visit);
    assert!(matches!(
        wrong.await.err(),
        Some(AccessError::PasswordWrong)
    ));
    let made =
        door.access
            .new_recovery_codes(&granted.log_in, SecretString::from(PASSWORD), &visit);
    let codes = made.await.unwrap();
    let old = recovery(&asha.recovery_codes[1]);
    assert_refused(
        door.try_with("desk-asha", PASSWORD, old, LogInKind::Cookie, HERE)
            .await,
    );
    let new = recovery(codes[0].expose_secret());
    door.try_with("desk-asha", PASSWORD, new, LogInKind::Cookie, HERE)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_log_in_ends_idle_after_a_quarter_of_an_hour() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    let cookie = cookie(&granted);
    // Each request keeps it alive, noted by a task of its own.
    for _ in 0..3 {
        door.pass(14 * 60);
        let seen = door.of_cookie(&cookie).unwrap().seen_at;
        while door.of_cookie(&cookie).unwrap().seen_at == seen {
            tokio::task::yield_now().await;
        }
    }
    door.pass(15 * 60 - 1);
    let living = door.access.log_ins(Some(asha.operator.clone()), door.now());
    assert_eq!(living.await.unwrap().len(), 1);
    door.pass(1);
    assert_eq!(door.of_cookie(&cookie), None);
    let living = door.access.log_ins(None, door.now());
    assert_eq!(living.await.unwrap(), []);
}

#[tokio::test]
async fn a_log_in_ends_with_the_day_in_india_however_busy_it_is() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    door.pass(14 * 3600 + 50 * 60);
    let by_cookie = door.log_in(&asha, LogInKind::Cookie).await;
    let by_token = door.log_in(&asha, LogInKind::Token).await;
    let (cookie, (access, refresh)) = (cookie(&by_cookie), tokens(&by_token));
    // 23:58 and some seconds, then midnight.
    door.pass(7 * 60);
    assert!(door.of_cookie(&cookie).is_some());
    let refreshed = door
        .access
        .refresh(&refresh, &door.visit(HERE))
        .await
        .unwrap();
    let Carried::Tokens { access_s, .. } = &refreshed.carried else {
        panic!("no tokens");
    };
    assert!(*access_s < 180, "no longer than the log-in: {access_s}");
    door.pass(2 * 60);
    assert_eq!(door.of_cookie(&cookie), None);
    assert_eq!(door.of_access_token(&access), None);
    let (access, refresh) = tokens(&refreshed);
    assert_eq!(door.of_access_token(&access), None);
    assert_refused(door.access.refresh(&refresh, &door.visit(HERE)).await);
}

#[tokio::test]
async fn a_log_in_that_ended_is_refused_by_every_process_at_once() {
    let door = Door::open();
    let another = door.another();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(door.log_in(&asha, LogInKind::Cookie).await);
    }
    let there = |granted| another.of_cookie(&cookie(granted), door.now()).unwrap();
    assert!(cookies.iter().all(|granted| there(granted).is_some()));
    let visit = door.visit(HERE);
    assert!(
        door.access
            .log_out(&cookies[0].log_in, &visit)
            .await
            .unwrap()
    );
    assert!(
        !door
            .access
            .log_out(&cookies[0].log_in, &visit)
            .await
            .unwrap()
    );
    let id = cookies[1].log_in.id;
    // Not by somebody who may end only their own.
    let ravi = "desk-ravi".parse().unwrap();
    let foreign = door.access.revoke(id, Some(&ravi), "desk-ravi", &visit);
    assert!(matches!(
        foreign.await.err(),
        Some(AccessError::NoSuchLogIn)
    ));
    door.access.revoke(id, None, ADMIN, &visit).await.unwrap();
    let again = door.access.revoke(id, None, ADMIN, &visit);
    assert!(matches!(again.await.err(), Some(AccessError::NoSuchLogIn)));
    let live: Vec<_> = cookies
        .iter()
        .map(|granted| there(granted).is_some())
        .collect();
    assert_eq!(live, [false, false, true]);
    let told = door.told("desk-asha").await;
    assert_eq!(told[told.len() - 2..], ["LoggedOut", "LogInRevoked"]);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_log_ins() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let other = door.log_in(&asha, LogInKind::Token).await;
    let own = door.log_in(&asha, LogInKind::Cookie).await;
    let change = |old: &str, new: &str| {
        let (old, new) = (SecretString::from(old), SecretString::from(new));
        let (access, log_in, visit) = (door.access.clone(), own.log_in.clone(), door.visit(HERE));
        async move { access.change_password(&log_in, old, new, &visit).await }
    };
    let new = "five loud kingfishers";
    let wrong = change("wrong", new).await;
    assert!(matches!(wrong.err(), Some(AccessError::PasswordWrong)));
    let guessable = change(PASSWORD, "squareoff2026").await;
    assert!(matches!(guessable.err(), Some(AccessError::Password(_))));
    change(PASSWORD, new).await.unwrap();
    assert!(door.of_cookie(&cookie(&own)).is_some());
    assert_eq!(door.of_access_token(&tokens(&other).0), None);
    let old = door.try_with(
        "desk-asha",
        PASSWORD,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        HERE,
    );
    assert_refused(old.await);
    let log_in = door.try_with(
        "desk-asha",
        new,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        HERE,
    );
    log_in.await.unwrap();
}

#[tokio::test]
async fn another_app_counts_from_its_first_code_on() {
    let door = Door::open();
    let mut asha = door.ready("desk-asha", Role::Desk).await;
    let own = door.log_in(&asha, LogInKind::Cookie).await;
    let visit = door.visit(HERE);
    let none = SecretString::from(asha.code(&door));
    let nothing_begun = door
        .access
        .confirm_second_factor(&own.log_in, &none, &visit);
    assert!(matches!(
        nothing_begun.await.err(),
        Some(AccessError::CodeWrong)
    ));
    let begun = door
        .access
        .begin_second_factor(&own.log_in, SecretString::from(PASSWORD), &visit);
    let enrolment = begun.await.unwrap();
    let old_code = SecretString::from(asha.code(&door));
    let with_old = door
        .access
        .confirm_second_factor(&own.log_in, &old_code, &visit);
    assert!(matches!(with_old.await.err(), Some(AccessError::CodeWrong)));
    // Until it is confirmed the old one counts.
    let other = door.log_in(&asha, LogInKind::Cookie).await;
    assert!(door.of_cookie(&cookie(&other)).is_some());
    let visit = door.visit(HERE);
    let seed = crate::door::seed(enrolment.uri.expose_secret());
    let new_code = SecretString::from(squareoff_access::totp_code(&seed, door.now()));
    door.access
        .confirm_second_factor(&own.log_in, &new_code, &visit)
        .await
        .unwrap();
    // Whoever came in by the old one is out, but for who set up the new one.
    assert_eq!(door.of_cookie(&cookie(&other)), None);
    assert!(door.of_cookie(&cookie(&own)).is_some());
    door.pass(30);
    let old = door.try_with(
        "desk-asha",
        PASSWORD,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        HERE,
    );
    assert_refused(old.await);
    asha.replace_seed(seed);
    door.log_in(&asha, LogInKind::Cookie).await;
}

#[tokio::test]
async fn a_program_comes_in_with_its_password_and_tokens_alone() {
    let door = Door::open();
    let FirstSecret::Password(password) = door.enrol("machine-recon", Role::Machine).await else {
        panic!("a program gets a password");
    };
    let password = password.expose_secret();
    let with = |kind| door.try_with("machine-recon", password, Factor::None, kind, HERE);
    assert_refused(with(LogInKind::Cookie).await);
    let granted = with(LogInKind::Token).await.unwrap();
    let found = door.of_access_token(&tokens(&granted).0).unwrap();
    assert_eq!(found.role, Role::Machine);
    // A person needs a code, whatever the kind.
    door.ready("desk-asha", Role::Desk).await;
    let without = door.try_with("desk-asha", PASSWORD, Factor::None, LogInKind::Token, HERE);
    assert_refused(without.await);
}

#[tokio::test]
async fn a_password_hashed_at_another_cost_is_hashed_anew_by_coming_in() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let file = door.file();
    let stored = || -> String {
        let sql = "select password from accounts where operator = 'desk-asha'";
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // As an earlier release left it.
    let old = INVESTOR.hash(&SecretString::from(PASSWORD));
    let sql = "update accounts set password = ?1 where operator = 'desk-asha'";
    assert_eq!(file.execute(sql, [&old]).unwrap(), 1);
    assert!(STAFF.differs(&stored()));
    door.log_in(&asha, LogInKind::Cookie).await;
    let anew = stored();
    assert!(!STAFF.differs(&anew), "{anew}");
    // Which opens as the old one did, and stays as it is.
    door.pass(60);
    door.log_in(&asha, LogInKind::Cookie).await;
    assert_eq!(stored(), anew);
}
