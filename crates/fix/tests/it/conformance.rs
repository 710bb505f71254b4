//! The runner of `make fix-conformance`: on scripts of our own, which show what it can tell, and on the public ones
//! where they are.

#[path = "../../conformance/acceptor.rs"]
mod acceptor;
#[path = "../../conformance/compare.rs"]
mod compare;
#[path = "../../conformance/fast.rs"]
mod fast;
#[path = "../../conformance/runner.rs"]
mod runner;
#[path = "../../conformance/script.rs"]
mod script;

use std::path::{Path, PathBuf};

use acceptor::Settings;
use runner::Outcome;
use script::{Step, parse};

fn settings(begin_string: &str) -> Settings {
    Settings {
        begin_string: begin_string.to_owned(),
        sender: "VENUE".to_owned(),
        target: "DESK".to_owned(),
        default_appl_ver_id: "9".to_owned(),
        latency_limit_s: 120,
    }
}

/// A script with `|` for the separator, and `(IN)` and `(OUT)` for the CompIDs and the time.
fn own(begin_string: &str, text: &str) -> (String, Vec<Step>) {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let text = lines.join("\n");
    let text = text
        .replace("I35", &format!("I8={begin_string}|35"))
        .replace("E35", &format!("E8={begin_string}|35"))
        .replace("(IN)", "49=DESK|52=<TIME>|56=VENUE")
        .replace("(OUT)", "49=VENUE|52=00000000-00:00:00.000|56=DESK")
        .replace('|', "\x01");
    ("own".to_owned(), parse(text.as_bytes()).unwrap())
}

fn play(begin_string: &str, text: &str) -> Outcome {
    let journals = tempfile::tempdir().unwrap();
    let scripts = [own(begin_string, text)];
    let settings = settings(begin_string);
    let named = runner::identity(&scripts, &settings);
    assert_eq!(named, settings, "the scripts say who the acceptor is");
    let mut outcomes = fast::run(&scripts, &settings, journals.path()).unwrap();
    outcomes.remove(0)
}

/// Its expected log-on has a BodyLength filled in from a SendingTime with milliseconds, as ours is.
const LOG_ON: &str = "
    iCONNECT
    I35=A|34=1|(IN)|98=0|108=10|
    E35=A|34=1|(OUT)|98=0|108=10|
";

#[test]
fn orders_are_echoed_in_each_dialect_and_a_possible_repeat_once() {
    for begin_string in ["FIX.4.2", "FIX.4.3", "FIX.4.4"] {
        let played = play(
            begin_string,
            &format!(
                "{LOG_ON}
                # fields in any order come back in ascending order, a group behind its count
                I35=D|34=2|(IN)|60=<TIME>|78=2|79=B|80=1|79=A|80=2|55=TCS|54=1|40=2|44=1.5|38=3|21=1|11=one|
                E35=D|34=2|(OUT)|11=one|21=1|38=3|40=2|44=1.5|54=1|55=TCS|60=<TIME>|78=2|79=B|80=1|79=A|80=2|
                I35=D|34=3|(IN)|97=Y|11=one|21=1|38=3|40=1|54=1|55=TCS|60=<TIME>|
                I35=D|34=4|(IN)|97=Y|11=two|21=1|38=3|40=1|54=1|55=TCS|60=<TIME>|
                E35=D|34=3|(OUT)|97=Y|11=two|21=1|38=3|40=1|54=1|55=TCS|60=<TIME>|
                I35=c|34=5|(IN)|320=r|321=3|
                E35=j|34=4|(OUT)|45=5|58=whatever|372=c|380=3|
                # nothing for as long as a heartbeat
                E35=0|34=5|(OUT)|
                I35=5|34=6|(IN)|
                E35=5|34=6|(OUT)|
                eDISCONNECT
            "
            ),
        );
        played.relaxed.expect(begin_string);
        let differs = played.strict.expect_err("the text is the engine's own");
        assert!(differs.contains("58=whatever"), "{differs}");
    }
}

