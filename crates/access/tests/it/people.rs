//! What administrators do about others.

use crate::door::{ADMIN, Door, HERE, PASSWORD, assert_refused, code, cookie, invitation, tokens};
use squareoff_access::{AccessError, NewPerson};
use squareoff_domain::people::{LogInKind, PersonRefusal, Role};

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
    let second = invitation(&reset.await.unwrap());
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
