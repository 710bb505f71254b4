//! Coming in over HTTP: by cookie and by tokens, and what is refused.

use crate::desk::{Desk, nifty};
use crate::listening::Listener;
use crate::node::{Node, answer, close_all, nowhere, secrets};
use crate::people::{Browser, PASSWORD, Somebody, first_secret, post, tokens};
use reqwest::Method;
use serde_json::{Value, json};
use squareoff_access::Access;
use squareoff_access::password::Hashing;
use squareoff_domain::people::Role;
use tokio::task::JoinSet;
use uuid::Uuid;

const LOG_IN: &str = "/v1/auth/login";

#[tokio::test]
async fn a_browser_comes_in_by_cookie_and_goes() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let body = json!({ "account": "Desk-Asha", "password": PASSWORD, "code": asha.next_code() });
    let logged_in = answer(post(&node, LOG_IN, &body)).await;
    assert_eq!(logged_in.header("cache-control"), Some("no-store"));
    let browser = Browser::of(&logged_in);
    let again = answer(post(&node, LOG_IN, &body)).await;
    again.assert_problem(401, "log-in-refused", "not right");
    let me = answer(browser.get(&node, "/v1/auth/me")).await;
    assert_eq!(me.body["operator"], "desk-asha");
    assert_eq!(me.body["role"], "desk");
    assert_eq!(me.body["session"]["session_id"], browser.session);
    assert_eq!(me.body["session"]["csrf_token"], browser.csrf);
    assert_eq!(me.body["session"]["recovery_codes_left"], 10);
    let out = answer(browser.ask(&node, Method::POST, "/v1/auth/logout")).await;
    assert_eq!(out.status, 204, "{}", out.text);
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(
        out.header("clear-site-data")
            .unwrap()
            .contains("\"storage\"")
    );
    let me = answer(browser.get(&node, "/v1/auth/me")).await;
    me.assert_problem(401, "unauthenticated", "ended");
}

/// Somebody else at the same desk, or the same one again.
#[tokio::test]
async fn a_browser_that_logs_in_again_leaves_no_log_in_behind() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let first = asha.browser(&node).await;
    let elsewhere = asha.browser(&node).await;
    let ravi = Somebody::ready(&node, "supervisor-ravi", Role::Supervisor).await;
    let me = async |browser: &Browser| answer(browser.get(&node, "/v1/auth/me")).await.status;
    let body =
        |code: String| json!({ "account": "supervisor-ravi", "password": PASSWORD, "code": code });
    // Whoever does not come in ends nobody's.
    let with = |body: &serde_json::Value| {
        node.anonymous(Method::POST, LOG_IN)
            .header("Cookie", &first.cookie)
            .json(body)
    };
    let refused = answer(with(&body("000000".into()))).await;
    assert_eq!((refused.status, me(&first).await), (401, 200));
    let second = answer(with(&body(ravi.next_code()))).await;
    let second = Browser::of(&second);
    assert_eq!(me(&second).await, 200);
    assert_eq!((me(&first).await, me(&elsewhere).await), (401, 200));
}

/// What a square-off's event says of who asked is who logged in.
#[tokio::test]
async fn whoever_is_logged_in_is_the_actor() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha2", Role::Desk).await;
    let browser = asha.browser(&node).await;
    let request = browser
        .ask(&node, Method::POST, "/v1/square-offs")
        .header("Idempotency-Key", Uuid::new_v4().to_string())
        .json(&close_all(&nifty()));
    let accepted = answer(request).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let stream = nifty().stream();
    let events = desk.store.read_stream(&stream, 1, 100).await.unwrap();
    assert_eq!(&*events.last().unwrap().actor, "desk-asha2");
}

