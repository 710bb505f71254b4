//! Somebody with a password, an app and recovery codes, as a test of the API has them; and what administrators do about them.

use crate::desk::Desk;
use crate::node::{Answer, Node, answer};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use squareoff_access::{FirstSecret, NewPerson, totp_code};
use squareoff_api::server::now;
use squareoff_domain::Timestamp;
use squareoff_domain::people::Role;
use squareoff_store::Caller;
use std::collections::VecDeque;
use uuid::Uuid;

pub const PASSWORD: &str = "three quiet herons";

pub struct Somebody {
    pub name: String,
    pub recovery_codes: VecDeque<String>,
    otpauth_uri: String,
}

/// What a browser holds.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
    pub session: String,
}

/// As the command line enrols the first administrator.
pub async fn first_secret(node: &Node, name: &str, role: Role) -> String {
    let id = Uuid::now_v7();
    let caller = Caller {
        actor: "operator".into(),
        request_id: id,
        correlation_id: id,
        epoch: 1,
        now: now(),
    };
    let person = NewPerson {
        operator: name.parse().unwrap(),
        name: format!("Somebody called {name}"),
        role,
        client: None,
        reason: "joined".into(),
    };
    let access = node.app.access.as_ref().unwrap();
    use secrecy::ExposeSecret;
    match access.enrol(person, &caller).await.unwrap().secret {
        FirstSecret::Invitation { secret, .. } => secret.expose_secret().to_owned(),
        FirstSecret::Password(password) => password.expose_secret().to_owned(),
    }
}

impl Somebody {
    pub async fn ready(node: &Node, name: &str, role: Role) -> Self {
        let secret = first_secret(node, name, role).await;
        Self::set_up(node, name, &secret).await
    }

    /// Over HTTP, as whoever was handed the secret does it.
    pub async fn set_up(node: &Node, name: &str, secret: &str) -> Self {
        let body = json!({ "account": name, "secret": secret, "password": PASSWORD });
        let begun = answer(post(node, "/v1/auth/enrolment", &body)).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        assert_eq!(begun.header("cache-control"), Some("no-store"));
        let otpauth_uri = begun.body["otpauth_uri"].as_str().unwrap().to_owned();
        assert!(begun.body["qr_svg"].as_str().unwrap().contains("<svg"));
        let code = code_of(&otpauth_uri, now());
        let body = json!({ "account": name, "secret": secret, "code": code });
        let confirmed = answer(post(node, "/v1/auth/enrolment/confirm", &body)).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        let codes = confirmed.body["recovery_codes"].as_array().unwrap().iter();
        Somebody {
            name: name.into(),
            recovery_codes: codes
                .map(|code| code.as_str().unwrap().to_owned())
                .collect(),
            otpauth_uri,
        }
    }

    /// The code of the next step: that of this one was used when the app was set up.
    pub fn next_code(&self) -> String {
        code_of(&self.otpauth_uri, Timestamp(now().0 + 30_000_000_000))
    }

    /// The body of a log-in with another recovery code each time.
    pub fn body(&mut self, mode: &str) -> Value {
        let code = self.recovery_codes.pop_front().unwrap();
        json!({ "account": self.name, "password": PASSWORD, "recovery_code": code, "mode": mode })
    }

    pub async fn browser(&mut self, node: &Node) -> Browser {
        let body = self.body("cookie");
        Browser::of(&answer(post(node, "/v1/auth/login", &body)).await)
    }

    /// Access and refresh token.
    pub async fn tokens(&mut self, node: &Node) -> (String, String) {
        let body = self.body("token");
        tokens(&answer(post(node, "/v1/auth/login", &body)).await)
    }
}

pub fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("set-cookie"), None);
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

