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
    match access.enrol(person, &caller).await.unwrap() {
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
    let ask = |path: &str, body: Value| answer(admin.ask(&node, Method::POST, path).json(&body));
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
        answer(admin.ask(&node, Method::POST, &path).json(&body))
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
