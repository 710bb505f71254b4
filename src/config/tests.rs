use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
    Config::from_parts(
        "squareoff.toml",
        text,
        environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    )
}

#[test]
fn the_environment_stands_over_the_file_and_the_file_over_the_defaults() {
    let config = read(
        "data = \"here\"\nheartbeat_s = 5",
        &[("SQUAREOFF_DATA", "there"), ("PATH", "x")],
    )
    .unwrap();
    assert_eq!(
        (config.data, config.venues[0].heartbeat_s),
        (PathBuf::from("there"), 5)
    );
    assert_eq!(config.api_listen.to_string(), "127.0.0.1:8080");
    let venues = Vec::from_iter(config.venues.iter().map(|of| of.venue));
    assert_eq!(venues, [Venue::Nse, Venue::Bse]);
}

#[test]
fn the_event_store_is_the_folders_unless_a_connection_string_says_otherwise() {
    assert_eq!(read("", &[]).unwrap().event_store, None);
    let address = "kurrentdb://u:secret@a:1,b:2?tls=false";
    let config = read("", &[("EVENT_STORE", address)]).unwrap();
    let set = config.event_store.as_ref().map(EventStoreAddress::as_str);
    assert_eq!(set, Some(address));
    assert!(!format!("{config:?}").contains("secret"));
    assert!(
        config
            .environment()
            .contains(&("EVENT_STORE".to_owned(), address.to_owned()))
    );
    let wrong = [("EVENT_STORE", "kurrentdb://u:secret@a?tsl=false")];
    assert_eq!(
        read("", &wrong).unwrap_err().to_string(),
        "the configuration has a mistake: EVENT_STORE: the address of the event log is wrong: `tsl` is no setting of a connection"
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = "heartbeat_s = 0\nventures = \"NSE\"\nlog_format = true";
    let environment = [
        ("SQUAREOFF_API_LISTEN", "0.0.0.0:80"),
        ("SQUAREOFF_VENUES", "NSE,XYZ"),
        ("DATABASE_URL", "mysql://user:secret@host/"),
        ("SQUAREOFF_DATE", "x"),
        ("SQUAREOFF_COMP_ID", "A1,B2,A1"),
        ("SQUAREOFF_CANCEL_ON_DISCONNECT", "true"),
    ];
    let message = read(text, &environment).unwrap_err().to_string();
    assert!(
        message.starts_with("the configuration has 9 mistakes:"),
        "{message}"
    );
    for part in [
        "heartbeat_s in squareoff.toml `0`: expected 1 to 60",
        "ventures in squareoff.toml is no setting",
        "loopback",
        "`XYZ` is not a venue",
        "DATABASE_URL: expected postgres://",
        "SQUAREOFF_DATE is no setting",
        "A1 stands twice",
        "`true`: expected yes or no",
        "log_format in squareoff.toml must be",
    ] {
        assert!(message.contains(part), "{part} is missing in {message}");
    }
    assert!(!message.contains("secret"));
}

#[test]
fn a_child_gets_the_very_same_configuration() {
    let config = read(
        "",
        &[
            ("SQUAREOFF_TRADING_DATE", "2026-11-20"),
            ("DATABASE_URL", "postgres://x/y"),
            ("SQUAREOFF_LOG_FORMAT", "json"),
            ("SQUAREOFF_CALLER_VERIFICATION", "off"),
            ("SQUAREOFF_CALLER_VERIFICATION_MINUTES", "5"),
            ("SQUAREOFF_COMP_ID", "A1,B2"),
            ("SQUAREOFF_CANCEL_ON_DISCONNECT", "yes"),
            ("SQUAREOFF_SAMPLE_LOG_INS", "no"),
            ("SQUAREOFF_BSE_DROP_COPY_COMP_ID", "none"),
            ("SQUAREOFF_BSE_SESSION_HOURS", "Sun 17:00-Fri 17:00"),
            ("SQUAREOFF_NSE_TLS_CA", "ca.pem"),
            ("SQUAREOFF_NSE_TLS_CERTIFICATE", "own.pem"),
            ("SQUAREOFF_NSE_TLS_KEY", "own.key"),
            ("SQUAREOFF_NSE_FIX_VERSION", "4.2"),
        ],
    )
    .unwrap();
    let environment = config.environment();
    let child = Config::from_parts("none", "", environment.into_iter()).unwrap();
    // Only those that ask it are told of the read database.
    let told = Config {
        database_url: None,
        ..config
    };
    assert_eq!(child, told);
}

#[test]
fn the_keys_are_shown_nowhere_and_go_to_no_child_by_themselves() {
    let environment = [
        ("SQUAREOFF_MASTER_KEY", "hunter2hunter2"),
        ("SQUAREOFF_ACCESS_KEY", "hunter2hunter2"),
    ];
    let config = read("", &environment).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let given = config.environment();
    assert!(
        !given
            .iter()
            .any(|(key, value)| key == MASTER_KEY_VARIABLE || value.contains("hunter2"))
    );
    for file in ["master_key_file", "access_key_file"] {
        let error = read(&format!("{file} = \"x\""), &environment)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("both set") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_is_no_toml_is_said_so() {
    assert!(
        read("= 1", &[])
            .unwrap_err()
            .to_string()
            .contains("is not TOML")
    );
}

#[test]
fn a_venue_has_what_its_own_table_says_and_else_what_is_set_for_all() {
    let text = "comp_id = \"A\"\nheartbeat_s = 20\n[NSE]\nexchange_address = \"nse:1\"\nfix_version = \"4.2\"\nsession_hours = \"Mon-Fri 08:45-16:15\"\nnumber_reset = \"each-session\"\ntls_ca = \"nse.pem\"\ndrop_copy_address = \"copy:2\"\nheartbeat_s = 5\n[BSE]\ndrop_copy_comp_id = \"none\"";
    let environment = [
        ("SQUAREOFF_NSE_COMP_ID", "N1,N2"),
        ("SQUAREOFF_VENUE_MESSAGE_RATE", "50"),
        ("SQUAREOFF_BSE_VENUE_MESSAGE_RATE", "30"),
    ];
    let config = read(text, &environment).unwrap();
    let [nse, bse] = &config.venues[..] else {
        panic!("two venues: {:?}", config.venues);
    };
    assert_eq!(
        (nse.address.as_str(), &nse.comp_ids[..]),
        ("nse:1", &["N1".to_owned(), "N2".to_owned()][..])
    );
    assert_eq!(
        (nse.fix_version.to_string(), nse.hours.to_string()),
        (
            "4.2".to_owned(),
            "Mon,Tue,Wed,Thu,Fri 08:45-16:15".to_owned()
        )
    );
    assert_eq!(
        (nse.heartbeat_s, nse.message_rate, nse.rate_of_all()),
        (5, 50, 100)
    );
    let copy = nse.drop_copy.as_ref().unwrap();
    assert_eq!(
        (copy.address.as_str(), copy.comp_id.as_str()),
        ("copy:2", "N1-DC")
    );
    assert_eq!(
        [nse, bse].map(|venue| venue.number_reset.to_string()),
        ["each-session", "when-lost"]
    );
    assert_eq!(nse.tls.as_ref().unwrap().ca, PathBuf::from("nse.pem"));
    // What a venue's table does not say is as for all.
    assert_eq!(
        (bse.address.as_str(), &bse.comp_ids[..]),
        ("127.0.0.1:9880", &["A".to_owned()][..])
    );
    assert_eq!(
        (bse.fix_version.to_string(), bse.hours.to_string()),
        ("4.4".to_owned(), "always".to_owned())
    );
    assert_eq!(
        (bse.heartbeat_s, bse.message_rate, &bse.drop_copy, &bse.tls),
        (20, 30, &None, &None)
    );
    assert_eq!(config.bulk_message_rate(), 30);
}

#[test]
fn what_is_wrong_with_a_venue_is_named_with_where_it_stands() {
    let text = "comp_id = \"A-B\"\n[NSE]\nexchange_address = \"nse\"\nfix_version = \"4.0\"\nsession_hours = \"9 to 5\"\ndata = \"x\"\ndrop_copy_comp_id = \"ABCDEFGHIJKLMNOPQRSTU\"\ntls_certificate = \"own.pem\"\n[XYZ]\ncomp_id = \"A\"";
    let environment = [
        ("SQUAREOFF_BSE_TLS_SERVER_NAME", "a b"),
        ("SQUAREOFF_MCX_DATA", "x"),
        ("SQUAREOFF_BSE_DROP_COPY_COMP_ID", "SQUAREOFF"),
    ];
    let message = read(text, &environment).unwrap_err().to_string();
    for part in [
        "mistakes:",
        "comp_id in squareoff.toml `A-B`: expected 1 to 20 letters",
        "exchange_address of [NSE] in squareoff.toml `nse`: expected host:port",
        "fix_version of [NSE] in squareoff.toml `4.0`: expected 4.2 or 4.4",
        "session_hours of [NSE] in squareoff.toml `9 to 5`: expected always, days and hours",
        "data of [NSE] in squareoff.toml is no setting: known are exchange_address, comp_id,",
        "drop_copy_comp_id of [NSE] in squareoff.toml `ABCDEFGHIJKLMNOPQRSTU`: expected 1 to 20",
        "NSE: tls_certificate and tls_key go together",
        "XYZ in squareoff.toml is no setting",
        "SQUAREOFF_BSE_TLS_SERVER_NAME `a b`: expected a host name",
        "SQUAREOFF_MCX_DATA is no setting",
        "BSE: drop_copy_comp_id is one of comp_id",
    ] {
        assert!(message.contains(part), "{part} is missing in {message}");
    }
    // What is set for all is read for each venue, and said once.
    assert_eq!(message.matches("`A-B`").count(), 1, "{message}");
    let always = read("[NSE]\nnumber_reset = \"each-session\"", &[]);
    let message = always.unwrap_err().to_string();
    assert!(
        message.contains("NSE: number_reset is each-session, but session_hours"),
        "{message}"
    );
    let alone = read("tls_key = \"own.key\"\ntls_certificate = \"own.pem\"", &[]);
    assert!(
        alone
            .unwrap_err()
            .to_string()
            .contains("NSE: tls_ca is missing")
    );
}

#[test]
fn the_drop_copys_comp_id_fits_however_long_the_first_is() {
    for (comp_id, copy) in [
        ("A", "A-DC"),
        ("ABCDEFGHIJKLMNOPQ", "ABCDEFGHIJKLMNOPQ-DC"),
        ("ABCDEFGHIJKLMNOPQRST", "ABCDEFGHIJKLMNOPQ-DC"),
    ] {
        let config = read("", &[("SQUAREOFF_COMP_ID", comp_id)]).unwrap();
        let made = config.venues[0].drop_copy.as_ref().unwrap();
        assert_eq!(made.comp_id, copy);
        assert!(made.comp_id.len() <= 20);
    }
}

#[test]
fn every_setting_is_listed_with_its_name_in_the_environment() {
    let listed = describe();
    for (key, name) in [
        ("session_hours", "SQUAREOFF_SESSION_HOURS"),
        ("tls_ca", "SQUAREOFF_TLS_CA"),
        ("event_store", "EVENT_STORE"),
    ] {
        let line = listed.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line.contains(name), "{line}");
    }
    assert!(listed.contains("SQUAREOFF_NSE_COMP_ID"));
}