impl Browser {
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let set = answer.header("set-cookie").unwrap();
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict");
        assert!(pair.starts_with("__Host-squareoff="), "{pair}");
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        Browser {
            cookie: pair.to_owned(),
            csrf: text("csrf_token"),
            session: text("session_id"),
        }
    }

    pub fn get(&self, node: &Node, path: &str) -> RequestBuilder {
        node.anonymous(Method::GET, path)
            .header("Cookie", &self.cookie)
    }

    /// As a page of ours asks.
    pub fn ask(&self, node: &Node, method: Method, path: &str) -> RequestBuilder {
        node.anonymous(method, path)
            .header("Cookie", &self.cookie)
            .header("X-CSRF-Token", &self.csrf)
            .header("Sec-Fetch-Site", "same-origin")
    }

    pub fn keyed(&self, node: &Node, key: &str, path: &str, body: &Value) -> RequestBuilder {
        let request = self.ask(node, Method::POST, path);
        request.header("Idempotency-Key", key).json(body)
    }
}

fn another_key() -> String {
    Uuid::new_v4().to_string()
}

pub fn post(node: &Node, path: &str, body: &Value) -> RequestBuilder {
    node.anonymous(Method::POST, path).json(body)
}

/// What the app shows.
fn code_of(otpauth_uri: &str, at: Timestamp) -> String {
    let (_, rest) = otpauth_uri.split_once("secret=").unwrap();
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
    totp_code(&seed, at)
}

