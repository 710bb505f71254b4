//! What a broken or hostile peer can send once it is logged on, over real sockets: the session survives, or ends as FIX says.

use squareoff_fix::Timestamp;
use squareoff_fix::codec::checksum;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::ends::*;

/// A whole message of GATE to EXCH; `|` separates, 49, 52 and 56 are filled in unless they are there.
fn whole(fields: &str) -> Vec<u8> {
    let mut inner = fields.to_owned();
    let now = Timestamp::now().to_string();
    for (tag, value) in [("49", "GATE"), ("52", now.as_str()), ("56", "EXCH")] {
        if !fields.contains(&format!("|{tag}=")) {
            // Behind MsgType and MsgSeqNum, where headers end.
            let at = inner
                .match_indices('|')
                .nth(1)
                .map_or(inner.len(), |(at, _)| at + 1);
            inner.insert_str(at, &format!("{tag}={value}|"));
        }
    }
    let inner = inner.replace('|', "\x01");
    let mut bytes = format!("8=FIX.4.4\x019={}\x01{inner}", inner.len()).into_bytes();
    let sum = checksum(&bytes);
    bytes.extend_from_slice(format!("10={sum:03}\x01").as_bytes());
    bytes
}

fn wire(text: &str) -> Vec<u8> {
    text.replace('|', "\x01").into_bytes()
}

/// What an acceptor says after a log-on, these bytes, a sign of life with this number, and a log-out.
async fn after(bytes: &[u8], alive: u64) -> String {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let exchange = exchange(place.folders[1].path(), &place.exchange, listener);
    let stream = TcpStream::connect(address).await.unwrap();
    let mut all = logon("GATE", "EXCH");
    all.extend_from_slice(bytes);
    all.extend_from_slice(&whole(&format!("35=1|34={alive}|112=ALIVE|")));
    all.extend_from_slice(&whole(&format!("35=5|34={}|", alive + 1)));
    let answer = say(stream, &all).await;
    exchange.stop().await;
    answer.replace('\x01', "|")
}

#[tokio::test]
async fn what_is_no_message_is_passed_over_and_the_session_goes_on() {
    let beat = whole("35=0|34=2|");
    let cut = [&beat[..30], &beat].concat();
    let order = "35=D|34=2|11=a|55=X|54=1|40=1|60=20261120-09:15:00|";
    for (name, bytes, alive) in [
        ("checksum wrong", wire("8=FIX.4.4|9=5|35=0|10=000|"), 2),
        (
            "length too short",
            wire("8=FIX.4.4|9=9|35=0|34=2|49=GATE|10=000|"),
            2,
        ),
        (
            "length of a gigabyte",
            wire("8=FIX.4.4|9=1000000000|35=D|11=a|10=000|"),
            2,
        ),
        (
            "length beyond any number",
            wire("8=FIX.4.4|9=99999999999999999999|35=D|10=000|"),
            2,
        ),
        ("length negative", wire("8=FIX.4.4|9=-5|35=0|10=000|"), 2),
        ("cut in the middle, which swallows the next", cut, 2),
        (
            "another protocol",
            b"GET / HTTP/1.1\r\nHost: fix\r\n\r\n".to_vec(),
            2,
        ),
        ("a megabyte of nothing", vec![b'x'; 1 << 20], 2),
        ("no tag", whole("35=0|34=2|what=x|"), 2),
        // These are read, refused in words, and use up their number.
        (
            "quantity negative and signed",
            whole(&format!("{order}38=+5|")),
            3,
        ),
        (
            "quantity beyond 64 bits",
            whole(&format!("{order}38=99999999999999999999|")),
            3,
        ),
        (
            "price beyond 64 bits",
            whole(&format!("{order}38=5|44=1e400|")),
            3,
        ),
        ("impossible tag", whole(&format!("{order}-3=x|")), 3),
        ("field without value", whole("35=0|34=2|112=|"), 3),
        ("unknown type", whole("35=*|34=2|"), 3),
    ] {
        let answer = after(&bytes, alive).await;
        assert!(answer.contains("|112=ALIVE|"), "{name}: {answer}");
        assert_eq!(answer.contains("|35=3|"), alive == 3, "{name}: {answer}");
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_session_in_words() {
    let hours_ago = Timestamp::now().plus(-5 * 3600 * 1_000_000_000);
    for (name, bytes, said) in [
        (
            "number too low",
            whole("35=0|34=1|"),
            "58=MsgSeqNum too low, expecting 2 but received 1",
        ),
        (
            "second log-on",
            whole("35=A|34=2|98=0|108=30|"),
            "58=Logon while logged on",
        ),
        ("no number", whole("35=0|112=x|"), "58=MsgSeqNum missing"),
        (
            "number that is none",
            whole("35=0|34=x|"),
            "58=MsgSeqNum missing",
        ),
        (
            "another sender",
            whole("35=0|34=2|49=OTHER|"),
            "58=CompID problem|372=0|373=9",
        ),
        (
            "another target",
            whole("35=0|34=2|56=OTHER|"),
            "58=CompID problem|372=0|373=9",
        ),
        (
            "clock off by hours",
            whole(&format!("35=0|34=2|52={hours_ago}|")),
            "58=SendingTime accuracy problem|372=0|373=10",
        ),
        (
            "another version",
            wire(
                &String::from_utf8(whole("35=0|34=2|"))
                    .unwrap()
                    .replace("FIX.4.4", "FIX.4.2"),
            ),
            "",
        ),
    ] {
        let answer = after(&bytes, 3).await;
        assert!(answer.contains(said), "{name}: {answer}");
        let ended = answer.contains("|35=5|") || said.is_empty();
        assert!(ended, "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_number_too_high_is_asked_for_and_what_came_early_waits() {
    let answer = after(&whole("35=0|34=7|"), 2).await;
    assert!(answer.contains("|35=2|34=2|"), "{answer}");
    assert!(answer.contains("|7=2|16=0|"), "{answer}");
    assert!(answer.contains("|112=ALIVE|"), "{answer}");
}

#[tokio::test]
async fn a_peer_that_vanishes_in_the_middle_of_a_message_can_come_back() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let exchange = exchange(place.folders[1].path(), &place.exchange, listener);
    for half in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let order = whole("35=D|34=1|11=a|55=X|");
        stream
            .write_all(&order[..order.len() / (half + 2)])
            .await
            .unwrap();
    }
    let gateway = place.gateway(address);
    gateway.send(new_order(1)).await;
    gateway
        .until("the report", |seen| reports(seen).len() == 1)
        .await;
    gateway.stop().await;
    exchange.stop().await;
}
