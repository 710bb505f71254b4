use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Each request is one of its own.
fn another_id() -> RequestId {
    static MADE: AtomicU64 = AtomicU64::new(1);
    RequestId(Uuid::from_u128(MADE.fetch_add(1, Ordering::Relaxed).into()))
}

fn request(by: &str, ask: PersonAsk) -> PersonRequest {
    request_of("asha", by, ask)
}

fn request_of(operator: &str, by: &str, ask: PersonAsk) -> PersonRequest {
    PersonRequest {
        request_id: another_id(),
        by: by.into(),
        operator: operator.parse().unwrap(),
        ask,
    }
}

fn enrol(role: Role) -> PersonAsk {
    PersonAsk::Enrol {
        name: "Asha".into(),
        role,
        client: None,
        reason: "joined the desk".into(),
    }
}

fn log_in(role: Role) -> PersonAsk {
    PersonAsk::LogIn {
        log_in: LogInId(Uuid::nil()),
        kind: LogInKind::Cookie,
        role,
        second_factor: SecondFactor::Totp,
        address: "127.0.0.1".into(),
    }
}

fn because(text: &str) -> String {
    text.into()
}

/// The state behind what was asked in turn, all of it by an administrator.
fn after(asks: impl IntoIterator<Item = PersonAsk>) -> Person {
    asks.into_iter().fold(Person::default(), |person, ask| {
        let events = decide(&person, request("admin-ravi", ask)).unwrap();
        events.iter().fold(person, evolve)
    })
}

fn code(person: &Person, by: &str, ask: PersonAsk) -> &'static str {
    decide(person, request(by, ask)).unwrap_err().code()
}

#[test]
fn each_request_that_cannot_be_has_its_reason() {
    let nobody = Person::default();
    let desk = after([enrol(Role::Desk)]);
    let disabled = after([
        enrol(Role::Desk),
        PersonAsk::Disable {
            reason: because("left"),
        },
    ]);
    let change = |role| PersonAsk::ChangeRole {
        role,
        reason: because("promoted"),
    };
    let disable = |reason: &str| PersonAsk::Disable {
        reason: because(reason),
    };
    let with_name = |name: &str| PersonAsk::Enrol {
        name: name.into(),
        role: Role::Desk,
        client: None,
        reason: because("joined"),
    };
    let investor = |client: Option<&str>| PersonAsk::Enrol {
        name: "A client".into(),
        role: Role::Investor,
        client: client.map(|client| client.parse().unwrap()),
        reason: because("portal"),
    };
    for (person, by, ask, expected) in [
        (&desk, "admin-ravi", disable(" "), "reason-missing"),
        (
            &desk,
            "admin-ravi",
            disable("holds aaapz0042z"),
            "reason-holds-pan",
        ),
        (
            &nobody,
            "admin-ravi",
            with_name("AAAPZ0042Z"),
            "reason-holds-pan",
        ),
        (
            &nobody,
            "admin-ravi",
            with_name("  "),
            "operator-name-invalid",
        ),
        (
            &nobody,
            "admin-ravi",
            with_name("a\u{1b}[2J"),
            "operator-name-invalid",
        ),
        (&desk, "asha", change(Role::Administrator), "own-rights"),
        (&desk, "asha", disable("mistake"), "own-rights"),
        (&desk, "admin-ravi", enrol(Role::Desk), "operator-exists"),
        (&nobody, "admin-ravi", disable("left"), "unknown-operator"),
        (&nobody, "asha", log_in(Role::Desk), "unknown-operator"),
        (
            &nobody,
            "admin-ravi",
            investor(None),
            "operator-client-mismatch",
        ),
        (
            &desk,
            "admin-ravi",
            change(Role::Investor),
            "operator-client-mismatch",
        ),
        (&desk, "admin-ravi", change(Role::Desk), "operator-has-role"),
        (
            &disabled,
            "admin-ravi",
            disable("left"),
            "operator-disabled",
        ),
        (
            &disabled,
            "admin-ravi",
            PersonAsk::Reset {
                reason: because("lost"),
            },
            "operator-disabled",
        ),
        (
            &desk,
            "admin-ravi",
            PersonAsk::Reinstate {
                reason: because("back"),
            },
            "operator-not-disabled",
        ),
        (&disabled, "asha", log_in(Role::Desk), "operator-disabled"),
    ] {
        assert_eq!(code(person, by, ask.clone()), expected, "{ask:?}");
    }
    for (operator, ask, good) in [
        ("investor-c00042", investor(Some("C00042")), true),
        ("investor-c00043", investor(Some("C00042")), false),
        ("asha", investor(Some("C00042")), false),
        ("investor-c00042", enrol(Role::Desk), false),
    ] {
        let decided = decide(&nobody, request_of(operator, "admin-ravi", ask.clone()));
        assert_eq!(decided.is_ok(), good, "{operator} {ask:?}");
    }
}