#[tokio::test]
async fn an_administrator_enrols_lists_promotes_and_disables() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut kiran = Somebody::ready(&node, "admin-kiran", Role::Administrator).await;
    let admin = kiran.browser(&node).await;
    let ask = |path: &str, body: Value| answer(admin.keyed(&node, &another_key(), path, &body));
    let new =
        json!({ "operator": "desk-asha", "name": "Asha", "role": "desk", "reason": "joined" });
    let enrolled = ask("/v1/operators", new.clone()).await;
    assert_eq!(enrolled.status, 201, "{}", enrolled.text);
    let secret = enrolled.body["secret"].as_str().unwrap();
    let mut asha = Somebody::set_up(&node, "desk-asha", secret).await;
    let (access, _) = asha.tokens(&node).await;
    ask("/v1/operators", new)
        .await
        .assert_problem(409, "operator-exists", "desk-asha");
    let program = json!({ "operator": "machine-recon", "name": "Reconciliation", "role": "machine", "reason": "nightly" });
    let program = ask("/v1/operators", program).await;
    assert!(program.body["password"].is_string(), "{}", program.text);

    let list = async || {
        let listed = answer(admin.get(&node, "/v1/operators")).await;
        let rows = listed.body["operators"].as_array().unwrap().clone();
        let row = |row: &Value| {
            format!(
                "{} {} {} {}",
                row["operator"], row["role"], row["disabled"], row["sessions"]
            )
        };
        Vec::from_iter(rows.iter().map(row))
    };
    let expected = [
        r#""admin-kiran" "administrator" false 1"#,
        r#""desk-asha" "desk" false 1"#,
        r#""machine-recon" "machine" false 0"#,
    ];
    assert_eq!(list().await, expected);

    let as_asha = |method, path: &str| node.anonymous(method, path).bearer_auth(&access);
    answer(as_asha(Method::GET, "/v1/operators"))
        .await
        .assert_problem(403, "not-allowed", "desk");
    let because = json!({ "reason": "left" });
    let own = ask("/v1/operators/admin-kiran/disable", because.clone()).await;
    own.assert_problem(409, "own-rights", "another administrator");
    let unknown = ask("/v1/operators/desk-none/disable", because.clone()).await;
    unknown.assert_problem(404, "unknown-operator", "desk-none");
    let silent = ask("/v1/operators/desk-asha/disable", json!({ "reason": " " })).await;
    silent.assert_problem(422, "reason-missing", "reason");

    assert_eq!(
        answer(as_asha(Method::GET, "/v1/auth/me")).await.status,
        200
    );
    let disabled = ask("/v1/operators/desk-asha/disable", because).await;
    assert_eq!(disabled.status, 204, "{}", disabled.text);
    answer(as_asha(Method::GET, "/v1/auth/me"))
        .await
        .assert_problem(401, "unauthenticated", "token");
    let refused = answer(post(&node, "/v1/auth/login", &asha.body("token"))).await;
    refused.assert_problem(401, "log-in-refused", "not right");
    assert_eq!(list().await[1], r#""desk-asha" "desk" true 0"#);
    let back = ask(
        "/v1/operators/desk-asha/reinstate",
        json!({ "reason": "came back" }),
    )
    .await;
    assert_eq!(back.status, 204, "{}", back.text);
    let role = json!({ "role": "supervisor", "reason": "promoted" });
    assert_eq!(ask("/v1/operators/desk-asha/role", role).await.status, 204);
    let (access, _) = asha.tokens(&node).await;
    let me = answer(
        node.anonymous(Method::GET, "/v1/auth/me")
            .bearer_auth(access),
    )
    .await;
    assert_eq!(me.body["role"], "supervisor");
    let reset = ask(
        "/v1/operators/desk-asha/reset",
        json!({ "reason": "lost the phone" }),
    )
    .await;
    let again = reset.body["secret"].as_str().unwrap();
    Somebody::set_up(&node, "desk-asha", again).await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_on_whichever_node() {
    let desk = Desk::dormant().await;
    let (node, other) = (Node::start(&desk).await, Node::start(&desk).await);
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let mut kiran = Somebody::ready(&node, "admin-kiran", Role::Administrator).await;
    let (one, two) = (asha.browser(&node).await, asha.browser(&other).await);
    let admin = kiran.browser(&node).await;
    let sessions = async |browser: &Browser| {
        let listed = answer(browser.get(&other, "/v1/sessions")).await;
        let rows = listed.body["sessions"].as_array().unwrap().clone();
        let row = |row: &Value| {
            (
                row["session_id"].as_str().unwrap().to_owned(),
                row["current"] == true,
            )
        };
        Vec::from_iter(rows.iter().map(row))
    };
    let mut own = sessions(&one).await;
    own.sort();
    let mut expected = vec![(one.session.clone(), true), (two.session.clone(), false)];
    expected.sort();
    assert_eq!(own, expected);
    assert_eq!(sessions(&admin).await.len(), 3);
    let end = async |browser: &Browser, session: &str| {
        let path = format!("/v1/sessions/{session}");
        answer(browser.ask(&node, Method::DELETE, &path)).await
    };
    // Somebody else's is as unknown as none.
    end(&one, &admin.session)
        .await
        .assert_problem(404, "unknown-session", "ended");
    end(&one, &Uuid::nil().to_string())
        .await
        .assert_problem(404, "unknown-session", "ended");
    end(&one, "none")
        .await
        .assert_problem(400, "invalid-parameter", "session_id");
    assert_eq!(answer(two.get(&other, "/v1/auth/me")).await.status, 200);
    assert_eq!(end(&one, &two.session).await.status, 204);
    let me = answer(two.get(&other, "/v1/auth/me")).await;
    me.assert_problem(401, "unauthenticated", "ended");
    assert_eq!(end(&admin, &one.session).await.status, 204);
    let me = answer(one.get(&other, "/v1/auth/me")).await;
    me.assert_problem(401, "unauthenticated", "ended");
}

#[tokio::test]
async fn what_cannot_be_done_to_people_or_with_a_password_is_refused_by_name() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut kiran = Somebody::ready(&node, "admin-kiran", Role::Administrator).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let (admin, own) = (kiran.browser(&node).await, asha.browser(&node).await);
    let of_people = |path: &str, body: Value| {
        let path = format!("/v1/operators{path}");
        answer(admin.keyed(&node, &another_key(), &path, &body))
    };
    let new = |operator: &str, name: &str, role: &str, client: Value| json!({ "operator": operator, "name": name, "role": role, "client_code": client, "reason": "joined" });
    let (no, why) = (Value::Null, json!({ "reason": "x" }));
    #[rustfmt::skip]
    let lines = [
        ("", new("desk-ravi", "a\u{1b}b", "desk", no.clone()), 422, "operator-name-invalid", "name"),
        ("", new("investor-c00001", "Asha", "desk", no.clone()), 422, "operator-client-mismatch", "investor"),
        ("", new("investor-c00001", "Asha", "investor", json!("C00002")), 422, "operator-client-mismatch", "investor"),
        ("", new("desk-ravi", "Ravi", "desk", json!("C00001")), 422, "operator-client-mismatch", "investor"),
        ("/desk-asha/role", json!({ "role": "desk", "reason": "x" }), 409, "operator-has-role", "desk already"),
        ("/desk-asha/reinstate", why.clone(), 409, "operator-not-disabled", "desk-asha"),
    ];
    for (path, body, status, code, word) in lines {
        of_people(path, body)
            .await
            .assert_problem(status, code, word);
    }
    let with_own = |path: &str, body: Value| {
        let path = format!("/v1/auth/{path}");
        answer(own.ask(&node, Method::POST, &path).json(&body))
    };
    let change = |old: &str, new: &str| json!({ "password": old, "new_password": new });
    let app = json!({ "password": PASSWORD });
    assert_eq!(with_own("second-factor", app).await.status, 200);
    #[rustfmt::skip]
    let lines = [
        ("password", change(PASSWORD, "passwordpassword"), "password-unfit", "tried first"),
        ("password", change(PASSWORD, "short"), "password-unfit", "characters"),
        ("password", change("not this one", "four loud herons"), "password-wrong", "not your password"),
        ("recovery-codes", json!({ "password": "not this one" }), "password-wrong", "not your password"),
        ("second-factor/confirm", json!({ "code": "000000" }), "code-wrong", "code"),
    ];
    for (path, body, code, word) in lines {
        with_own(path, body).await.assert_problem(422, code, word);
    }
    // Nothing of it has changed anything.
    assert_eq!(
        answer(own.get(&node, "/v1/auth/me")).await.body["role"],
        "desk"
    );
    assert_eq!(
        of_people("/desk-asha/disable", why.clone()).await.status,
        204
    );
    of_people("/desk-asha/disable", why).await.assert_problem(
        409,
        "operator-disabled",
        "desk-asha",
    );
}

