//! Scenarios as text: what happens on the left, what the session wants on the right.
//!
//! Left: `KIND #SEQ fields` a message from the peer (49, 56, 52 and 8 replace the usual ones; 52 and 122 may
//! be seconds from now), `send ID`, `recorded N`, `+S` seconds, `connect`, `log out`, `garbled`.
//! Right, by `;`: `KIND #SEQ header fields body` sent, `give N`, `asked A..B`, `reset`, `on`, `off: why`.

use super::*;
use crate::codec::Garbled;
use crate::dictionary::UserDefined;
use crate::encode::frame_of_version;
use crate::message::{AppMessage, OrderMassStatusRequest};

const START: Timestamp = Timestamp(1_777_540_500_000_000_000);

struct Play {
    session: Session,
    now: Timestamp,
    numbers: Numbers,
}

fn acceptor() -> Play {
    play(SessionConfig::new(Role::Acceptor, "US", "THEM"), 1, 1)
}

fn initiator(next_out: u64, next_in: u64) -> Play {
    play(
        SessionConfig::new(Role::Initiator, "US", "THEM"),
        next_out,
        next_in,
    )
}

fn play(config: SessionConfig, next_out: u64, next_in: u64) -> Play {
    Play {
        session: Session::new(config),
        now: START,
        numbers: Numbers {
            next_out,
            next_in,
            fresh: (next_out, next_in) == (1, 1),
            since: START,
        },
    }
}

impl Play {
    fn check(&mut self, scenario: &str) {
        for line in scenario
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let (does, wants) = line.split_once("->").expect("an arrow");
            self.act(does.trim());
            assert_eq!(self.outputs(), wants.trim(), "after: {does}\nin:{scenario}");
        }
    }

    fn act(&mut self, does: &str) {
        let (verb, rest) = does.split_once(' ').unwrap_or((does, ""));
        match verb {
            "connect" => self.session.connected(self.numbers, self.now),
            "log" => self.session.log_out("bye", self.now),
            "garbled" => self.session.garbled(Garbled::Checksum),
            "recorded" => self
                .session
                .recorded_through(rest.parse().expect("a number")),
            "send" => {
                let request = AppMessage::OrderMassStatusRequest(OrderMassStatusRequest {
                    mass_status_req_id: rest.to_owned(),
                    mass_status_req_type: 7,
                    account: None,
                    symbol: None,
                });
                let message = OutboundMessage::new(rest, 1, &request).expect("a message");
                let taken = self.session.send_app(&message, self.now);
                assert_eq!(taken, self.session.is_logged_on());
            }
            _ if verb.starts_with('+') => {
                let seconds: i64 = verb[1..].parse().expect("seconds");
                self.now = self.now.plus(seconds * SECOND);
                self.session.tick(self.now);
            }
            kind => {
                let bytes = self.peers_bytes(kind, rest);
                let message = Message::decode(bytes.into()).expect("a whole message");
                self.session.received(&message, self.now);
            }
        }
    }

    fn peers_bytes(&self, kind: &str, rest: &str) -> Vec<u8> {
        let (seq, fields) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut header = [
            ("49", "THEM".to_owned()),
            ("52", "0".to_owned()),
            ("56", "US".to_owned()),
        ];
        let mut more = String::new();
        let mut begin_string = self.session.config().identity.begin_string.clone();
        for (tag, value) in fields.split('|').filter_map(|field| field.split_once('=')) {
            let value = match (tag, value.parse::<i64>()) {
                ("52" | "122", Ok(seconds)) => self.now.plus(seconds * SECOND).to_string(),
                _ => value.to_owned(),
            };
            if tag == "8" {
                begin_string = value;
                continue;
            }
            match header.iter_mut().find(|(known, _)| *known == tag) {
                Some(known) => known.1 = value,
                None => more += &format!("{tag}={value}|"),
            }
        }
        let mut text = format!("35={kind}|34={}|", &seq[1..]);
        for (tag, value) in header.iter().filter(|(_, value)| value != "absent") {
            let value = if *tag == "52" && value == "0" {
                self.now.to_string()
            } else {
                value.clone()
            };
            text += &format!("{tag}={value}|");
        }
        frame_of_version(&begin_string, &(text + &more))
    }

    fn outputs(&mut self) -> String {
        let mut wants = Vec::new();
        while let Some(output) = self.session.next_output() {
            wants.push(match output {
                Output::Send(record) => sent(&record.bytes),
                Output::Deliver(inbound) => {
                    let dup = if inbound.poss_dup { " dup" } else { "" };
                    format!("give {}{dup}", inbound.seq)
                }
                Output::ResendRequested { from, to } => format!("asked {from}..{to}"),
                Output::ResetJournal => "reset".to_owned(),
                Output::LoggedOn(terms) if terms.cancel_on_disconnect => {
                    "on, cancel on disconnect".to_owned()
                }
                Output::LoggedOn(_) => "on".to_owned(),
                Output::Disconnect(reason) => format!("off: {reason}"),
            });
        }
        wants.join("; ")
    }
}

