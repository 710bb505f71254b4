use super::*;
use crate::encode::frame_of_version;
use crate::message::RejectReason;

const HEAD: &str = "34=2|49=A|52=20261120-09:15:00|56=B|";
const ORDER: &str = "35=D|{}11=a|21=1|38=100|40=1|54=1|55=X|60=20261120-09:15:00|";

/// Reason and tag of the first fault; `{}` stands for a header.
fn fault(version: &str, user_defined: UserDefined, fields: &str) -> Option<(RejectReason, String)> {
    let bytes = frame_of_version(version, &fields.replace("{}", HEAD));
    let message = crate::Message::decode(bytes.into()).expect("a whole message");
    let dictionary = Dictionary::of(version.as_bytes()).expect("a known version");
    let malformed = dictionary.check(&message, user_defined).err()?;
    Some((malformed.reason, malformed.tag.unwrap_or_default()))
}

#[test]
fn what_is_wrong_is_named_by_reason_and_tag() {
    use RejectReason::*;
    for (fields, reason, tag) in [
        ("35=*|{}", InvalidMessageType, ""),
        ("35=0|34=2|49=A|56=B|", RequiredTagMissing, "52"),
        ("35=1|{}", RequiredTagMissing, "112"),
        (
            "35=D|{}40=1|54=1|55=X|60=20261120-09:15:00|",
            RequiredTagMissing,
            "11",
        ),
        ("35=0|{}112=|", NoValue, "112"),
        ("35=0|34=2|49=A|52=|56=B|", NoValue, "52"),
        ("35=0|{}55=X|", TagNotDefinedForType, "55"),
        ("35=0|{}999=x|", InvalidTag, "999"),
        ("35=0|{}0=x|", InvalidTag, "0"),
        ("35=0|{}-5=x|", InvalidTag, "-5"),
        ("35=0|{}5001=x|", InvalidTag, "5001"),
        (&ORDER.replace("21=1", "21=4"), ValueOutOfRange, "21"),
        (
            &ORDER.replace("21=1", "18=1 2 !|21=1"),
            ValueOutOfRange,
            "18",
        ),
        (&ORDER.replace("38=100", "38=+100"), Format, "38"),
        (&ORDER.replace("38=100", "38=1.5.1"), Format, "38"),
        (&ORDER.replace("38=100", "38=."), Format, "38"),
        (&ORDER.replace("54=1", "54=12"), Format, "54"),
        (
            &ORDER.replace("60=20261120-09", "60=20261120-25"),
            Format,
            "60",
        ),
        (&ORDER.replace("60=", "200=202613|60="), Format, "200"),
        (&ORDER.replace("60=", "432=20260230|60="), Format, "432"),
        (&ORDER.replace("40=1|", "40=1|40=2|"), RepeatedTag, "40"),
        (&ORDER.replace("60=", "386=2|336=A|60="), GroupCount, "386"),
        (&ORDER.replace("60=", "386=0|336=A|60="), GroupCount, "386"),
        (
            &ORDER.replace("60=", "386=1|336=A|336=B|60="),
            GroupCount,
            "386",
        ),
        (
            &ORDER.replace("60=", "78=1|80=5|79=A|60="),
            GroupOrder,
            "80",
        ),
        (
            &ORDER.replace("60=", "78=1|79=A|80=5|80=6|60="),
            RepeatedTag,
            "80",
        ),
        (&ORDER.replace("60=", "78=x|79=A|60="), Format, "78"),
        // A member of a group that stands without it is defined, but not there.
        (
            &ORDER.replace("60=", "79=A|60="),
            TagNotDefinedForType,
            "79",
        ),
    ] {
        for version in ["FIX.4.2", "FIX.4.4"] {
            let found = fault(version, UserDefined::Refused, fields);
            let (found, found_tag) = found.unwrap_or_else(|| panic!("{version} takes {fields}"));
            assert_eq!(
                (found, found_tag.as_str()),
                (reason, tag),
                "{version} {fields}"
            );
        }
    }
}

#[test]
fn what_the_standard_allows_passes() {
    let nested = "35=J|{}70=a|71=0|626=1|857=0|54=1|55=X|53=1|6=1|75=20261120|\
                  78=2|79=A|80=1|539=1|524=P|804=2|545=S|545=T|79=B|80=2|58=end|";
    for (version, fields) in [
        ("FIX.4.2", ORDER),
        ("FIX.4.4", ORDER),
        ("FIX.4.4", &ORDER.replace("21=1|", "")),
        ("FIX.4.4", &ORDER.replace("21=1", "18=1 2 G|21=1")),
        ("FIX.4.4", &ORDER.replace("38=100", "38=002000.00")),
        (
            "FIX.4.4",
            &ORDER.replace("60=", "386=2|336=A|625=x|336=B|60="),
        ),
        ("FIX.4.4", &ORDER.replace("60=", "453=0|60=")),
        ("FIX.4.4", nested),
        ("FIX.4.2", "35=0|{}"),
        ("FIX.4.4", "35=0|{}"),
        ("FIX.4.4", "35=A|{}98=0|108=30|141=Y|384=1|372=D|385=S|"),
        ("FIX.4.4", "35=6|{}23=a|28=N|55=X|54=1|27=L|"),
        ("FIX.4.4", "35=6|{}23=a|28=N|55=X|54=1|27=1500|"),
    ] {
        let found = fault(version, UserDefined::Refused, fields);
        assert_eq!(found, None, "{version} {fields}");
    }
    let agreed = &ORDER.replace("60=", "9001=x|9001=y|60=");
    assert_eq!(fault("FIX.4.4", UserDefined::Taken, agreed), None);
    let unknown = fault("FIX.4.4", UserDefined::Taken, "35=0|{}999=x|");
    assert_eq!(unknown, Some((RejectReason::InvalidTag, "999".to_owned())));
}

#[test]
fn every_tag_of_a_message_is_a_field_and_every_group_has_a_first() {
    fn walk(dictionary: &Dictionary, members: &Members, within: &str) {
        for (tag, place) in members.places.iter().enumerate() {
            if *place != Place::Elsewhere {
                let tag = u32::try_from(tag).expect("a tag");
                assert!(dictionary.field(tag).is_some(), "{tag} in {within}");
            }
        }
        for group in &members.groups {
            assert_ne!(group.place(group.first), Place::Elsewhere, "{within}");
            walk(dictionary, group, within);
        }
    }
    for (version, fields, messages) in [
        ("FIX.4.0", 138, 27),
        ("FIX.4.1", 206, 28),
        ("FIX.4.2", 405, 46),
        ("FIX.4.3", 635, 68),
        ("FIX.4.4", 912, 93),
        ("FIXT.1.1", 1454, 115),
    ] {
        let dictionary = Dictionary::of(version.as_bytes()).expect("a known version");
        assert_eq!(dictionary.fields.iter().flatten().count(), fields);
        assert_eq!(dictionary.messages.len(), messages);
        for members in [&dictionary.header, &dictionary.trailer] {
            walk(dictionary, members, "header and trailer");
        }
        for message in dictionary.messages.values() {
            walk(dictionary, &message.body, message.name);
        }
    }
    let known = Dictionary::of(b"FIX.4.4").expect("a known version");
    assert_eq!(known.field_name(11), Some("ClOrdID"));
    assert_eq!(known.message_name(b"D"), Some("NewOrderSingle"));
    assert!(
        known.is_in_group(b"AE", 552, 448),
        "parties stand in a side"
    );
    assert!(!known.is_in_group(b"AE", 552, 570));
    assert!(Dictionary::of(b"FIX.5.0").is_none());
}
