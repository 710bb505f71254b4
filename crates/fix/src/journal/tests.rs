use std::path::Path;

use super::*;

const NOW: Timestamp = Timestamp(1_777_540_500_000_000_000);

fn open(folder: &Path) -> Journal {
    Journal::open(folder, "US", "THEM", NOW).expect("the journal opens")
}

fn record(seq: u64, kind: Kind) -> Record {
    let app = kind == Kind::App;
    Record {
        seq,
        kind,
        id: if app {
            format!("C{seq}")
        } else {
            String::new()
        },
        position: if app { seq * 10 } else { 0 },
        sending_time: NOW,
        bytes: Bytes::from(format!("message {seq}")),
    }
}

fn mixed(count: u64) -> Vec<Record> {
    (1..=count)
        .map(|seq| record(seq, if seq % 3 == 0 { Kind::Admin } else { Kind::App }))
        .collect()
}

fn all(journal: &Journal) -> Vec<Record> {
    journal.iter().collect::<Result<_, _>>().expect("readable")
}

fn log(folder: &Path) -> PathBuf {
    folder.join(CURRENT)
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let records = mixed(1200);
    {
        let mut journal = open(folder.path());
        journal.append(&records[..1]).unwrap();
        journal.append(&records[1..1199]).unwrap();
        journal.append(&records[1199..]).unwrap();
        journal.record_inbound(7).unwrap();
        assert_eq!(all(&journal), records);
    }
    let journal = open(folder.path());
    assert_eq!(all(&journal), records);
    assert_eq!(
        (journal.last_seq(), journal.last_position()),
        (1200, 11_990)
    );
    assert_eq!(journal.next_inbound(), 7);
    assert_eq!(journal.records(600, 602).unwrap(), records[599..602]);
    assert_eq!(journal.records(1199, 9999).unwrap(), records[1198..]);
    assert_eq!(journal.records(1201, 1300).unwrap(), []);
}

#[test]
fn numbers_must_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let wrong = journal.append(&[record(2, Kind::App)]);
    assert!(matches!(
        wrong,
        Err(JournalError::OutOfOrder { seq: 2, last: 0 })
    ));
    journal.append(&[record(1, Kind::App)]).unwrap();
}

#[test]
fn a_tail_torn_at_any_byte_loses_only_the_torn_record() {
    let folder = tempfile::tempdir().unwrap();
    let records = mixed(4);
    open(folder.path()).append(&records[..3]).unwrap();
    let kept = std::fs::metadata(log(folder.path())).unwrap().len();
    open(folder.path()).append(&records[3..]).unwrap();
    let whole = std::fs::read(log(folder.path())).unwrap();
    for cut in kept..whole.len() as u64 {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(log(folder.path()), &whole[..cut as usize]).unwrap();
        let mut journal = open(folder.path());
        assert_eq!(all(&journal), records[..3], "cut at {cut}");
        journal.append(&records[3..]).unwrap();
        drop(journal);
        assert_eq!(all(&open(folder.path())), records, "cut at {cut}");
    }
}

#[test]
fn zeros_behind_the_last_record_are_room_for_more() {
    let folder = tempfile::tempdir().unwrap();
    let records = mixed(4);
    let mut journal = open(folder.path());
    journal.append(&records[..2]).unwrap();
    let length = || std::fs::metadata(log(folder.path())).unwrap().len();
    let room = length();
    assert!(room >= ROOM_BYTES_MIN, "{room}");
    journal.append(&records[2..3]).unwrap();
    assert_eq!(length(), room, "the file did not grow");
    // Killed: nothing is cut off.
    let killed = tempfile::tempdir().unwrap();
    std::fs::copy(log(folder.path()), log(killed.path())).unwrap();
    drop(journal);
    assert!(length() < ROOM_BYTES_MIN, "the room was given back");
    for folder in [folder, killed] {
        let mut journal = open(folder.path());
        assert_eq!(all(&journal), records[..3]);
        journal.append(&records[3..]).unwrap();
        drop(journal);
        assert_eq!(all(&open(folder.path())), records);
        let torn = std::fs::read_dir(folder.path()).unwrap();
        let mut torn = torn.map(|entry| entry.unwrap().path());
        assert!(!torn.any(|path| path.extension().is_some_and(|e| e == "torn")));
    }
}