/// A message of ours without what is always the same.
fn sent(bytes: &Bytes) -> String {
    let message = Message::decode(bytes.clone()).expect("our own message");
    let mut fields = Vec::new();
    for field in message.fields() {
        if !matches!(field.tag, 8 | 9 | 10 | 34 | 35 | 49 | 52 | 56) {
            fields.push(format!(
                "{}={}",
                field.tag,
                String::from_utf8_lossy(message.value(*field))
            ));
        }
    }
    let text = |tag| String::from_utf8_lossy(message.get(tag).unwrap_or_default()).into_owned();
    format!("{} #{} {}", text(35), text(34), fields.join("|"))
        .trim_end()
        .to_owned()
}

const LOGON: &str = "
    connect            ->
    A #1 98=0|108=30   -> A #1 98=0|108=30; on
";

const LOGGED_ON: &str = "
    connect            -> A #1 98=0|108=30
    A #1 98=0|108=30   -> on
";

fn accepted(scenario: &str) -> Play {
    let mut play = acceptor();
    play.check(LOGON);
    play.check(scenario);
    play
}

fn initiated(scenario: &str) -> Play {
    let mut play = initiator(1, 1);
    play.check(LOGGED_ON);
    play.check(scenario);
    play
}

#[test]
fn log_on_and_out_from_both_sides() {
    accepted("5 #2 58=done -> 5 #2; off: the peer logged out: done");
    accepted(
        "
        log out -> 5 #2 58=bye
        D #2    -> 3 #3 45=2|58=Required tag missing|371=11|372=D|373=1
        5 #3    -> off: logged out as asked: bye
    ",
    );
    initiated("5 #2 -> 5 #2; off: the peer logged out: no text");
    initiated(
        "
        log out -> 5 #2 58=bye
        send C1 ->
        +3      -> off: the peer did not answer our logout
    ",
    );
    initiator(1, 1).check(
        "
        connect -> A #1 98=0|108=30
        log out -> off: logged out as asked: bye
    ",
    );
}

