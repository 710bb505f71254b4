//! The list of all settings, for people and for the reader.

use squareoff_domain::Venue;

/// Key in the file, and what it is. The environment's name is `SQUAREOFF_` and the key in capitals, but for [`BARE`].
pub(super) const SETTINGS: &[(&str, &str)] = &[
    (
        "data",
        "folder of the event log, the journals, the private Postgres; default `data`",
    ),
    (
        "event_store",
        "KurrentDB for the event log, as kurrentdb://user:password@host:2113 (environment: EVENT_STORE); default a log of its own in the data folder",
    ),
    (
        "database_url",
        "Postgres for the read models, over TLS with ?sslmode=verify-full&sslrootcert=FILE (environment: DATABASE_URL); default a private cluster in the data folder",
    ),
    (
        "pg_bin",
        "folder with initdb and postgres; default the newest installed",
    ),
    (
        "api_listen",
        "address of the API, loopback only unless it has a certificate; default 127.0.0.1:8080",
    ),
    (
        "api_tls_certificate",
        "PEM file of the API's certificate chain: it is asked over TLS when it is set, and reads the file anew when that changes; default none",
    ),
    (
        "api_tls_key",
        "PEM file of the private key of api_tls_certificate; default none",
    ),
    (
        "person_requests_per_s",
        "requests that the API takes of one person or program in a second, and twice as many at once; default 100",
    ),
    (
        "address_requests_per_s",
        "the same of one address, but for those of this machine; default 500",
    ),
    (
        "client_requests_per_s",
        "the same of what is done to one client's positions and orders, by whomever; default 20",
    ),
    (
        "venues",
        "venues to log on to, comma separated; default NSE,BSE",
    ),
    (
        "master_key_file",
        "file with the master key that wraps the clients' data keys, 32 bytes in hexadecimal or Base64; default keys/master.key in the data folder, made when missing",
    ),
    (
        "master_key",
        "the master key itself, instead of a file; of the processes only the API is given it",
    ),
    (
        "keys_backup",
        "folder of the key store's backups, kept for 7 days; default keys/backup in the data folder",
    ),
    (
        "access_key_file",
        "file with the key that seeds of one-time codes and of signing keys are sealed with, 32 bytes in hexadecimal or Base64; default keys/access.key in the data folder, made when missing",
    ),
    (
        "access_key",
        "the same key itself, instead of a file; of the processes only the API is given it",
    ),
    (
        "reference_age_max_s",
        "how old the reference price of a contract may be that a marketable limit is made of, in seconds; default 432000: five days, the last close behind a long weekend",
    ),
    (
        "caller_verification",
        "required or off: whether the desk closes, cancels and changes for a client only when whoever called told PAN and date of birth as they are recorded; default required",
    ),
    (
        "caller_verification_minutes",
        "how long an operator may act for a client whose caller was verified, in minutes, 1 to 480; default 15",
    ),
    (
        "approval_notional",
        "what one person may place at once, in rupees such as 50000000.00, or off: an order, or a change of one, that is worth more waits until a second person approves; default 50000000.00, five crore",
    ),
    (
        "session_close",
        "when each segment closes in India, what a bulk's duration is measured against; default CM=15:30,FO=15:30,CD=17:00,COM=23:30",
    ),
    (
        "sample_log_ins",
        "yes or no: whether the tokens that `squareoff token` prints let anybody in; default no, but yes in `squareoff up` and `squareoff demo`",
    ),
    ("sample_clients", "clients of the sample book; default 2000"),
    (
        "sample_positions",
        "positions of the sample book; default 8000",
    ),
    (
        "sample_orders",
        "orders of the sample's primary that rest at the exchange; default 40",
    ),
    (
        "sample_seed",
        "seed of the sample book and of the exchange's liquidity; default 7",
    ),
    (
        "trading_date",
        "trading date of the sample book, YYYY-MM-DD; default today in India",
    ),
    (
        "log",
        "what is logged, as `info` or `info,squareoff_gateway=debug`; default info without the notices of Postgres and of KurrentDB's client",
    ),
    ("log_format", "text or json; default text"),
    (
        "audit_origin",
        "name of the log in its signed checkpoints, and of the key that signs them; default squareoff.local/log",
    ),
    (
        "witness_url",
        "witnesses that are asked to sign the checkpoints too, comma separated, each http://host:port#KEY; default none, `squareoff up` starts one",
    ),
    (
        "witness_listen",
        "address of `squareoff witness`; default 127.0.0.1:8390",
    ),
    (
        "witness_name",
        "name of the witness and of its key; default squareoff.local/witness",
    ),
    (
        "witness_logs",
        "public keys of the logs that `squareoff witness` signs for, comma separated; default none, `squareoff up` names its own",
    ),
];

