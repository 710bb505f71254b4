//! What administrators do about others.

use crate::door::{ADMIN, Door, HERE, PASSWORD, assert_refused, code, cookie, invitation, tokens};
use secrecy::ExposeSecret;
use squareoff_access::{AccessError, FirstSecret, NewPerson};
use squareoff_domain::people::{LogInKind, PersonRefusal, Role};
use squareoff_store::Caller;

#[tokio::test]
async fn whoever_is_disabled_is_out_at_once_and_comes_back_reinstated() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    let admin = door.admin();
    let left = door.access.disable(&asha.operator, "left".into(), &admin);
    left.await.unwrap();
    assert_eq!(door.of_cookie(&cookie(&granted)), None);
    let tried = door.try_with(
        "desk-asha",
        PASSWORD,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        HERE,
    );
    assert_refused(tried.await);
    let admin = door.admin();
    let back = door
        .access
        .reinstate(&asha.operator, "came back".into(), &admin);
    back.await.unwrap();
    assert_eq!(door.of_cookie(&cookie(&granted)), None);
    door.log_in(&asha, LogInKind::Cookie).await;
}

#[tokio::test]
async fn a_changed_role_ends_the_log_ins_and_holds_from_the_next_one() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let (access, refresh) = tokens(&granted);
    let (role, why) = (Role::Supervisor, "promoted".to_owned());
    let admin = door.admin();
    let changed = door.access.change_role(&asha.operator, role, why, &admin);
    changed.await.unwrap();
    assert_eq!(door.of_access_token(&access), None);
    assert_refused(door.access.refresh(&refresh, &door.visit(HERE)).await);
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    assert_eq!(
        door.of_cookie(&cookie(&granted)).unwrap().role,
        Role::Supervisor
    );
}

#[tokio::test]
async fn a_reset_throws_everything_away_and_hands_a_new_secret_over() {
    let door = Door::open();
    let first = invitation(&door.enrol("desk-asha", Role::Desk).await);
    let asha = door.set_up("desk-asha", &first).await;
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    let admin = door.admin();
    let reset = door
        .access
        .reset(&asha.operator, "lost the phone".into(), &admin);
    let second = invitation(&reset.await.unwrap().secret);
    assert_eq!(door.of_cookie(&cookie(&granted)), None);
    let tried = door.try_with(
        "desk-asha",
        PASSWORD,
        code(&asha.code(&door)),
        LogInKind::Cookie,
        HERE,
    );
    assert_refused(tried.await);
    let factor = crate::door::recovery(&asha.recovery_codes[0]);
    assert_refused(
        door.try_with("desk-asha", PASSWORD, factor, LogInKind::Cookie, HERE)
            .await,
    );
    // The first secret was used up long ago.
    let visit = door.visit(HERE);
    let begun = door
        .access
        .begin_enrolment("desk-asha", &first, PASSWORD.into(), &visit);
    assert_refused(begun.await);
    let asha = door.set_up("desk-asha", &second).await;
    door.log_in(&asha, LogInKind::Cookie).await;
}

#[tokio::test]
async fn a_first_secret_ends_after_a_day_and_a_weak_password_is_refused() {
    let door = Door::open();
    let secret = invitation(&door.enrol("desk-asha", Role::Desk).await);
    let begin = |password: &str| {
        let (access, secret, visit) = (door.access.clone(), secret.clone(), door.visit(HERE));
        let password = password.into();
        async move {
            access
                .begin_enrolment("desk-asha", &secret, password, &visit)
                .await
        }
    };
    for _ in 0..7 {
        let weak = begin("Squareoff@123").await;
        assert!(matches!(weak.err(), Some(AccessError::Password(_))));
    }
    door.pass(24 * 3600 - 1);
    begin(PASSWORD).await.unwrap();
    door.pass(1);
    assert_refused(begin(PASSWORD).await);
    // Without an app's first code the password alone opens nothing.
    let tried = door.try_with(
        "desk-asha",
        PASSWORD,
        code("000000"),
        LogInKind::Cookie,
        HERE,
    );
    assert_refused(tried.await);
}

#[tokio::test]
async fn everybody_is_listed_and_nobody_enrols_twice_or_changes_themselves() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    door.log_in(&asha, LogInKind::Cookie).await;
    door.enrol("desk-ravi", Role::Desk).await;
    door.enrol("machine-recon", Role::Machine).await;
    let everybody = door.access.everybody(door.now()).await.unwrap();
    let listed: Vec<_> = everybody
        .iter()
        .map(|one| (one.operator.as_str(), one.role, one.ready, one.log_ins))
        .collect();
    let expected = [
        ("desk-asha", Role::Desk, true, 1),
        ("desk-ravi", Role::Desk, false, 0),
        ("machine-recon", Role::Machine, true, 0),
    ];
    assert_eq!(listed, expected);
    let twice = NewPerson {
        operator: asha.operator.clone(),
        name: "Asha".into(),
        role: Role::Administrator,
        client: None,
        reason: "again".into(),
    };
    let refused = door.access.enrol(twice, &door.admin()).await.err();
    assert!(matches!(
        refused,
        Some(AccessError::Person(PersonRefusal::AlreadyEnrolled { .. }))
    ));
    let own = ADMIN.parse().unwrap();
    let admin = door.admin();
    let disabled = door.access.disable(&own, "mistake".into(), &admin);
    let refused = disabled.await.err();
    assert!(matches!(
        refused,
        Some(AccessError::Person(PersonRefusal::OwnRights))
    ));
}

