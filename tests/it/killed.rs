//! kill -9 of each part while square-offs run: the demo kills it three times and then proves, against the exchange's own ledger, that
//! nothing was lost, nothing sent twice, and no position closed beyond flat.

use serde_json::Value;
use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squareoff"))
        .args(["demo", "--orders", "240"])
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("SQUAREOFF_LOG", "warn")
        .output()
        .unwrap()
}

fn proved(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    let line: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    assert!(output.status.success(), "{line:#}\n{errors}");
    assert_eq!(line["equal"], true, "{line:#}\n{errors}");
    assert!(line["fills"].as_u64().unwrap() >= 240, "{line:#}");
    assert_eq!(line["sealed"]["witnessed"], true, "{line:#}");
    line
}

fn survives(part: &str) {
    let line = proved(&demo(&["--kill", part]));
    assert_eq!(line["kills"], 3, "{line:#}");
}

/// The runs below prove the same while a part is killed again and again.
#[test]
fn invariant_13_executions_are_the_same_in_the_log_the_read_model_and_the_exchanges_ledger() {
    let line = proved(&demo(&[]));
    assert_eq!(
        (&line["square_offs"], &line["kills"]),
        (&240.into(), &0.into())
    );
}

#[test]
fn the_api_may_be_killed() {
    survives("api");
}

#[test]
fn the_gateway_may_be_killed() {
    survives("gateway");
}

#[test]
fn the_sealer_may_be_killed() {
    survives("seal");
}

#[test]
fn the_witness_may_be_killed() {
    survives("witness");
}

#[test]
fn the_projections_may_be_killed() {
    survives("projections");
}

#[test]
fn the_exchange_may_be_killed() {
    survives("exchange");
}

#[test]
fn postgres_may_be_killed() {
    survives("postgres");
}

#[test]
fn a_bulk_closes_every_position_once_while_its_worker_is_killed() {
    let line = proved(&demo(&["--bulk", "--kill", "bulk"]));
    assert_eq!(
        (&line["square_offs"], &line["kills"]),
        (&240.into(), &3.into())
    );
}
