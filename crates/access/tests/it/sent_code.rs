//! Investors, who come in by a code that was sent to them.

use crate::door::{Door, ELSEWHERE, HERE, assert_refused, cookie, tokens};
use secrecy::{ExposeSecret, SecretString};
use squareoff_access::{AccessError, Challenge, Granted};
use squareoff_domain::ClientCode;
use squareoff_domain::people::{LogInKind, PersonEvent, Role, SecondFactor};

async fn begin(door: &Door, subject: &str, address: &str) -> Challenge {
    let visit = door.visit(address);
    door.access.begin_sent_code(subject, &visit).await.unwrap()
}

/// What is sent to the client, if anything.
async fn sent(door: &Door, challenge: &Challenge, client: &str) -> Option<String> {
    let (client, visit) = (client.parse::<ClientCode>().unwrap(), door.visit(HERE));
    let code = door.access.code_to_send(&challenge.id, &client, &visit);
    code.await
        .unwrap()
        .map(|code| code.expose_secret().to_owned())
}

async fn answer(door: &Door, challenge: &Challenge, code: &str) -> Result<Granted, AccessError> {
    let (id, code) = (challenge.id.expose_secret(), SecretString::from(code));
    let (access, visit) = (&door.access, door.visit(HERE));
    let log_in = access.log_in_with_sent_code(id, &code, LogInKind::Cookie, &visit);
    log_in.await
}

#[tokio::test]
async fn a_client_comes_in_by_the_code_that_was_sent_and_is_enrolled_once() {
    let door = Door::open();
    for round in 0..2 {
        let challenge = begin(&door, "C00042", HERE).await;
        let code = sent(&door, &challenge, "C00042").await.unwrap();
        let spaced = format!("{} {}", &code[..4], &code[4..]);
        let granted = answer(&door, &challenge, &spaced).await.unwrap();
        let found = door.of_cookie(&cookie(&granted)).unwrap();
        assert_eq!(found.role, Role::Investor);
        assert_eq!(found.client.unwrap().as_str(), "C00042");
        // Once.
        assert_refused(answer(&door, &challenge, &code).await);
        let told = door.events("investor-c00042").await;
        assert_eq!(told.len(), 2 + round, "enrolled once, then log-ins");
        assert!(matches!(
            told.last(),
            Some(PersonEvent::LoggedIn(told)) if told.second_factor == SecondFactor::SentCode
        ));
        door.pass(61);
    }
    // Whom an administrator disabled a phone does not let in.
    let operator = "investor-c00042".parse().unwrap();
    let admin = door.admin();
    let disabled = door
        .access
        .disable(&operator, "asked for it".into(), &admin);
    disabled.await.unwrap();
    let challenge = begin(&door, "C00042", HERE).await;
    let code = sent(&door, &challenge, "C00042").await.unwrap();
    assert_refused(answer(&door, &challenge, &code).await);
}

#[tokio::test]
async fn somebody_who_asks_for_codes_takes_none_away_from_the_client() {
    let door = Door::open();
    let theirs = begin(&door, "C00042", ELSEWHERE).await;
    let code = sent(&door, &theirs, "C00042").await.unwrap();
    for wrong in 0..5 {
        assert_refused(answer(&door, &theirs, &format!("{wrong:08}")).await);
    }
    // Five were tried on this challenge: the right one is no longer looked at.
    assert_refused(answer(&door, &theirs, &code).await);
    // The client asks too, is sent nothing new, and comes in with what is on the phone.
    let own = begin(&door, "C00042", HERE).await;
    assert_eq!(sent(&door, &own, "C00042").await, None);
    answer(&door, &own, &code).await.unwrap();
    // Who asks again and again from one address waits.
    for _ in 1..5 {
        begin(&door, "C00042", ELSEWHERE).await;
    }
    let visit = door.visit(ELSEWHERE);
    let locked = door.access.begin_sent_code("C00042", &visit).await;
    assert!(matches!(locked.err(), Some(AccessError::Locked { .. })));
}

#[tokio::test]
async fn a_code_of_another_client_or_an_older_one_is_refused() {
    let door = Door::open();
    let (one, other) = (
        begin(&door, "C00042", HERE).await,
        begin(&door, "C00043", HERE).await,
    );
    let code = sent(&door, &one, "C00042").await.unwrap();
    sent(&door, &other, "C00043").await.unwrap();
    assert_refused(answer(&door, &other, &code).await);
    // Nobody is named for it.
    let nobodys = begin(&door, "C99999", HERE).await;
    assert_refused(answer(&door, &nobodys, &code).await);
    door.pass(299);
    let late = begin(&door, "C00042", HERE).await;
    let newer = sent(&door, &late, "C00042").await.unwrap();
    assert_refused(answer(&door, &late, &code).await);
    door.pass(300);
    assert_refused(answer(&door, &late, &newer).await);
}

#[tokio::test]
async fn a_program_of_a_client_carries_tokens() {
    let door = Door::open();
    let challenge = begin(&door, "C00042", HERE).await;
    let code = sent(&door, &challenge, "C00042").await.unwrap();
    let (id, code) = (challenge.id.expose_secret(), SecretString::from(code));
    let visit = door.visit(HERE);
    let log_in = door
        .access
        .log_in_with_sent_code(id, &code, LogInKind::Token, &visit);
    let granted = log_in.await.unwrap();
    let found = door.of_access_token(&tokens(&granted).0).unwrap();
    assert_eq!(found.client.unwrap().as_str(), "C00042");
}