#[test]
fn somebody_whose_role_changed_meanwhile_is_not_let_in_as_what_they_were() {
    let promoted = after([
        enrol(Role::Desk),
        PersonAsk::ChangeRole {
            role: Role::Supervisor,
            reason: because("promoted"),
        },
    ]);
    assert_eq!(promoted.admitted().unwrap().role, Role::Supervisor);
    assert_eq!(
        code(&promoted, "asha", log_in(Role::Desk)),
        "operator-disabled"
    );
    assert!(decide(&promoted, request("asha", log_in(Role::Supervisor))).is_ok());
}

#[test]
fn a_disabled_person_comes_back_only_by_an_administrator() {
    let disable = PersonAsk::Disable {
        reason: because("on leave"),
    };
    let person = after([enrol(Role::Desk), disable]);
    assert_eq!(person.admitted(), None);
    let back = PersonAsk::Reinstate {
        reason: because("back from leave"),
    };
    assert_eq!(code(&person, "asha", back.clone()), "own-rights");
    let events = decide(&person, request("admin-ravi", back)).unwrap();
    assert!(events.iter().fold(person, evolve).admitted().is_some());
}

#[test]
fn nothing_is_told_of_somebody_who_is_not_enrolled() {
    let told = |person: &Person| {
        let report = PersonReport::LockedOut {
            address: "192.0.2.7".into(),
            failures: 5,
            wait_s: 60,
        };
        record(
            person,
            "asha".parse().unwrap(),
            RequestId(Uuid::nil()),
            report,
        )
        .len()
    };
    assert_eq!(
        (told(&Person::default()), told(&after([enrol(Role::Desk)]))),
        (0, 1)
    );
}

#[test]
fn what_is_asked_again_gives_no_events_and_the_id_is_of_no_other_request() {
    let why = || because("promoted");
    let asks = [
        enrol(Role::Desk),
        PersonAsk::ChangeRole {
            role: Role::Supervisor,
            reason: why(),
        },
        PersonAsk::Reset { reason: why() },
        PersonAsk::Disable { reason: why() },
        PersonAsk::Reinstate { reason: why() },
    ];
    let requests = asks.map(|ask| request("admin-ravi", ask));
    let person = requests.iter().fold(Person::default(), |person, asked| {
        let events = decide(&person, asked.clone()).unwrap();
        events.iter().fold(person, evolve)
    });
    assert_eq!(person.secret_of, Some(requests[2].request_id));
    for (number, asked) in requests.iter().enumerate() {
        // Whatever has become of them since.
        assert_eq!(decide(&person, asked.clone()), Ok(vec![]));
        let another = &requests[(number + 1) % requests.len()];
        let other_ask = PersonRequest {
            ask: another.ask.clone(),
            ..asked.clone()
        };
        let other_person = PersonRequest {
            by: "admin-leela".into(),
            ..asked.clone()
        };
        for other in [other_ask, other_person] {
            let refused = decide(&person, other).unwrap_err();
            assert_eq!(refused, PersonRefusal::RequestIdReused);
        }
    }
}
