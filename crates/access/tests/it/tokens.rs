//! What programs carry: access tokens, refresh tokens, and the keys that sign.

use crate::door::{Door, ELSEWHERE, HERE, assert_refused, cookie, tokens};
use squareoff_domain::people::{LogInKind, PersonEvent, Role};

#[tokio::test]
async fn a_refresh_token_counts_once_and_one_that_comes_twice_ends_the_log_in() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let other = door.log_in(&asha, LogInKind::Token).await;
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let (_, stolen) = tokens(&granted);
    let refreshed = door
        .access
        .refresh(&stolen, &door.visit(HERE))
        .await
        .unwrap();
    let (access, refresh) = tokens(&refreshed);
    assert_eq!(refreshed.log_in.id, granted.log_in.id);
    assert!(door.of_access_token(&access).is_some());
    // The thief comes second; whoever was first is out too.
    let another = door.another();
    assert_refused(another.refresh(&stolen, &door.visit(ELSEWHERE)).await);
    assert_eq!(door.of_access_token(&access), None);
    assert_refused(door.access.refresh(&refresh, &door.visit(HERE)).await);
    let Some(PersonEvent::RefreshTokenReused(told)) = door.events("desk-asha").await.pop() else {
        panic!("the theft was not told");
    };
    assert_eq!(
        (told.address.as_str(), told.log_in),
        (ELSEWHERE, granted.log_in.id)
    );
    // A log-in that has ended is told of once.
    assert_refused(door.access.refresh(&stolen, &door.visit(ELSEWHERE)).await);
    let reused = |told: Vec<String>| {
        told.iter()
            .filter(|one| *one == "RefreshTokenReused")
            .count()
    };
    assert_eq!(reused(door.told("desk-asha").await), 1);
    // Another log-in of theirs goes on.
    assert!(door.of_access_token(&tokens(&other).0).is_some());
    for none in ["", "another", &"x".repeat(10_000)] {
        assert_refused(door.access.refresh(none, &door.visit(HERE)).await);
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_at_once_ends_the_log_in_too() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let (_, refresh) = tokens(&granted);
    let visit = door.visit(HERE);
    let (one, other) = tokio::join!(
        door.access.refresh(&refresh, &visit),
        door.access.refresh(&refresh, &visit)
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
    let won = one.or(other).unwrap();
    assert_eq!(door.of_access_token(&tokens(&won).0), None);
}

#[tokio::test]
async fn an_access_token_lives_five_minutes_and_no_longer_than_its_log_in() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let (access, _) = tokens(&granted);
    // Half a minute went by in logging in.
    door.pass(269);
    assert!(door.of_access_token(&access).is_some());
    door.pass(1);
    assert_eq!(door.of_access_token(&access), None);
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let (access, _) = tokens(&granted);
    assert!(
        door.another()
            .of_access_token(&access, door.now())
            .unwrap()
            .is_some()
    );
    let visit = door.visit(HERE);
    door.access.log_out(&granted.log_in, &visit).await.unwrap();
    assert_eq!(door.of_access_token(&access), None);
}

#[tokio::test]
async fn keys_are_replaced_each_day_and_what_the_old_one_signed_lives_out() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let kids = || async {
        let keys = door.access.public_keys(door.now()).await.unwrap();
        Vec::from_iter(keys.into_iter().map(|key| key.kid))
    };
    let first = kids().await;
    assert_eq!(first.len(), 1);
    assert_eq!(kids().await, first);
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let second = door
        .access
        .rotate_signing_key(false, door.now())
        .await
        .unwrap();
    assert_eq!(kids().await, [second.clone(), first[0].clone()]);
    assert!(door.of_access_token(&tokens(&granted).0).is_some());
    // A key that leaked is not trusted for a moment longer.
    let granted = door.log_in(&asha, LogInKind::Token).await;
    let third = door
        .access
        .rotate_signing_key(true, door.now())
        .await
        .unwrap();
    assert_eq!(kids().await, std::slice::from_ref(&third));
    assert_eq!(door.of_access_token(&tokens(&granted).0), None);
    door.pass(24 * 3600);
    let fourth = kids().await;
    assert_eq!(fourth.len(), 2);
    assert_eq!(fourth[1], third);
    door.pass(361);
    assert_eq!(kids().await, fourth[..1]);
}

#[tokio::test]
async fn what_one_process_ends_is_refused_at_once_by_another_that_has_let_it_in_before() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let another = door.another();
    let by_token = door.log_in(&asha, LogInKind::Token).await;
    let by_cookie = door.log_in(&asha, LogInKind::Cookie).await;
    let ((access, _), cookie) = (tokens(&by_token), cookie(&by_cookie));
    let now = door.now();
    let lets_in = || {
        let token = another.of_access_token(&access, now).unwrap().is_some();
        let cookie = another.of_cookie(&cookie, now).unwrap().is_some();
        (token, cookie)
    };
    assert_eq!([lets_in(), lets_in()], [(true, true); 2]);
    let visit = door.visit(HERE);
    let ended = door.access.log_out(&by_cookie.log_in, &visit).await;
    assert!(ended.unwrap());
    assert_eq!(lets_in(), (true, false));
    let rotated = door.access.rotate_signing_key(true, now).await;
    rotated.unwrap();
    assert_eq!(lets_in(), (false, false));
}

#[tokio::test]
async fn a_cookie_is_no_access_token_and_the_other_way_round_also_where_they_were_let_in_before() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let (access, _) = tokens(&door.log_in(&asha, LogInKind::Token).await);
    let cookie = cookie(&door.log_in(&asha, LogInKind::Cookie).await);
    for _ in 0..2 {
        assert!(door.of_access_token(&access).is_some());
        assert!(door.of_cookie(&cookie).is_some());
        assert_eq!(door.of_access_token(&cookie), None);
        assert_eq!(door.of_cookie(&access), None);
    }
}

/// Nothing is committed while it is left alone, so that nothing but the clock tells.
#[tokio::test]
async fn a_log_in_that_was_left_idle_is_not_let_in_because_it_was_before() {
    let door = Door::open();
    let asha = door.ready("desk-asha", Role::Desk).await;
    let cookie = cookie(&door.log_in(&asha, LogInKind::Cookie).await);
    let another = door.another();
    let lets_in = || another.of_cookie(&cookie, door.now()).unwrap().is_some();
    assert!(lets_in());
    door.pass(14 * 60);
    assert!(lets_in());
    door.pass(2 * 60);
    assert!(!lets_in());
}
