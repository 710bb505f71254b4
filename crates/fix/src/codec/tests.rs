use super::*;
use crate::encode::frame_for_tests as whole;
use proptest::prelude::*;

/// `|` for the separator; `M` plus type per message, `G` per garbled frame.
fn decode(bytes: &[u8]) -> String {
    let mut decoder = Decoder::default();
    decoder.buffer.extend_from_slice(bytes);
    let mut found = String::new();
    while let Some(frame) = decoder.next() {
        match frame {
            Frame::Message(message) => {
                found += &format!("M{} ", String::from_utf8_lossy(message.kind()));
            }
            Frame::Garbled(why) => found += &format!("{why:?} "),
        }
    }
    found.trim_end().to_owned()
}

fn wire(text: &str) -> Vec<u8> {
    text.replace('|', "\x01").into_bytes()
}

#[test]
fn the_stream_goes_on_behind_what_is_no_message() {
    let beat = whole("35=0|34=2|49=A|56=B|");
    let order = whole("35=D|34=3|49=A|56=B|11=x|");
    let with = |bytes: Vec<u8>| [bytes, beat.clone()].concat();
    for (name, bytes, found) in [
        (
            "two messages",
            [beat.clone(), order.clone()].concat(),
            "M0 MD",
        ),
        ("garbage before", with(wire("GET / HTTP/1.1|58=8=x|")), "M0"),
        (
            "length too short",
            with(wire("8=FIX.4.4|9=12|35=0|34=2|49=A|56=B|10=000|")),
            "Length M0",
        ),
        (
            "length too long",
            [
                wire("8=FIX.4.4|9=40|35=0|34=2|49=A|56=B|10=000|"),
                beat.clone(),
                order.clone(),
            ]
            .concat(),
            "Length MD",
        ),
        (
            "length not a number",
            with(wire("8=FIX.4.4|9=x|35=0|10=000|")),
            "Length M0",
        ),
        (
            "length above the limit",
            with(wire("8=FIX.4.4|9=70000|35=0|10=000|")),
            "Length M0",
        ),
        (
            "no length",
            with(wire("8=FIX.4.4|35=0|34=2|10=000|")),
            "Start M0",
        ),
        (
            "checksum wrong",
            with(wire("8=FIX.4.4|9=5|35=0|10=000|")),
            "Checksum M0",
        ),
        (
            "checksum of one digit",
            with(wire("8=FIX.4.4|9=5|35=0|10=1|")),
            "Checksum M0",
        ),
        ("type not third", with(whole("34=2|35=0|49=A|")), "Start M0"),
        ("tag not a number", with(whole("35=0|4x9=A|")), "Field M0"),
        ("field without equals", with(whole("35=0|xx|")), "Field M0"),
        ("empty", vec![], ""),
    ] {
        assert_eq!(decode(&bytes), found, "{name}");
    }
}

#[test]
fn a_data_field_may_hold_the_separator() {
    let Ok(message) = Message::decode(whole("35=A|95=5|96=a|b=c|108=30|").into()) else {
        panic!("the message is whole");
    };
    assert_eq!(message.get(96), Some(&b"a\x01b=c"[..]));
    assert_eq!(message.get(108), Some(&b"30"[..]));
}

#[test]
fn an_impossible_tag_is_kept_for_the_reject() {
    let Ok(message) = Message::decode(whole("35=0|34=2|-1=HI|").into()) else {
        panic!("the message is whole");
    };
    let field = message.fields()[4];
    assert_eq!((field.tag, message.tag_text(field)), (0, &b"-1"[..]));
}

#[test]
fn a_message_in_pieces_is_found_once() {
    let beat = whole("35=0|34=2|49=A|56=B|");
    for cut in 0..beat.len() {
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(&beat[..cut]);
        assert_eq!(decoder.next(), None, "cut at {cut}");
        decoder.buffer.extend_from_slice(&beat[cut..]);
        assert!(
            matches!(decoder.next(), Some(Frame::Message(_))),
            "cut at {cut}"
        );
    }
}

#[test]
fn an_endless_message_does_not_grow_the_buffer() {
    let mut decoder = Decoder::default();
    decoder
        .buffer
        .extend_from_slice(b"8=FIX.4.4\x019=60000\x01");
    for _ in 0..100 {
        decoder.buffer.extend_from_slice(&[b'x'; 4096]);
        while decoder.next().is_some() {}
        assert!(decoder.buffer.len() <= 2 * MESSAGE_BYTES_MAX);
    }
}

fn fixish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"8=FIX.4.4\x01".to_vec()),
        Just(b"9=".to_vec()),
        Just(b"10=000\x01".to_vec()),
        Just(b"\x01".to_vec()),
        Just(b"95=3\x0196=a\x01b\x01".to_vec()),
        Just(whole("35=0|34=2|")),
        "[0-9]{1,6}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_never_panic(bytes in fixish(), cuts in proptest::collection::vec(1_usize..50, 1..20)) {
        let mut decoder = Decoder::default();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle().take(400) {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            decoder.buffer.extend_from_slice(now);
            while let Some(frame) = decoder.next() {
                if let Frame::Message(message) = frame {
                    let _ = (message.body_bytes(), message.body().count());
                }
            }
            rest = later;
        }
    }
}