#[test]
fn a_record_torn_in_the_middle_of_the_room_loses_only_itself() {
    let records = mixed(4);
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(&records).unwrap();
    let whole = std::fs::read(log(folder.path())).unwrap();
    let last = whole.len() - format::size_hint(&records[3]);
    for zeroed in last..whole.len() - 1 {
        for reach in [1, 7, whole.len()] {
            let folder = tempfile::tempdir().unwrap();
            let mut torn = whole.clone();
            let until = torn.len().min(zeroed + reach);
            torn[zeroed..until].fill(0);
            if torn == whole {
                continue;
            }
            torn.resize(whole.len() + 10_000, 0);
            std::fs::write(log(folder.path()), &torn).unwrap();
            let mut journal = open(folder.path());
            assert_eq!(all(&journal), records[..3], "{zeroed} and {reach}");
            journal.append(&records[3..]).unwrap();
            drop(journal);
            assert_eq!(all(&open(folder.path())), records, "{zeroed} and {reach}");
        }
    }
}

#[test]
fn a_flipped_byte_in_the_tail_cuts_it_off_and_keeps_it_aside() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(&mixed(2)).unwrap();
    let mut bytes = std::fs::read(log(folder.path())).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(log(folder.path()), &bytes).unwrap();
    assert_eq!(open(folder.path()).last_seq(), 1);
    let torn = std::fs::read_dir(folder.path()).unwrap();
    let torn: Vec<_> = torn
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "torn"))
        .collect();
    assert_eq!(torn.len(), 1);
    assert!(bytes.ends_with(&std::fs::read(&torn[0]).unwrap()));
}

#[test]
fn a_head_that_is_unreadable_is_an_error_not_an_empty_journal() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(&mixed(2)).unwrap();
    let mut bytes = std::fs::read(log(folder.path())).unwrap();
    bytes[20] ^= 1;
    std::fs::write(log(folder.path()), &bytes).unwrap();
    let error = Journal::open(folder.path(), "US", "THEM", NOW).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
}

#[test]
fn one_process_at_a_time_holds_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let held = open(folder.path());
    let error = Journal::open(folder.path(), "US", "THEM", NOW).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    drop(held);
    open(folder.path());
}

#[test]
fn a_journal_of_another_session_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let error = Journal::open(folder.path(), "US", "OTHER", NOW).unwrap_err();
    assert!(
        matches!(error, JournalError::OtherSession { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("US -> THEM"), "{error}");
}

#[test]
fn a_reset_starts_a_generation_and_keeps_the_old_file_and_position() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut journal = open(folder.path());
        journal.append(&mixed(5)).unwrap();
        journal.record_inbound(9).unwrap();
        journal.reset(NOW).unwrap();
        assert_eq!((journal.last_seq(), journal.next_inbound()), (0, 1));
        journal.append(&[record(1, Kind::Admin)]).unwrap();
    }
    let journal = open(folder.path());
    assert_eq!((journal.generation(), journal.last_seq()), (2, 1));
    assert!(!journal.has_app());
    assert_eq!((journal.last_position(), journal.next_inbound()), (50, 1));
    let old = folder.path().join(format!("outbound-000001-{}.log", NOW.0));
    let scan = format::scan(&File::open(&old).unwrap(), &old).unwrap();
    assert_eq!(scan.starts.len(), 5);
}

#[test]
fn a_reset_cut_off_at_any_step_is_done_or_undone_by_the_next_opening() {
    let before = tempfile::tempdir().unwrap();
    {
        let mut journal = open(before.path());
        journal.append(&mixed(2)).unwrap();
        journal.record_inbound(3).unwrap();
        let head = Head {
            generation: 2,
            base_position: 20,
            ..journal.head.clone()
        };
        create(before.path(), &head).unwrap();
    }
    let journal = open(before.path());
    assert_eq!(
        (
            journal.generation(),
            journal.last_seq(),
            journal.next_inbound()
        ),
        (1, 2, 3)
    );
    drop(journal);
    let old = before.path().join("outbound-000001-5.log");
    std::fs::rename(log(before.path()), old).unwrap();
    let journal = open(before.path());
    assert_eq!(
        (
            journal.generation(),
            journal.last_seq(),
            journal.next_inbound()
        ),
        (2, 0, 1)
    );
    assert_eq!(journal.last_position(), 20);
    drop(journal);
    std::fs::remove_file(log(before.path())).unwrap();
    let error = Journal::open(before.path(), "US", "THEM", NOW).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
}

#[test]
fn a_batch_that_never_came_back_stops_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    drop(journal.prepare(&[record(1, Kind::App)]).unwrap());
    let error = journal.append(&[record(1, Kind::App)]).unwrap_err();
    assert!(matches!(error, JournalError::Failed { .. }), "{error}");
}