const ADMIN: &str = "admin-kiran";

fn new_person(operator: &str, role: &str) -> Value {
    json!({ "operator": operator, "name": "Somebody", "role": role, "reason": "joined" })
}

async fn ask_of(node: &Node, key: &str, path: &str, body: &Value) -> Answer {
    let path = format!("/v1/operators{path}");
    answer(node.ask_as(ADMIN, key, &path, body)).await
}

#[track_caller]
fn assert_repeats(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert!(again.is_repetition() && !first.is_repetition());
}

fn given<'a>(answer: &'a Answer, field: &str) -> &'a str {
    let text = answer.body[field].as_str();
    text.unwrap_or_else(|| panic!("{}", answer.text))
}

#[tokio::test]
async fn an_enrolment_asked_again_hands_the_same_secret_over_for_as_long_as_it_counts() {
    let desk = Desk::dormant().await;
    let (node, other) = (Node::start(&desk).await, Node::start(&desk).await);
    let asha = new_person("desk-asha", "desk");
    let first = ask_of(&node, "enrol", "", &asha).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let head = desk.head().await;
    for node in [&node, &other] {
        assert_repeats(&ask_of(node, "enrol", "", &asha).await, &first);
    }
    assert_eq!(desk.head().await, head);
    let secret = given(&first, "secret");
    assert_eq!(secret.len(), 43);
    // The log holds nothing that it could be made of without the access key.
    let holds = |stored: &squareoff_store::StoredEvent| {
        String::from_utf8_lossy(&stored.body).contains(secret)
    };
    assert!(!desk.log().await.iter().any(holds));

    Somebody::set_up(&node, "desk-asha", secret).await;
    let used = ask_of(&node, "enrol", "", &asha).await;
    used.assert_problem(409, "first-secret-gone", "was used");
    let why = json!({ "reason": "lost the phone" });
    let reset = ask_of(&node, "reset", "/desk-asha/reset", &why).await;
    assert_repeats(
        &ask_of(&other, "reset", "/desk-asha/reset", &why).await,
        &reset,
    );
    let again = ask_of(&node, "another", "/desk-asha/reset", &why).await;
    let secrets = [&first, &reset, &again].map(|answer| given(answer, "secret"));
    assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets[0] != secrets[2]);
    let replaced = ask_of(&node, "reset", "/desk-asha/reset", &why).await;
    replaced.assert_problem(409, "first-secret-gone", "was replaced");
    Somebody::set_up(&node, "desk-asha", secrets[2]).await;
}

