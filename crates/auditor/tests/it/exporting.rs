//! An export is proved by our verifier, whole and in part, and so is a live log.

use crate::rig::{Rig, until};
use squareoff_auditor::export::{ExportSettings, Filter, export};
use squareoff_auditor::tlog::TlogProof;
use squareoff_auditor::verify::{Trust, Verdict, verify_export};
use std::path::Path;

fn settings(rig: &Rig, out: &str, filter: Filter) -> ExportSettings {
    ExportSettings {
        audit: rig.audit(),
        witness_keys: vec![rig.witness_key().public().to_string()],
        out: rig.path(out),
        filter,
    }
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("entries.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_export_and_its_parts_are_proved_with_nothing_but_keys() {
    let mut rig = Rig::new();
    let log = rig.key().public().clone();
    let (address, witness) = rig.witness(vec![log.clone()]).await;
    let sealer = rig.seal(vec![address]);
    rig.append("platform", 600).await;
    rig.append("position-2026-11-20-C00042-NSE:NIFTY26NOVFUT-NRML", 70)
        .await;
    let last = rig.append("client-C00042", 3).await;
    rig.sealed(last).await;
    until("it is cosigned", || {
        rig.cosigned().filter(|cosigned| cosigned.size >= 673)
    })
    .await;
    sealer.stop().await;
    witness.stop().await;
    let trust = Trust {
        log: log.clone(),
        witnesses: vec![rig.witness_key().public().clone()],
    };

    let whole = settings(&rig, "whole", Filter::default());
    let exported = export(&rig.store, &whole).await.unwrap();
    assert!(exported.entries == exported.size && exported.size >= 673);
    assert_eq!(lines(&whole.out).len() as u64, exported.size);
    let report = verify_export(&whole.out, &trust, &[]).unwrap();
    assert_eq!(report.verdict, Verdict::Intact);
    assert_eq!(report.entries, exported.size);
    let again = export(&rig.store, &whole).await.unwrap_err().to_string();
    assert!(again.contains("not empty"), "{again}");

    for (name, filter, count) in [
        (
            "client",
            Filter {
                client: Some("C00042".parse().unwrap()),
                ..Filter::default()
            },
            73,
        ),
        (
            "stream",
            Filter {
                stream: Some("client-C00042".to_owned()),
                ..Filter::default()
            },
            3,
        ),
        (
            "range",
            Filter {
                from: Some("11".parse().unwrap()),
                to: Some("20".parse().unwrap()),
                ..Filter::default()
            },
            10,
        ),
        (
            "nothing",
            Filter {
                to: Some("2001-01-01T00:00:00Z".parse().unwrap()),
                ..Filter::default()
            },
            0,
        ),
    ] {
        let part = settings(&rig, name, filter);
        assert_eq!(
            export(&rig.store, &part).await.unwrap().entries,
            count,
            "{name}"
        );
        let report = verify_export(&part.out, &trust, &[]).unwrap();
        assert_eq!(
            (report.verdict, report.entries),
            (Verdict::Intact, count),
            "{name}"
        );
        for line in lines(&part.out) {
            // Cut out alone, a line's proof is a tlog-proof file.
            let proof = TlogProof::parse(line["proof"].as_str().unwrap()).unwrap();
            assert_eq!(proof.index, line["index"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_letter_in_an_export_is_named() {
    let mut rig = Rig::new();
    let sealer = rig.seal(vec![]);
    let last = rig.append("platform", 40).await;
    rig.sealed(last).await;
    sealer.stop().await;
    let whole = ExportSettings {
        witness_keys: vec![],
        ..settings(&rig, "whole", Filter::default())
    };
    export(&rig.store, &whole).await.unwrap();
    let path = whole.out.join("entries.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed: String = text
        .split_inclusive('\n')
        .enumerate()
        .map(|(index, line)| match index {
            17 => line.replace("\"asha\"", "\"ashA\""),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(&path, changed).unwrap();
    let trust = Trust {
        log: rig.public_key(),
        witnesses: vec![],
    };
    let Verdict::Damaged(damage) = verify_export(&whole.out, &trust, &[]).unwrap().verdict else {
        panic!("an altered export is intact");
    };
    assert_eq!(damage.index, Some(17), "{damage}");
}