#[tokio::test]
async fn a_log_in_that_ends_takes_its_live_stream_with_it_at_whichever_node() {
    let desk = Desk::open().await;
    let (node, other) = (Node::start(&desk).await, Node::start(&desk).await);
    let mut asha = Somebody::ready(&node, "desk-asha2", Role::Desk).await;
    let (ending, _) = asha.tokens(&node).await;
    let (staying, _) = asha.tokens(&node).await;
    let (mut ended, _) = Listener::open_at(&other.url, &ending).await;
    let (mut stays, _) = Listener::open_at(&other.url, &staying).await;
    let out = node.anonymous(Method::POST, "/v1/auth/logout");
    let out = answer(out.bearer_auth(&ending)).await;
    assert_eq!(out.status, 204, "{}", out.text);
    assert_eq!(ended.next().await.unwrap().name, "expelled");
    assert_eq!(ended.next().await, None);
    let frozen = desk.freezes(&nifty(), 1, 10).await;
    assert_eq!(stays.change_at(frozen).await.position(), frozen);
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let (browser, other) = (asha.browser(&node).await, asha.browser(&node).await);
    let ask = || {
        let body = json!({ "password": PASSWORD });
        post(&node, "/v1/auth/recovery-codes", &body).header("Cookie", &browser.cookie)
    };
    let before = desk.events_but_refusals().await;
    let without = answer(ask()).await;
    without.assert_problem(403, "csrf-token-wrong", "X-CSRF-Token");
    let foreign = answer(ask().header("X-CSRF-Token", &other.csrf)).await;
    foreign.assert_problem(403, "csrf-token-wrong", "X-CSRF-Token");
    let with = || ask().header("X-CSRF-Token", &browser.csrf);
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "https://evil.example"),
    ] {
        let foreign = answer(with().header(name, value)).await;
        foreign.assert_problem(403, "cross-origin", "same origin");
    }
    assert_eq!(desk.events_but_refusals().await, before);
    let own = answer(with().header("Origin", &node.url)).await;
    assert_eq!(own.status, 200, "{}", own.text);
    // A page of another site can't log its visitor in as somebody else, either.
    let log_in = post(&node, LOG_IN, &asha.body("cookie")).header("Sec-Fetch-Site", "cross-site");
    answer(log_in)
        .await
        .assert_problem(403, "cross-origin", "same origin");
}

#[tokio::test]
async fn a_program_goes_on_with_refresh_tokens_until_one_comes_twice() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let password = first_secret(&node, "machine-recon", Role::Machine).await;
    let body = json!({ "account": "machine-recon", "password": password, "mode": "token" });
    let (access, stolen) = tokens(&answer(post(&node, LOG_IN, &body)).await);
    let me = |token: &str| {
        answer(
            node.anonymous(Method::GET, "/v1/auth/me")
                .bearer_auth(token),
        )
    };
    let mine = me(&access).await;
    assert_eq!(mine.body["role"], "machine");
    assert_eq!(mine.body["session"]["csrf_token"], Value::Null);
    let refresh = |token: &str| {
        answer(post(
            &node,
            "/v1/auth/refresh",
            &json!({ "refresh_token": token }),
        ))
    };
    let (second, refreshed) = tokens(&refresh(&stolen).await);
    assert_eq!(me(&second).await.status, 200);
    refresh(&stolen)
        .await
        .assert_problem(401, "log-in-refused", "not right");
    for token in [&access, &second] {
        me(token)
            .await
            .assert_problem(401, "unauthenticated", "not valid");
    }
    refresh(&refreshed)
        .await
        .assert_problem(401, "log-in-refused", "not right");
    let keys = answer(node.anonymous(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!(keys.body["keys"][0]["crv"], "Ed25519");
    assert!(!keys.text.contains("seed"), "{}", keys.text);
    // A program has no use for a cookie.
    let body = json!({ "account": "machine-recon", "password": password });
    let by_cookie = answer(post(&node, LOG_IN, &body)).await;
    by_cookie.assert_problem(401, "log-in-refused", "not right");
}

#[tokio::test]
async fn nobody_learns_who_is_there_and_a_guesser_waits_alone() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let from = |address: &str, account: &str| {
        let body = json!({ "account": account, "password": "wrong", "code": "000000" });
        answer(post(&node, LOG_IN, &body).header("X-Forwarded-For", address))
    };
    for _ in 0..5 {
        let (known, unknown) = (
            from("192.0.2.7", "desk-asha").await,
            from("192.0.2.7", "desk-none").await,
        );
        known.assert_problem(401, "log-in-refused", "not right");
        assert_eq!(known.text, unknown.text);
    }
    for account in ["desk-asha", "desk-none"] {
        let locked = from("192.0.2.7", account).await;
        locked.assert_problem(429, "log-in-locked", "the next one in");
        let wait_s: u32 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=61).contains(&wait_s), "{wait_s}");
    }
    // Asha comes from elsewhere.
    asha.browser(&node).await;
}

