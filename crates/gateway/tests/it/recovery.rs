//! A session is ready when the venue has said how the orders stand, and not before; what it says is compared with the log.

use crate::desk::find;
use crate::line::TO_GATEWAY;
use crate::replaces::{CHEAPER, acknowledged_order};
use crate::rig::{Rig, until};
use crate::venue::{Candour, canceled, replaced, report};
use squareoff_domain::position::OrderStatus;
use squareoff_fix::AppMessage;
use squareoff_fix::message::{ExecType, ExecutionReport, NewOrderSingle};
use std::time::Duration;

/// Kinds of the questions that the venue was asked since so many.
fn questions(rig: &Rig, since: usize) -> Vec<String> {
    let book = rig.book.lock().unwrap();
    let kinds = book.questions[since..].iter().map(AppMessage::kind);
    kinds.map(str::to_owned).collect()
}

/// What the venue says is lost on the line, and the gateway comes back without its journal, so that it can't ask for it.
async fn lose_what_is_said(rig: &mut Rig, say: impl FnOnce(&Rig)) {
    rig.line.swallow(TO_GATEWAY, true);
    say(rig);
    until("it is lost", async || rig.line.swallowed(TO_GATEWAY) > 0).await;
    rig.kill().await;
    rig.remove_journal().await;
    rig.line.swallow(TO_GATEWAY, false);
    rig.start().await;
}

#[tokio::test]
async fn orders_wait_until_the_venue_has_said_how_they_stand() {
    let mut rig = Rig::without_gateway().await;
    rig.answer_time_limit = Duration::from_millis(50);
    rig.book.lock().unwrap().candour = Candour::Silence;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    rig.launch();
    // A silent venue is asked again and again.
    until("it is asked again", async || questions(&rig, 0).len() >= 3).await;
    assert_eq!(rig.desk.session().await, ["claimed 1"]);
    assert!(rig.book.lock().unwrap().orders().is_empty());
    rig.book.lock().unwrap().candour = Candour::Truth;
    rig.desk.until_session("ready 1").await;
    rig.venue.until_order(1).await;
    rig.end().await;
}

#[tokio::test]
async fn a_venue_that_answers_no_such_questions_leaves_what_is_under_way_in_doubt() {
    let mut rig = Rig::new().await;
    let (working, _, _) = acknowledged_order(&rig).await;
    let sent = rig.desk.open("C2", "ALPHA", 50).await;
    let id = rig.desk.order(&sent, 50).await;
    rig.venue.until_orders(2).await;
    rig.book.lock().unwrap().candour = Candour::Refusal;
    let before = rig.book.lock().unwrap().questions.len();
    rig.kill().await;
    rig.start().await;
    assert_eq!(questions(&rig, before), ["AF", "H", "H"]);
    let story = rig.desk.story(&sent).await;
    let doubt = "in-doubt o1 the venue does not say how the order stands: not here";
    assert_eq!(story.last().unwrap(), doubt);
    assert_eq!(
        rig.desk.order_status(&sent, &id).await,
        OrderStatus::InDoubt
    );
    assert_eq!(rig.desk.story(&working).await.last().unwrap(), doubt);
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

/// What both ends agree on leaves no trace, and of what was answered only what still works is asked about.
#[tokio::test]
async fn what_stands_as_the_log_says_leaves_nothing_behind() {
    let mut rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.venue.fill(&order, 20);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 80).await;
    rig.desk.modify(&key, &id, CHEAPER).await;
    let replace = rig.venue.until_replace(1).await;
    rig.venue.report(replaced(&order, &replace, 20));
    rig.desk
        .until_order(&key, &id, "replaced", |order| !order.replace_pending())
        .await;
    let filled = rig.desk.open("C2", "ALPHA", 50).await;
    rig.desk.order(&filled, 50).await;
    let second = rig.venue.until_order(2).await;
    rig.venue.fill(&second, 50);
    rig.desk.until(&filled, "flat", |p| p.net.0 == 0).await;
    let (before, asked) = (
        rig.desk.story(&key).await,
        rig.book.lock().unwrap().questions.len(),
    );
    rig.kill().await;
    rig.start().await;
    assert_eq!(questions(&rig, asked), ["AF"]);
    assert_eq!(rig.desk.story(&key).await, before);
    rig.end().await;
}

#[tokio::test]
async fn an_order_of_the_venues_that_nobody_here_knows_is_held_once() {
    let mut rig = Rig::new().await;
    let (_, order, _) = acknowledged_order(&rig).await;
    let strange = ExecutionReport {
        order_id: "X-STRANGE".into(),
        cl_ord_id: Some("STRANGE".into()),
        ..report(&order, ExecType::New, "A9")
    };
    rig.venue.report(strange);
    rig.desk.until_held(1).await;
    for _ in 0..2 {
        rig.kill().await;
        rig.start().await;
    }
    let held = rig.desk.until_held(2).await;
    assert_eq!(held[1].report_key, "order X-STRANGE");
    assert_eq!(
        held[1].reason,
        "the venue works an order that the log knows nothing of"
    );
    assert_eq!(held[1].execution, None);
    rig.end().await;
}