#[tokio::test]
async fn a_program_gets_the_same_password_again_until_it_has_another() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let program = new_person("machine-recon", "machine");
    let first = ask_of(&node, "enrol", "", &program).await;
    assert_repeats(&ask_of(&node, "enrol", "", &program).await, &first);
    let password = given(&first, "password");
    let body = json!({ "account": "machine-recon", "password": password, "mode": "token" });
    let (access, _) = tokens(&answer(post(&node, "/v1/auth/login", &body)).await);
    let body = json!({ "password": password, "new_password": "four loud herons" });
    let changed = post(&node, "/v1/auth/password", &body).bearer_auth(access);
    assert_eq!(answer(changed).await.status, 204);
    let gone = ask_of(&node, "enrol", "", &program).await;
    gone.assert_problem(409, "first-secret-gone", "was replaced");
}

#[tokio::test]
async fn what_is_asked_again_of_people_changes_nothing_and_ends_no_newer_session() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let why = json!({ "reason": "promoted" });
    let role = json!({ "role": "supervisor", "reason": "promoted" });
    #[rustfmt::skip]
    let asks = [("role", &role), ("disable", &why), ("reinstate", &why)];
    let mut first = Vec::new();
    for (what, body) in asks {
        let answer = ask_of(&node, what, &format!("/desk-asha/{what}"), body).await;
        assert_eq!((answer.status, &*answer.text), (204, ""));
        first.push(answer);
    }
    // Behind all of it they come in again, as what they are now.
    let (access, _) = asha.tokens(&node).await;
    let head = desk.head().await;
    for ((what, body), first) in asks.into_iter().zip(&first) {
        let again = ask_of(&node, what, &format!("/desk-asha/{what}"), body).await;
        assert_repeats(&again, first);
    }
    assert_eq!(desk.head().await, head);
    let me = node
        .anonymous(Method::GET, "/v1/auth/me")
        .bearer_auth(access);
    assert_eq!(answer(me).await.body["role"], "supervisor");
}

#[tokio::test]
async fn a_key_of_an_administrator_is_of_one_request_and_is_needed() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let other = Node::start(&desk).await;
    let why = json!({ "reason": "left" });
    let first = ask_of(&node, "one", "", &new_person("desk-asha", "desk")).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let second = ask_of(&node, "two", "", &new_person("desk-ravi", "desk")).await;
    assert_eq!(second.status, 201, "{}", second.text);
    other.knows(desk.head().await).await;
    let ask = |node: &Node, key: &str, path: &str, body: &Value| {
        node.ask_as(ADMIN, key, &format!("/v1/operators{path}"), body)
    };
    let reused = |what, request| (what, request, 422, "idempotency-key-reused", "used before");
    let missing = |path: &str| {
        let request = node.request_as(ADMIN, Method::POST, path).json(&why);
        (
            "no key",
            request,
            400,
            "idempotency-key-missing",
            "Idempotency-Key",
        )
    };
    let renamed =
        json!({ "operator": "desk-asha", "name": "Asha", "role": "desk", "reason": "joined" });
    #[rustfmt::skip]
    let lines = vec![
        reused("another name", ask(&node, "one", "", &renamed)),
        reused("another role", ask(&node, "one", "", &new_person("desk-asha", "supervisor"))),
        reused("another person", ask(&node, "one", "", &new_person("desk-leela", "desk"))),
        reused("another person, at another node", ask(&other, "one", "", &new_person("desk-leela", "desk"))),
        reused("something else", ask(&node, "one", "/desk-asha/disable", &why)),
        reused("something else of somebody else", ask(&node, "one", "/desk-ravi/disable", &why)),
        missing("/v1/operators/desk-asha/role"),
        missing("/v1/operators/desk-asha/disable"),
        missing("/v1/operators/desk-asha/reinstate"),
        missing("/v1/operators/desk-asha/reset"),
    ];
    crate::node::assert_refused(&desk, lines).await;
    // Another administrator's key of the same text is another request.
    let leela = node.ask_as(
        "admin-leela",
        "one",
        "/v1/operators/desk-asha/disable",
        &why,
    );
    assert_eq!(answer(leela).await.status, 204);
}