/// A log-in that a crash left between the log and the secrets is ended at the next start.
#[tokio::test]
async fn a_start_ends_what_a_crash_left() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Cookie).await;
    // The log alone, as if the process had died behind it.
    door.disable_in_the_log_alone("desk-asha").await;
    assert!(door.of_cookie(&cookie(&granted)).is_some());
    door.another().settle(door.now()).await.unwrap();
    assert_eq!(door.of_cookie(&cookie(&granted)), None);
}

/// The disk took the event and not the account, as a crash between the two leaves it.
#[tokio::test]
async fn what_broke_off_between_log_and_secrets_is_finished_by_its_repetition() {
    let door = Door::open();
    let file = door.file();
    let full = |full: bool| {
        let statement = if full {
            "create trigger full before insert on accounts begin select raise(abort, 'disk full'); end"
        } else {
            "drop trigger full"
        };
        file.execute_batch(statement).unwrap();
    };
    for (name, role) in [("desk-asha", Role::Desk), ("machine-recon", Role::Machine)] {
        let person = || NewPerson {
            operator: name.parse().unwrap(),
            name: "Somebody".into(),
            role,
            client: None,
            reason: "joined".into(),
        };
        let operator = person().operator;
        let (enrolling, resetting) = (door.admin(), door.admin());
        full(true);
        let broken = door.access.enrol(person(), &enrolling).await;
        assert!(matches!(broken.err(), Some(AccessError::Secrets(_))));
        full(false);
        // By another process too, and a day later: what was never handed over has its day before it.
        door.pass(24 * 3600);
        let now = Caller {
            now: door.now(),
            ..enrolling
        };
        let given = door.another().enrol(person(), &now).await.unwrap();
        let again = door.access.enrol(person(), &now).await.unwrap();
        assert!(given.replayed && again.replayed);
        assert_eq!(told(&given.secret), told(&again.secret));
        full(true);
        let broken = door
            .access
            .reset(&operator, "lost".into(), &resetting)
            .await;
        assert!(matches!(broken.err(), Some(AccessError::Secrets(_))));
        // What the enrolment gave out is replaced, though nothing came in its place yet.
        let before = door.access.enrol(person(), &now).await.err();
        assert!(matches!(before, Some(AccessError::FirstSecretGone)));
        full(false);
        let reset = door
            .access
            .reset(&operator, "lost".into(), &resetting)
            .await;
        assert_ne!(told(&reset.unwrap().secret), told(&given.secret));
    }
    let everybody = door.access.everybody(door.now()).await.unwrap();
    assert_eq!(everybody.len(), 2);
}

/// The log and the access key alone, or the log and the file alone, are not what first secrets are made of.
#[tokio::test]
async fn a_first_secret_is_of_its_file_its_key_and_its_request() {
    let door = Door::open();
    let by = door.admin();
    let person = || NewPerson {
        operator: "desk-asha".parse().unwrap(),
        name: "Asha".into(),
        role: Role::Desk,
        client: None,
        reason: "joined".into(),
    };
    let first = told(&door.access.enrol(person(), &by).await.unwrap().secret);
    // Another installation with the same access key, and the same request there.
    let other = Door::open();
    std::fs::copy(
        door.folder().join("access.key"),
        other.folder().join("access.key"),
    )
    .unwrap();
    std::fs::remove_dir_all(other.folder().join("access")).unwrap();
    let given = other.another().enrol(person(), &by).await.unwrap();
    assert_ne!(told(&given.secret), first);
}

/// An invitation ends with its day, also for who repeats the request, and its use is seen.
#[tokio::test]
async fn a_secret_that_was_used_or_is_too_old_is_not_handed_over_again() {
    let door = Door::open();
    let (one, two) = (door.admin(), door.admin());
    let asha = "desk-asha".parse().unwrap();
    door.enrol("desk-asha", Role::Desk).await;
    let first = door.access.reset(&asha, "lost".into(), &one).await.unwrap();
    door.set_up("desk-asha", &invitation(&first.secret)).await;
    let again = door.access.reset(&asha, "lost".into(), &one).await.err();
    assert!(matches!(again, Some(AccessError::FirstSecretGone)));
    door.access.reset(&asha, "lost".into(), &two).await.unwrap();
    door.pass(24 * 3600 - 31);
    let again = |now| Caller { now, ..two.clone() };
    let in_time = again(door.now());
    door.access
        .reset(&asha, "lost".into(), &in_time)
        .await
        .unwrap();
    door.pass(31);
    let late = again(door.now());
    let late = door.access.reset(&asha, "lost".into(), &late).await.err();
    assert!(matches!(late, Some(AccessError::FirstSecretGone)));
}

fn told(secret: &FirstSecret) -> String {
    match secret {
        FirstSecret::Invitation { secret, .. } | FirstSecret::Password(secret) => {
            secret.expose_secret().to_owned()
        }
    }
}