/// A fill that was told to a journal that is gone: nobody makes it up, and nobody trades on a position that is not what it seems.
#[tokio::test]
async fn a_fill_that_never_came_freezes_the_position_and_is_not_made_up() {
    let mut rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    lose_what_is_said(&mut rig, |rig| rig.venue.fill(&order, 20)).await;
    let position = rig.desk.position(&key).await;
    let reason = format!("order {id}: the venue says that 20 have filled, the log 0");
    assert_eq!(position.frozen, Some(reason.clone()));
    assert_eq!((position.net.0, position.executions.len()), (100, 0));
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[5..],
        [format!("contradicted {reason}"), "frozen".to_owned()]
    );
    // Said once, however often the venue repeats it.
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.desk.story(&key).await, story);
    rig.end().await;
}

/// (what the venue said that was lost, the line that follows from its answer)
type Lost = (
    &'static str,
    fn(&Rig, &NewOrderSingle),
    &'static str,
    OrderStatus,
);

#[tokio::test]
async fn what_an_answer_proves_is_taken_as_the_report_that_was_lost() {
    let lost: [Lost; 4] = [
        (
            "acknowledged",
            |rig, order| rig.venue.acknowledge(order),
            "acknowledged o1 X-",
            OrderStatus::New,
        ),
        (
            "canceled",
            |rig, order| {
                rig.venue.report(ExecutionReport {
                    cl_ord_id: Some(order.cl_ord_id.clone()),
                    orig_cl_ord_id: None,
                    leaves_qty: 0,
                    ord_status: squareoff_fix::message::OrdStatus::Canceled,
                    ..report(order, ExecType::Canceled, "C9")
                });
            },
            "canceled o1 venue",
            OrderStatus::Canceled,
        ),
        (
            "expired",
            |rig, order| rig.venue.report(report(order, ExecType::Expired, "X9")),
            "expired o1",
            OrderStatus::Expired,
        ),
        (
            "rejected",
            |rig, order| {
                rig.venue.report(ExecutionReport {
                    ord_rej_reason: Some(99),
                    ..report(order, ExecType::Rejected, "R9")
                });
            },
            "rejected o1 99 ",
            OrderStatus::Rejected,
        ),
    ];
    for (what, say, line, status) in lost {
        let mut rig = Rig::new().await;
        let key = rig.desk.open("C1", "ALPHA", 50).await;
        let id = rig.desk.order(&key, 50).await;
        let order = rig.venue.until_order(1).await;
        lose_what_is_said(&mut rig, |rig| say(rig, &order)).await;
        let story = rig.desk.story(&key).await;
        assert!(
            story.iter().any(|told| told.starts_with(line)),
            "{what}: {story:#?}"
        );
        assert_eq!(rig.desk.order_status(&key, &id).await, status, "{what}");
        assert_eq!(rig.desk.position(&key).await.frozen, None, "{what}");
        rig.end().await;
    }
}

#[tokio::test]
async fn so_is_a_replace_and_a_cancel() {
    for cancels in [false, true] {
        let mut rig = Rig::new().await;
        let (key, order, id) = acknowledged_order(&rig).await;
        let status = if cancels {
            rig.desk.cancel(&key, &id).await;
            let cancel = rig.venue.until_cancel(1).await;
            lose_what_is_said(&mut rig, |rig| rig.venue.report(canceled(&order, &cancel))).await;
            OrderStatus::Canceled
        } else {
            rig.desk.modify(&key, &id, CHEAPER).await;
            let replace = rig.venue.until_replace(1).await;
            let told = replaced(&order, &replace, 0);
            lose_what_is_said(&mut rig, |rig| rig.venue.report(told)).await;
            let position = rig.desk.position(&key).await;
            assert_eq!(Some(find(&position, &id).1.price), CHEAPER.price);
            OrderStatus::New
        };
        assert_eq!(rig.desk.order_status(&key, &id).await, status);
        assert_eq!(rig.desk.position(&key).await.frozen, None);
        rig.end().await;
    }
}

/// An answer of the connection before says nothing of now.
#[tokio::test]
async fn an_answer_to_an_earlier_question_counts_for_nothing() {
    let rig = Rig::new().await;
    let (key, order, _) = acknowledged_order(&rig).await;
    let stale = |question: &str| ExecutionReport {
        cum_qty: 30,
        mass_status_req_id: Some(question.into()),
        tot_num_reports: Some(1),
        last_rpt_requested: Some(true),
        ..report(&order, ExecType::OrderStatus, "0")
    };
    rig.line.swallow(TO_GATEWAY, true);
    rig.venue.report(stale("Q1-1"));
    rig.venue.report(stale("Q9-9"));
    rig.line.swallow(TO_GATEWAY, false);
    rig.line.cut();
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "the fill", |p| p.net.0 == 50).await;
    let story: Vec<String> = rig.desk.story(&key).await;
    assert!(
        !story.iter().any(|line| line.starts_with("contradicted")),
        "{story:#?}"
    );
    rig.end().await;
}