#[tokio::test]
async fn the_same_enrolment_at_once_is_one_and_all_get_the_same_secret() {
    let desk = Desk::dormant().await;
    let nodes = [Node::start(&desk).await, Node::start(&desk).await];
    for person in [
        new_person("desk-asha", "desk"),
        new_person("machine-recon", "machine"),
    ] {
        let name = person["operator"].as_str().unwrap();
        let asks = (0..8).map(|number| ask_of(&nodes[number % 2], name, "", &person));
        let answers = futures::future::join_all(asks).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.text), (201, &answers[0].text));
        }
        let stream = format!("operator-{name}");
        let events = desk.store.read_stream(&stream, 1, 10).await.unwrap();
        assert_eq!(events.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn what_was_asked_on_the_sight_of_somebody_who_has_changed_since_is_refused() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut asha = Somebody::ready(&node, "desk-asha", Role::Desk).await;
    let shown = async || {
        let request = node.request_as(ADMIN, Method::GET, "/v1/operators/desk-asha");
        let shown = answer(request).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        let tag = shown.header("etag").unwrap().to_owned();
        assert_eq!(tag, format!("\"{}\"", shown.body["version"]));
        (tag, shown.body)
    };
    let ask = |key: &str, what: &str, body: &Value, tag: &str| {
        let path = format!("/v1/operators/desk-asha/{what}");
        let request = node.ask_as(ADMIN, key, &path, body);
        answer(request.header("If-Match", tag.to_owned()))
    };
    let (seen, body) = shown().await;
    assert_eq!(
        (&body["role"], &body["ready"], &body["sessions"]),
        (&json!("desk"), &json!(true), &json!(0))
    );
    // A log-in is a version of the stream, and nothing that administrators decide on.
    asha.tokens(&node).await;
    assert_ne!(shown().await.0, seen);
    let role = json!({ "role": "supervisor", "reason": "promoted" });
    assert_eq!(ask("role", "role", &role, &seen).await.status, 204);
    let why = json!({ "reason": "left" });
    for what in ["disable", "reinstate", "reset"] {
        let refused = ask(what, what, &why, &seen).await;
        refused.assert_problem(412, "resource-changed", "operator-desk-asha");
    }
    let refused = ask("other", "role", &role, &seen).await;
    refused.assert_problem(412, "resource-changed", "operator-desk-asha");
    // What it was asked on changed by itself: its repetition is answered all the same.
    assert!(ask("role", "role", &role, &seen).await.is_repetition());
    let (seen, _) = shown().await;
    assert_eq!(ask("reset", "reset", &why, &seen).await.status, 200);
    let refused = ask("disable", "disable", &why, &seen).await;
    refused.assert_problem(412, "resource-changed", "operator-desk-asha");
    let (seen, body) = shown().await;
    assert_eq!(
        (&body["ready"], &body["disabled"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(ask("disable", "disable", &why, &seen).await.status, 204);
    let unknown = node.request_as(ADMIN, Method::GET, "/v1/operators/desk-nobody");
    answer(unknown)
        .await
        .assert_problem(404, "unknown-operator", "desk-nobody");
}