#[test]
fn what_the_dictionary_does_not_allow_is_rejected_in_the_dialects_own_terms() {
    // In 4.2 the last reason with a number is 11.
    for (begin_string, reason) in [
        ("FIX.4.2", ""),
        ("FIX.4.3", "373=16|"),
        ("FIX.4.4", "373=16|"),
    ] {
        let text = "Incorrect NumInGroup count for repeating group";
        let played = play(
            begin_string,
            &format!(
                "{LOG_ON}
                I35=D|34=2|(IN)|11=one|21=1|38=3|40=1|54=1|55=TCS|60=<TIME>|78=3|79=A|80=1|
                E35=3|34=2|(OUT)|45=2|58={text}|371=78|372=D|{reason}
                I35=D|34=3|(IN)|11=one|21=1|38=3|40=Z|54=1|55=TCS|60=<TIME>|
                E35=3|34=3|(OUT)|45=3|58=Value is incorrect (out of range) for this tag|371=40|372=D|373=5|
                I35=D|34=4|(IN)|11=one|21=1|38=3|40=1|54=1|55=TCS|60=<TIME>|9001=x|
                E35=3|34=4|(OUT)|45=4|58=Invalid tag number|371=9001|372=D|373=0|
                i1,DISCONNECT
            "
            ),
        );
        played.relaxed.expect(begin_string);
        played.strict.expect(begin_string);
    }
}

#[test]
fn a_script_that_is_not_kept_fails_with_its_line_and_the_difference() {
    for (lines, why) in [
        (
            "I35=1|34=2|(IN)|112=A|\nE35=0|34=2|(OUT)|112=B|",
            "line 5: expected 112=B, found 112=A",
        ),
        (
            "I35=1|34=2|(IN)|112=A|\nE35=0|34=2|(OUT)|",
            "line 5: expected 10=",
        ),
        (
            "I35=1|34=2|(IN)|112=A|\neDISCONNECT",
            "line 5: expected the end, found 8=FIX.4.4|9=",
        ),
        (
            "i1,DISCONNECT\nE35=0|34=2|(OUT)|",
            "line 5: the connection is not there",
        ),
        ("eDISCONNECT", "line 4: expected the end, found"),
        (
            "I35=0|34=9|(IN)|\nE35=0|34=2|(OUT)|",
            "line 5: expected 35=0, found 35=2",
        ),
    ] {
        let failed = play(
            "FIX.4.4",
            &format!(
                "{}{lines}",
                LOG_ON.trim_start_matches('\n').trim_end_matches(' ')
            ),
        );
        let found = failed.relaxed.expect_err(lines);
        assert!(found.contains(why), "{found}\nis not: {why}");
        assert!(failed.strict.is_err());
    }
    let refused = parse(b"iCONNECT\nwhat is this\n").unwrap_err();
    assert_eq!(refused, "line 2 is none of a script's: what is this");
}

/// The public scripts lie beside a checkout, or where the variable says.
fn public() -> PathBuf {
    std::env::var_os("SQUAREOFF_FIX_SCRIPTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fix44-acceptance"),
        PathBuf::from,
    )
}

#[test]
fn the_public_scripts_are_kept() {
    let folder = public();
    if !folder.exists() {
        println!("1 skipped: no public FIX scripts in {}", folder.display());
        return;
    }
    let scripts = runner::scripts(&folder).unwrap();
    let settings = runner::identity(&scripts, &settings("FIX.4.4"));
    let journals = tempfile::tempdir().unwrap();
    let outcomes = fast::run(&scripts, &settings, journals.path()).unwrap();
    let (mut failed, mut strict) = (Vec::new(), 0);
    for outcome in &outcomes {
        if let Err(why) = &outcome.relaxed {
            failed.push(format!("{}: {why}", outcome.name));
        }
        strict += usize::from(outcome.strict.is_ok());
    }
    let (relaxed, all) = (outcomes.len() - failed.len(), outcomes.len());
    println!("relaxed {relaxed}/{all}, strict {strict}/{all}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