#[test]
fn a_first_message_that_is_no_fitting_logon_ends_the_connection_without_an_answer() {
    for (message, why) in [
        ("0 #1 ->", "MsgType is 0"),
        ("A #1 49=OTHER|98=0|108=30 ->", "CompID problem"),
        ("A #1 56=OTHER|98=0|108=30 ->", "CompID problem"),
        (
            "A #1 52=-121|98=0|108=30 ->",
            "SendingTime accuracy problem",
        ),
        (
            "A #1 52=20010101-00:00:00|98=0|108=30 ->",
            "SendingTime accuracy problem",
        ),
        ("A #1 98=0 ->", "Required tag missing (tag 108)"),
        (
            "A #1 98=1|108=30 ->",
            "Value is incorrect (out of range) for this tag (tag 98)",
        ),
        (
            "A #1 98=0|108=4000 ->",
            "Value is incorrect (out of range) for this tag (tag 108)",
        ),
        (
            "A #1 98=0|108=-1 ->",
            "Incorrect data format for value (tag 108)",
        ),
        (
            "A #5 98=0|108=30|141=Y ->",
            "ResetSeqNumFlag with MsgSeqNum 5",
        ),
        ("garbled ->", "the checksum is wrong"),
    ] {
        let off = "off: the first message was not a usable logon:";
        acceptor().check(&format!("connect ->\n{message} {off} {why}"));
    }
    acceptor().check(
        "
        connect ->
        +9      ->
        +1      -> off: no logon within 10 s
    ",
    );
    initiator(9, 1).check("
        connect -> A #9 98=0|108=30
        5 #1 58=MsgSeqNum too low, expecting 40 but received 9 -> off: the first message was not a usable logon: the peer logged out: MsgSeqNum too low, expecting 40 but received 9
    ");
}

#[test]
fn cancel_on_disconnect_holds_when_both_sides_want_it() {
    let set = |role, cancel_on_disconnect| {
        let config = SessionConfig {
            cancel_on_disconnect,
            ..SessionConfig::new(role, "US", "THEM")
        };
        play(config, 1, 1)
    };
    for (wanted, asked, answer, on) in [
        (true, "|8013=Y", "|8013=Y", "on, cancel on disconnect"),
        (true, "", "", "on"),
        (false, "|8013=Y", "", "on"),
    ] {
        set(Role::Acceptor, wanted).check(&format!(
            "
            connect                  ->
            A #1 98=0|108=30{asked} -> A #1 98=0|108=30{answer}; {on}
        "
        ));
        let (ours, theirs) = (if wanted { "|8013=Y" } else { "" }, asked);
        set(Role::Initiator, wanted).check(&format!(
            "
            connect                   -> A #1 98=0|108=30{ours}
            A #1 98=0|108=30{theirs} -> {on}
        "
        ));
    }
}

/// Both roles of a session of another version, with its header's time shown.
fn of_version(begin_string: &str, validation: Validation) -> [Play; 2] {
    [Role::Acceptor, Role::Initiator].map(|role| {
        let mut config = SessionConfig::new(role, "US", "THEM");
        config.identity.begin_string = begin_string.to_owned();
        config.validation = validation;
        play(config, 1, 1)
    })
}

#[test]
fn before_4_2_a_session_says_less_and_in_other_words() {
    for version in ["FIX.4.0", "FIX.4.1"] {
        for validation in [Validation::Basic, Validation::Full(UserDefined::Refused)] {
            let [mut acceptor, mut initiator] = of_version(version, validation);
            initiator.check(LOGGED_ON);
            acceptor.check(LOGON);
            acceptor.check(
                "
                1 #2 112=            -> 3 #2 45=2|58=Tag specified without a value (112)
                1 #5 112=X           -> 2 #3 7=3|16=999999
                2 #3 7=1|16=999999   -> asked 1..3
                ",
            );
            let replay = Replay {
                from: 1,
                to: 1,
                records: &[],
                decisions: &[],
            };
            for frame in acceptor.session.replay(&replay, acceptor.now) {
                let message = Message::decode(frame).expect("our own message");
                for tag in [tag::SENDING_TIME, tag::ORIG_SENDING_TIME] {
                    assert_eq!(message.get(tag), Some(b"20260430-09:15:00".as_slice()));
                }
            }
        }
    }
}

#[test]
fn fixt_tells_the_version_of_application_messages_at_log_on() {
    for validation in [Validation::Basic, Validation::Full(UserDefined::Refused)] {
        let [mut acceptor, mut initiator] = of_version("FIXT.1.1", validation);
        // A field of FIX 5.0 has no place in a message of the session layer.
        let refused = match validation {
            Validation::Basic => "",
            Validation::Full(_) => "3 #2 45=3|58=Invalid tag number|371=999|372=0|373=0",
        };
        initiator.check(&format!(
            "
            connect                    -> A #1 98=0|108=30|1137=9
            A #1 98=0|108=30|1137=9    -> on
            0 #2 1128=9                ->
            0 #3 999=x                 -> {refused}
            "
        ));
        acceptor.check(
            "
            connect                    ->
            A #1 98=0|108=30|1137=7    -> A #1 98=0|108=30|1137=9; on
            ",
        );
        let [mut acceptor, _] = of_version("FIXT.1.1", validation);
        acceptor.act("connect");
        acceptor.act("A #1 98=0|108=30");
        let said = acceptor.outputs();
        assert!(
            said.starts_with("off: the first message was not a usable logon"),
            "{said}"
        );
        assert!(
            said.contains("1137") || said.contains("DefaultApplVerID"),
            "{said}"
        );
    }
}

#[test]
fn numbers_go_on_over_connections() {
    initiator(7, 12).check(
        "
        connect           -> A #7 98=0|108=30
        A #12 98=0|108=30 -> on
        send C1           -> AF #8 584=C1|585=7
        0 #13             ->
    ",
    );
}

#[test]
fn a_logon_with_a_number_too_high_is_answered_and_the_gap_asked_for() {
    acceptor().check(
        "
        connect               ->
        A #3 98=0|108=30      -> A #1 98=0|108=30; on; 2 #2 7=1|16=0
        4 #1 43=Y|122=0|36=3|123=Y ->
        1 #4 112=X            -> 0 #3 112=X
    ",
    );
    initiator(5, 5).check(
        "
        connect               -> A #5 98=0|108=30
        A #7 98=0|108=30      -> on; 2 #6 7=5|16=0
        j #5 43=Y|122=0|372=D|380=0 -> give 5 dup
        4 #6 43=Y|122=0|36=8|123=Y ->
        j #8 372=D|380=0      -> give 8
    ",
    );
}

#[test]
fn a_number_too_low_ends_the_session_unless_it_is_a_duplicate() {
    let off = "MsgSeqNum too low, expecting 3 but received 2";
    accepted(&format!(
        "
        0 #2                -> 
        0 #2                -> 5 #2 58={off}; off: {off}
    "
    ));
    accepted(
        "
        j #2 372=D|380=0    -> give 2
        j #2 43=Y|122=0|372=D|380=0 ->
        j #2 43=Y|372=D|380=0 -> 3 #2 45=2|58=Required tag missing|371=122|372=j|373=1
        4 #1 43=Y|36=20|123=Y ->
        0 #3                ->
        0 #2 43=Y|122=10    -> 3 #3 45=2|58=SendingTime accuracy problem|372=0|373=10; 5 #4
        5 #4                -> off: logged out as asked: see the reject before it
    ",
    );
    let mut play = initiator(3, 9);
    play.check("
        connect          -> A #3 98=0|108=30
        A #4 98=0|108=30 -> 5 #4 58=MsgSeqNum too low, expecting 9 but received 4; off: MsgSeqNum too low, expecting 9 but received 4
    ");
}

#[test]
fn what_comes_early_waits_for_the_gap_and_the_gap_is_asked_for_once() {
    accepted(
        "
        1 #3 112=A  -> 2 #2 7=2|16=0
        1 #4 112=B  ->
        j #2 43=Y|122=0|372=D|380=0 -> give 2 dup; 0 #3 112=A; 0 #4 112=B
        1 #3 43=Y|122=0|112=A ->
        0 #5        ->
        0 #8        -> 2 #5 7=6|16=0
        4 #6 43=Y|122=0|36=9|123=Y ->
        0 #9        ->
    ",
    );
}

#[test]
fn a_gap_that_stays_open_is_asked_for_again_and_then_given_up() {
    accepted(
        "
        0 #5 -> 2 #2 7=2|16=0
        +9   ->
        +1   -> 2 #3 7=2|16=0
        0 #2 ->
        0 #6 ->
        +10  -> 2 #4 7=3|16=0
        0 #7 ->
        +10  -> 2 #5 7=3|16=0
        0 #8 ->
        +10  -> off: the peer did not send the messages from 3 again, asked 3 times
    ",
    );
}

#[test]
fn a_message_dropped_because_too_many_wait_is_asked_for_later() {
    let mut play = accepted("0 #3 -> 2 #2 7=2|16=0");
    let last = 3 + HELD_MESSAGES_MAX as u64;
    for seq in 4..=last {
        play.check(&format!("0 #{seq} ->"));
    }
    play.check(&format!(
        "
        0 #2 43=Y|122=0 ->
        0 #{} -> 2 #3 7={last}|16=0
    ",
        last + 1
    ));
}

#[test]
fn a_resend_request_is_answered_whatever_its_number() {
    accepted("
        send C1       -> AF #2 584=C1|585=7
        send C2       -> AF #3 584=C2|585=7
        2 #2 7=1|16=0 -> asked 1..3
        2 #3 7=2|16=2 -> asked 2..2
        2 #4 7=2|16=9 -> asked 2..3
        2 #9 7=1|16=0 -> asked 1..3; 2 #4 7=5|16=0
        4 #5 43=Y|122=0|36=9|123=Y ->
        0 #10         ->
        2 #4 7=1|16=1 -> asked 1..1
        2 #11 7=9|16=0 -> 3 #5 45=11|58=Value is incorrect (out of range) for this tag|371=7|372=2|373=5
        2 #12 7=3|16=2 -> 3 #6 45=12|58=Value is incorrect (out of range) for this tag|371=7|372=2|373=5
    ");
}

#[test]
fn sequence_resets_move_the_expected_number_forward_only() {
    let low = "58=Value is incorrect (out of range) for this tag|372=4|373=5";
    accepted(&format!(
        "
        4 #2 36=20|123=Y  ->
        1 #20 112=A       -> 0 #2 112=A
        4 #0 36=25        ->
        4 #0 36=25|123=N  ->
        1 #25 112=B       -> 0 #3 112=B
        4 #0 36=1         -> 3 #4 45=0|{low}
        4 #26 36=26|123=Y -> 3 #5 45=26|{low}
        1 #26 112=C       -> 0 #6 112=C
        4 #40 36=41|123=Y -> 2 #7 7=27|16=0
    "
    ));
}

#[test]
fn heartbeats_go_out_and_silence_is_probed_then_ended() {
    accepted(
        "
        +29 ->
        +1  -> 0 #2
        0 #2 ->
        +30 -> 0 #3
        +5  ->
        +1  -> 1 #4 112=TEST
        0 #3 112=TEST ->
        +30 -> 0 #5
        +6  -> 1 #6 112=TEST
        +35 ->
        +1  -> off: the peer fell silent
    ",
    );
    let mut quiet = acceptor();
    quiet.check(
        "
        connect         ->
        A #1 98=0|108=0 -> A #1 98=0|108=0; on
        +100000         ->
    ",
    );
}

#[test]
fn the_next_deadline_is_when_something_happens() {
    let mut play = acceptor();
    assert_eq!(play.session.deadline(), None);
    play.check("connect ->");
    assert_eq!(play.session.deadline(), Some(START.plus(10 * SECOND)));
    play.check("A #1 98=0|108=30 -> A #1 98=0|108=30; on");
    assert_eq!(play.session.deadline(), Some(START.plus(30 * SECOND)));
    play.check("0 #9 -> 2 #2 7=2|16=0");
    assert_eq!(play.session.deadline(), Some(START.plus(10 * SECOND)));
    play.check("4 #2 36=10|123=Y ->\n+30 -> 0 #3\n");
    assert_eq!(play.session.deadline(), Some(START.plus(36 * SECOND)));
    play.check("+6 -> 1 #4 112=TEST");
    assert_eq!(play.session.deadline(), Some(START.plus(72 * SECOND)));
}

#[test]
fn a_malformed_message_is_rejected_and_its_number_used_up() {
    for (message, reject) in [
        ("0 #2 -1=HI", "58=Invalid tag number|371=-1|372=0|373=0"),
        ("0 #2 0=HI", "58=Invalid tag number|371=0|372=0|373=0"),
        (
            "0 #2 56=absent",
            "58=Required tag missing|371=56|372=0|373=1",
        ),
        (
            "0 #2 56=",
            "58=Tag specified without a value|371=56|372=0|373=4",
        ),
        (
            "0 #2 52=absent",
            "58=Required tag missing|371=52|372=0|373=1",
        ),
        (
            "0 #2 52=noon",
            "58=Incorrect data format for value|371=52|372=0|373=6",
        ),
        (
            "0 #2 43=x",
            "58=Value is incorrect (out of range) for this tag|371=43|372=0|373=5",
        ),
        ("1 #2", "58=Required tag missing|371=112|372=1|373=1"),
        ("* #2", "58=Invalid MsgType|372=*|373=11"),
        (
            "D #2 55=X|43=N",
            "58=Tag specified out of required order|371=43|372=D|373=14",
        ),
        (
            "D #2 11=a|38=+2|40=1|54=1|55=X|60=0",
            "58=Incorrect data format for value|371=38|372=D|373=6",
        ),
        ("8 #2 37=1", "58=Required tag missing|371=6|372=8|373=1"),
    ] {
        accepted(&format!(
            "
            {message}    -> 3 #2 45=2|{reject}
            1 #3 112=UP  -> 0 #3 112=UP
        "
        ));
    }
    accepted("
        D #2 115=JCD|129=CS|145=|11=a -> 3 #2 116=CS|128=JCD|45=2|58=Tag specified without a value|371=145|372=D|373=4
    ");
}

#[test]
fn the_wrong_party_or_time_is_rejected_and_logged_out() {
    for message in ["0 #2 49=OTHER", "0 #2 56=OTHER"] {
        accepted(&format!(
            "
            {message} -> 3 #2 45=2|58=CompID problem|372=0|373=9; 5 #3
            5 #3      -> off: logged out as asked: see the reject before it
        "
        ));
    }
    for message in ["0 #2 52=-121", "0 #2 52=121"] {
        accepted(&format!(
            "
            {message} -> 3 #2 45=2|58=SendingTime accuracy problem|372=0|373=10; 5 #3
            +2        -> off: the peer did not answer our logout
        "
        ));
    }
    accepted("0 #2 52=-119 ->\n0 #3 52=119 ->");
}

#[test]
fn another_begin_string_is_logged_out_and_no_number_ends_the_session() {
    accepted(
        "
        0 #2 8=FIX.4.1 -> 5 #2 58=Incorrect BeginString
        5 #3           -> off: logged out as asked: Incorrect BeginString
    ",
    );
    accepted(
        "0 #x -> 5 #2 58=MsgSeqNum missing; off: the peer broke the protocol: MsgSeqNum missing",
    );
}

#[test]
fn a_garbled_message_is_ignored_and_missed_by_its_number() {
    accepted(
        "
        garbled -> 
        0 #3    -> 2 #2 7=2|16=0
    ",
    );
}

#[test]
fn a_reset_starts_both_sides_at_one() {
    let mut play = play(SessionConfig::new(Role::Acceptor, "US", "THEM"), 8, 9);
    play.check("
        connect                -> 
        A #1 98=0|108=30|141=Y -> reset; A #1 98=0|108=30|141=Y; on
        1 #2 112=A             -> 0 #2 112=A
        A #1 98=0|108=20|141=Y -> reset; A #1 98=0|108=20|141=Y
        1 #2 112=B             -> 0 #2 112=B
        A #3 98=0|108=30       -> 5 #3 58=Logon while logged on; off: the peer broke the protocol: Logon while logged on
    ");
}

/// START is 09:15:00 UTC on a Thursday.
fn hours(start: u32, end: u32) -> Option<Schedule> {
    let days = vec![Weekday::Wednesday, Weekday::Thursday];
    let hours = Hours::Daily { days, start, end };
    Some(Schedule {
        utc_offset_s: 0,
        hours,
    })
}

#[test]
fn outside_its_hours_a_session_is_not_connected_and_at_their_end_it_logs_out() {
    let now = 9 * 3600 + 15 * 60;
    let set = |role, schedule| {
        let config = SessionConfig {
            schedule,
            ..SessionConfig::new(role, "US", "THEM")
        };
        play(config, 1, 1)
    };
    let outside = hours(now + 1, now + 60);
    set(Role::Initiator, outside.clone())
        .check("connect -> off: it is outside the session's hours");
    set(Role::Acceptor, outside).check(
        "
        connect          ->
        A #1 98=0|108=30 -> off: it is outside the session's hours
    ",
    );
    let mut play = set(Role::Acceptor, hours(now - 60, now + 20));
    play.check(LOGON);
    assert_eq!(play.session.deadline(), Some(START.plus(20 * SECOND)));
    play.check(
        "
        +19  ->
        0 #2 ->
        +1   -> 5 #2 58=the session's hours are over
        5 #3 -> off: logged out as asked: the session's hours are over
    ",
    );
}

#[test]
fn numbers_of_an_older_session_start_again_at_one_and_those_of_this_one_go_on() {
    let now = 9 * 3600 + 15 * 60;
    let set = |role, since| {
        let config = SessionConfig {
            schedule: hours(now - 60, now + 600),
            reset: Reset::EachSession,
            ..SessionConfig::new(role, "US", "THEM")
        };
        let mut play = play(config, 8, 9);
        play.numbers.since = START.plus(since * SECOND);
        play
    };
    set(Role::Initiator, -61).check(
        "
        connect                -> reset; A #1 98=0|108=30|141=Y
        A #1 98=0|108=30|141=Y -> on
    ",
    );
    set(Role::Initiator, -60).check("connect -> A #8 98=0|108=30");
    // A journal that was lost within the session: what the peer remembers of it would stop every log-on.
    let mut lost = set(Role::Initiator, -60);
    lost.numbers.fresh = true;
    lost.check("connect -> reset; A #1 98=0|108=30|141=Y");
    set(Role::Acceptor, -61).check(
        "
        connect          ->
        A #1 98=0|108=30 -> reset; A #1 98=0|108=30; on
    ",
    );
    set(Role::Acceptor, -60).check(
        "
        connect          ->
        A #9 98=0|108=30 -> A #8 98=0|108=30; on
    ",
    );
}

#[test]
fn a_line_that_brings_nothing_but_garbage_is_closed() {
    let mut play = accepted("");
    for _ in 1..GARBLED_MAX {
        play.check("garbled ->");
    }
    play.check("0 #2 ->");
    for _ in 1..GARBLED_MAX {
        play.check("garbled ->");
    }
    play.check("garbled -> off: the peer broke the protocol: 100 messages in a row are garbled");
}

#[test]
fn a_reject_that_can_not_be_read_is_not_rejected() {
    accepted(
        "
        3 #2 58=what     ->
        1 #3 112=A       -> 0 #2 112=A
    ",
    );
}

#[test]
fn an_initiator_resets_as_it_is_set() {
    let set = |reset, next_out, next_in| {
        let config = SessionConfig {
            reset,
            ..SessionConfig::new(Role::Initiator, "US", "THEM")
        };
        play(config, next_out, next_in)
    };
    set(Reset::Always, 8, 9).check(
        "
        connect                -> reset; A #1 98=0|108=30|141=Y
        A #1 98=0|108=30|141=Y -> on
        A #1 98=0|108=30|141=Y -> reset; A #1 98=0|108=30|141=Y
    ",
    );
    set(Reset::WhenFresh, 8, 9).check("connect -> A #8 98=0|108=30");
    set(Reset::WhenFresh, 1, 1).check("connect -> A #1 98=0|108=30|141=Y");
    let mut unanswered = set(Reset::WhenFresh, 2, 1);
    unanswered.numbers.fresh = true;
    unanswered.check("connect -> reset; A #1 98=0|108=30|141=Y");
    // A peer that lost the end of its own journal would be refused for ever; the reset is asked for once.
    let behind = "MsgSeqNum too low, expecting 9 but received 5";
    set(Reset::WhenFresh, 8, 9).check(&format!(
        "
        connect                -> A #8 98=0|108=30
        A #5 98=0|108=30       -> 5 #9 58={behind}; off: {behind}
        connect                -> reset; A #1 98=0|108=30|141=Y
        connect                -> A #8 98=0|108=30
    "
    ));
    set(Reset::Never, 8, 9).check(&format!(
        "
        connect                -> A #8 98=0|108=30
        A #5 98=0|108=30       -> 5 #9 58={behind}; off: {behind}
        connect                -> A #8 98=0|108=30
    "
    ));
    initiator(4, 1).check("
        connect                -> A #4 98=0|108=30
        A #1 98=0|108=30|141=Y -> off: the first message was not a usable logon: the peer reset the sequence numbers unasked
    ");
}

#[test]
fn the_number_to_persist_waits_for_the_application() {
    let mut play = accepted(
        "
        0 #2             ->
        j #3 372=D|380=0 -> give 3
        j #4 372=D|380=0 -> give 4
        0 #5             ->
    ",
    );
    for (does, number) in [
        ("recorded 2 ->", 3),
        ("recorded 3 ->", 4),
        ("recorded 4 ->", 6),
        ("0 #6 ->", 7),
    ] {
        play.check(does);
        assert_eq!(play.session.inbound_to_record(), number, "{does}");
    }
}

#[test]
fn a_reject_of_our_message_reaches_the_application() {
    accepted("3 #2 45=1 -> give 2");
}

#[test]
fn nothing_is_sent_for_the_application_while_not_logged_on() {
    acceptor().check(
        "
        send C0 ->
        connect ->
        send C1 ->
    ",
    );
}

fn record(seq: u64, kind: Kind) -> Record {
    let header = Header {
        kind: b"D",
        seq,
        sending_time: START,
        poss_dup: false,
        more: &[(tag::POSS_RESEND, b"Y")],
    };
    let identity = SessionConfig::new(Role::Initiator, "US", "THEM").identity;
    Record {
        seq,
        kind,
        id: String::new(),
        position: 0,
        sending_time: START,
        bytes: frame(&identity, &header, b"11=a\x01"),
    }
}

#[test]
fn a_replay_covers_every_number_with_the_message_or_a_gap_fill() {
    let first = START.to_string();
    let now = START.plus(60 * SECOND);
    let again = |seq: u64| format!("D #{seq} 43=Y|97=Y|122={first}|11=a");
    let fill = |seq: u64, to: u64| format!("4 #{seq} 43=Y|122={now}|36={to}|123=Y");
    use Resend::{Again, GapFill};
    for (kinds, decisions, to, expected) in [
        ("app app", vec![Again, Again], 3, vec![again(2), again(3)]),
        (
            "app app",
            vec![GapFill, Again],
            3,
            vec![fill(2, 3), again(3)],
        ),
        (
            "app app",
            vec![Again, GapFill],
            3,
            vec![again(2), fill(3, 4)],
        ),
        ("app app", vec![], 3, vec![fill(2, 4)]),
        (
            "admin app admin admin app",
            vec![Again, GapFill],
            6,
            vec![fill(2, 3), again(3), fill(4, 7)],
        ),
        ("", vec![], 4, vec![fill(2, 5)]),
    ] {
        let records: Vec<_> = kinds
            .split_whitespace()
            .zip(2..)
            .map(|(kind, seq)| {
                record(
                    seq,
                    if kind == "app" {
                        Kind::App
                    } else {
                        Kind::Admin
                    },
                )
            })
            .collect();
        let replay = Replay {
            from: 2,
            to,
            records: &records,
            decisions: &decisions,
        };
        let mut session = initiator(100, 1).session;
        session.connected(
            Numbers {
                next_out: 100,
                next_in: 1,
                fresh: false,
                since: START,
            },
            START,
        );
        let frames: Vec<_> = session.replay(&replay, now).iter().map(sent).collect();
        assert_eq!(frames, expected, "{kinds} {decisions:?}");
    }
}

#[test]
fn what_may_be_on_its_way_goes_again_and_a_decision_holds_for_the_connection() {
    let mut play = initiator(4, 1);
    play.act("connect");
    let records: Vec<_> = (2..6).map(|seq| record(seq, Kind::App)).collect();
    let mut answer = |decisions: &[Resend]| {
        let asked: Vec<_> = play
            .session
            .undecided(&records)
            .map(|record| record.seq)
            .collect();
        let replay = Replay {
            from: 2,
            to: 5,
            records: &records,
            decisions,
        };
        let frames = play.session.replay(&replay, START);
        let frames: Vec<_> = frames
            .iter()
            .map(|bytes| sent(bytes)[..4].to_owned())
            .collect();
        (asked, frames.join(","))
    };
    let same = "D #2,4 #3,D #4,D #5".to_owned();
    assert_eq!(
        answer(&[Resend::Again, Resend::GapFill]),
        (vec![2, 3], same.clone())
    );
    assert_eq!(answer(&[]), (vec![], same));
}

mod soup {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn field() -> impl Strategy<Value = String> {
        let tag = select(
            &[
                7_u32, 16, 34, 36, 43, 45, 49, 52, 56, 97, 98, 108, 112, 122, 123, 141, 11, 6, 1000,
            ][..],
        );
        let value = prop_oneof![
            "[0-9]{1,19}",
            Just("Y".to_owned()),
            Just("THEM".to_owned()),
            Just("US".to_owned()),
            Just(START.to_string()),
            "[ -{}~]{0,6}",
        ];
        (tag, value).prop_map(|(tag, value)| format!("{tag}={value}|"))
    }

    fn whole() -> impl Strategy<Value = String> {
        let kind = select(&["0", "1", "2", "3", "4", "5", "A", "D", "8", "j", "*", "AF"][..]);
        let sane = any::<bool>();
        (
            kind,
            sane,
            0_u64..6,
            proptest::collection::vec(field(), 0..6),
        )
            .prop_map(|(kind, sane, seq, fields)| {
                let head = if sane {
                    format!("34={seq}|49=THEM|52={START}|56=US|")
                } else {
                    String::new()
                };
                format!("35={kind}|{head}{}", fields.concat())
            })
    }

    proptest! {
        #[test]
        fn nothing_a_peer_sends_panics_or_skips_a_number(
            acceptor: bool,
            messages in proptest::collection::vec((whole(), 0_i64..20), 0..40),
        ) {
            let mut play = if acceptor { super::acceptor() } else { initiator(1, 1) };
            play.act("connect");
            if !acceptor {
                play.act("A #1 98=0|108=30");
            }
            let mut next = 1;
            for (fields, seconds) in messages {
                let bytes = frame_of_version("FIX.4.4", &fields);
                let message = Message::decode(bytes.into()).expect("a whole message");
                play.session.received(&message, play.now);
                play.now = play.now.plus(seconds * SECOND);
                play.session.tick(play.now);
                prop_assert!(play.session.held.len() <= HELD_MESSAGES_MAX);
                while let Some(output) = play.session.next_output() {
                    match output {
                        Output::Send(record) => {
                            prop_assert_eq!(record.seq, next);
                            next += 1;
                        }
                        Output::ResetJournal => next = 1,
                        Output::ResendRequested { from, to } => prop_assert!(1 <= from && from <= to && to < next),
                        Output::Deliver(_) | Output::LoggedOn(_) | Output::Disconnect(_) => {}
                    }
                }
            }
        }
    }
}