#[test]
fn a_disk_that_refuses_the_write_stops_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    // A file opened for reading stands for a disk that takes no more.
    journal.file = Arc::new(File::open(log(folder.path())).unwrap());
    let error = journal.append(&[record(1, Kind::App)]).unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    let error = journal.append(&[record(1, Kind::App)]).unwrap_err();
    assert!(matches!(error, JournalError::Failed { .. }), "{error}");
}

#[test]
fn a_spoiled_slot_falls_back_to_the_number_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inbound.num");
    let mut number = InboundNumber::open(&path, 1).unwrap();
    for next in [5, 8, 13] {
        number.set(next).unwrap();
    }
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[SLOT] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(InboundNumber::open(&path, 1).unwrap().next(), 8);
    assert_eq!(InboundNumber::open(&path, 2).unwrap().next(), 1);
}

/// A byte inside the slot that the third write went to.
const SLOT: usize = 4096 + 10;

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let long = Record {
        id: "x".repeat(70_000),
        ..record(1, Kind::App)
    };
    let error = journal.append(&[long]).unwrap_err();
    assert!(matches!(error, JournalError::TooLong { seq: 1 }), "{error}");
    journal.append(&[record(1, Kind::App)]).unwrap();
    let error = Journal::open(folder.path(), "", "THEM", NOW).unwrap_err();
    assert!(matches!(error, JournalError::CompIds { .. }), "{error}");
}

#[test]
fn a_batch_still_being_written_keeps_the_journal_held() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let batch = journal.prepare(&[record(1, Kind::App)]).unwrap();
    drop(journal);
    let error = Journal::open(folder.path(), "US", "THEM", NOW).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    drop(batch.write().unwrap());
    assert_eq!(open(folder.path()).last_seq(), 1);
}

#[test]
fn a_journal_prints_its_messages_by_name_and_says_what_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let fix = |seq, kind, id: &str, fields: &str| Record {
        seq,
        kind,
        id: id.to_owned(),
        position: seq * 10,
        sending_time: NOW,
        bytes: crate::encode::frame_for_tests(fields).into(),
    };
    {
        let mut journal = open(folder.path());
        journal
            .append(&[fix(1, Kind::Admin, "", "35=A|34=1|49=US|98=0|108=30|")])
            .unwrap();
        journal.reset(NOW.plus(1_000_000_000)).unwrap();
        let order = "35=D|34=1|49=US|11=C1|38=65|54=2|58=two\nlines|9001=x|";
        journal.append(&[fix(1, Kind::App, "C1", order)]).unwrap();
        journal.record_inbound(4).unwrap();
    }
    let path = folder.path().join(CURRENT);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"torn");
    std::fs::write(&path, bytes).unwrap();
    let mut printed = Vec::new();
    print(folder.path(), &mut printed).unwrap();
    assert_eq!(
        String::from_utf8(printed).unwrap(),
        "US -> THEM, generation 1 of 20260430-09:15:00.000, 1 messages\n\
         #1 20260430-09:15:00.000 Logon (A) EncryptMethod=0 HeartBtInt=30\n\
         US -> THEM, generation 2 of 20260430-09:15:01.000, 1 messages, expects number 4 next\n\
         #1 20260430-09:15:00.000 NewOrderSingle (D) id C1 at 10: ClOrdID=C1 OrderQty=65 Side=2 Text=two\\nlines 9001=x\n\
         4 bytes behind it are no whole record\n"
    );
    let nothing = print(&folder.path().join("elsewhere"), &mut Vec::new());
    assert!(matches!(nothing, Err(JournalError::Io { .. })));
}

#[test]
fn the_history_tells_of_all_generations_and_whether_one_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    journal.append(&mixed(1_200)).unwrap();
    journal.reset(NOW).unwrap();
    journal.reset(NOW).unwrap();
    journal.append(&[record(1, Kind::App)]).unwrap();
    let apps = mixed(1_200);
    let apps = apps.into_iter().filter(|record| record.kind == Kind::App);
    let mut ids = Vec::from_iter(apps.map(|record| record.id));
    ids.push("C1".into());
    let history = journal.history().unwrap();
    assert_eq!((history.ids, history.complete), (ids, true));
    let first = format!("outbound-000001-{}.log", NOW.0);
    std::fs::remove_file(folder.path().join(first)).unwrap();
    let history = journal.history().unwrap();
    assert_eq!(
        (history.ids, history.complete),
        (vec!["C1".to_owned()], false)
    );
}