#[tokio::test]
async fn a_sample_log_in_opens_nothing_where_none_is_allowed() {
    let desk = Desk::dormant().await;
    let mut app = Node::app(&desk, &nowhere());
    app.sample_log_ins = false;
    let node = Node::serving(&desk, app).await;
    let refused = node.get("/v1/auth/me").await;
    refused.assert_problem(401, "unauthenticated", "not valid");
    let sample = Node::start(&desk).await;
    let me = sample.get("/v1/auth/me").await;
    assert_eq!((me.status, &me.body["session"]), (200, &Value::Null));
    // It has no password to change.
    let body = json!({ "password": PASSWORD });
    let asked = sample
        .request(Method::POST, "/v1/auth/recovery-codes")
        .json(&body);
    answer(asked)
        .await
        .assert_problem(409, "sample-log-in", "no password");
}

#[tokio::test]
async fn a_malformed_log_in_repeats_no_secret() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    for body in [
        json!({ "account": "desk-asha", "password": 4711, "code": "123456" }),
        json!({ "account": "desk-asha", "password": ["4711"] }),
        json!({ "account": "desk-asha", "password": "4711", "code": 4711 }),
        json!({ "account": "desk-asha", "pasword": "4711" }),
        json!({ "account": "desk-asha", "password": "4711", "mode": "both" }),
    ] {
        let refused = answer(post(&node, LOG_IN, &body)).await;
        refused.assert_problem(400, "malformed-request", "");
        assert!(!refused.text.contains("4711"), "{}", refused.text);
    }
}

/// Whoever had put their own seed into the file could come in by it; so nobody does, and those inside stay.
#[tokio::test]
async fn a_secrets_file_that_was_altered_lets_nobody_in_and_nobody_out() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let browser = asha.browser(&node).await;
    let file = desk.folder().join("access/secrets.db");
    let hand = rusqlite::Connection::open(file).unwrap();
    let put = "update accounts set totp_seed = zeroblob(64) where operator = 'desk-asha'";
    assert_eq!(hand.execute(put, []).unwrap(), 1);
    let before = desk.events_but_refusals().await;
    let refused = answer(post(&node, LOG_IN, &asha.body("cookie"))).await;
    refused.assert_problem(503, "log-in-unavailable", "may go on");
    assert!(!refused.text.contains("secrets.db"), "{}", refused.text);
    assert_eq!(desk.events_but_refusals().await, before);
    let me = answer(browser.get(&node, "/v1/auth/me")).await;
    assert_eq!(me.body["operator"], "desk-asha", "{}", me.text);
    // A process that has no such file at all.
    let mut app = Node::app(&desk, &nowhere());
    app.access = None;
    let closed = Node::serving(&desk, app).await;
    let refused = answer(post(&closed, LOG_IN, &asha.body("cookie"))).await;
    refused.assert_problem(503, "log-in-unavailable", "may go on");
}

/// A failover: more come than are hashed. Who is told to come again does, and everybody comes in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_log_ins_is_answered_and_loses_nobody() {
    const PEOPLE: usize = 12;
    let desk = Desk::dormant().await;
    let app = Node::app(&desk, &nowhere());
    let secrets = secrets(&desk);
    let hashing = Hashing::with_limits(1, 3);
    let access = Access::new(secrets, hashing, app.store.clone());
    let node = std::sync::Arc::new(Node::serving(&desk, app.with_access(access, true)).await);
    let mut programs = Vec::new();
    for number in 0..PEOPLE {
        let name = format!("machine-{number}");
        let password = first_secret(&node, &name, Role::Machine).await;
        programs.push((name, password));
    }
    let mut storm = JoinSet::new();
    for (number, (name, password)) in programs.into_iter().enumerate() {
        let node = std::sync::Arc::clone(&node);
        storm.spawn(async move {
            let body = json!({ "account": name, "password": password, "mode": "token" });
            let mut told_to_wait = 0;
            loop {
                let request = post(&node, LOG_IN, &body);
                let address = format!("192.0.2.{number}");
                let answered = answer(request.header("X-Forwarded-For", address)).await;
                if answered.status == 200 {
                    return told_to_wait;
                }
                answered.assert_problem(503, "log-in-busy", "too many");
                told_to_wait += 1;
            }
        });
    }
    let told: Vec<usize> = storm.join_all().await;
    assert_eq!(told.len(), PEOPLE);
    assert!(
        told.iter().sum::<usize>() > 0,
        "twelve at once find four places"
    );
}