/// The same of settings that each venue may have of its own: in a table of its name in the file, and behind its name in the environment
/// (`SQUAREOFF_NSE_COMP_ID`). Without, they hold for all venues.
pub(super) const VENUE_SETTINGS: &[(&str, &str)] = &[
    (
        "exchange_address",
        "host:port of the venue; default 127.0.0.1:9880",
    ),
    (
        "comp_id",
        "our SenderCompIDs at the venue, comma separated, a session for each: a client's orders always go over the same one; default SQUAREOFF",
    ),
    (
        "fix_version",
        "4.2 or 4.4, the version of FIX that the venue speaks; default 4.4",
    ),
    (
        "tls_ca",
        "PEM file of who may have signed the certificate of the venue; sessions go over TLS when it is set, `none` for not; default none",
    ),
    (
        "tls_server_name",
        "name or IP address that the certificate of the venue must be for; default the host of the address",
    ),
    (
        "tls_certificate",
        "PEM file of our own certificate chain, for a venue that asks for one; default none",
    ),
    (
        "tls_key",
        "PEM file of the private key of tls_certificate; default none",
    ),
    (
        "session_hours",
        "when our sessions to the venue are connected, in India: always, days and hours such as Mon-Fri 08:45-16:15, or one stretch of the week such as Sun 17:00-Fri 17:00; default always",
    ),
    (
        "number_reset",
        "when-lost or each-session: whether MsgSeqNum goes on from day to day, and starts at 1 only when one side has lost its numbers, or starts at 1 with each of session_hours, as the venue has it; default when-lost",
    ),
    (
        "drop_copy_address",
        "host:port of the venue's drop copies; default exchange_address",
    ),
    (
        "drop_copy_comp_id",
        "our SenderCompID on the drop-copy session of the venue, `none` for no drop copy; default the first comp_id, cut to 17 characters, and -DC",
    ),
    ("heartbeat_s", "HeartBtInt in seconds, 1 to 60; default 10"),
    (
        "resend_age_max_s",
        "how old an order may be when the exchange asks for it again, in seconds; default 10",
    ),
    (
        "venue_message_rate",
        "messages that the venue takes of one session in a second, of which nine tenths are used; default 100, what a broker's session commonly has",
    ),
    (
        "cancel_on_disconnect",
        "yes or no: whether the venue is asked at log-on to cancel our working orders when the connection is lost (CancelOrdersOnDisconnect, 8013); default no",
    ),
];

/// Settings whose name in the environment others know too.
pub(super) const BARE: [(&str, &str); 2] = [
    ("database_url", "DATABASE_URL"),
    ("event_store", "EVENT_STORE"),
];

/// The environment's name of a setting.
pub(super) fn variable(key: &str) -> String {
    match BARE.iter().find(|(bare, _)| *bare == key) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("SQUAREOFF_{}", key.to_uppercase()),
    }
}

/// The environment's name of a venue's own setting.
pub(super) fn venue_variable(venue: Venue, key: &str) -> String {
    format!("SQUAREOFF_{venue}_{}", key.to_uppercase())
}

/// Every setting.
pub(super) fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> + Clone {
    SETTINGS.iter().chain(VENUE_SETTINGS)
}

/// Every setting, for people: its key in the file, its name in the environment, what it is.
pub fn describe() -> String {
    let line = |(key, what): &(&str, &str)| format!("{key:<20} {:<30} {what}", variable(key));
    let lines = |settings: &[(&str, &str)]| Vec::from_iter(settings.iter().map(line)).join("\n");
    format!(
        "{}\n\nOf the venues. Each holds for all of them, unless a venue's own table in the file, such as [NSE], or its own name in the\nenvironment, such as SQUAREOFF_NSE_COMP_ID, says otherwise:\n{}",
        lines(SETTINGS),
        lines(VENUE_SETTINGS)
    )
}

pub(super) fn known(
    settings: impl Iterator<Item = &'static (&'static str, &'static str)>,
    name: impl Fn(&str) -> String,
) -> String {
    let names: Vec<_> = settings.map(|(key, _)| name(key)).collect();
    format!("known are {}", names.join(", "))
}
