//! The domain's own aggregates over the log: a request that is repeated, and events at their largest.

use crate::log::{Log, every_adapter};
use squareoff_domain::bulk::{
    BulkEvent, BulkItem, BulkItemsListed, BulkPhase, ITEMS_PER_EVENT_MAX,
};
use squareoff_domain::platform::{
    self, HaltScope, Platform, PlatformAsk, PlatformRefusal, PlatformRequest, STREAM,
};
use squareoff_domain::refusals::{self, Refusals, RequestRefused};
use squareoff_domain::{NetQuantity, PositionKey, Product, RequestId, Timestamp, Venue};
use squareoff_store::codec::LogEvent;
use squareoff_store::{Caller, Committed, Streams, TransactError};
use uuid::Uuid;

every_adapter! {
    a_platform_request_repeated_gets_its_first_answer_from_another_process_too
    a_refused_request_is_kept_once_and_may_be_accepted_later
}

fn caller(id: u128, by: &str) -> Caller {
    Caller {
        actor: by.into(),
        request_id: Uuid::from_u128(id),
        correlation_id: Uuid::from_u128(id),
        epoch: 0,
        now: Timestamp(5),
    }
}

async fn ask(
    streams: &Streams<Platform>,
    id: u128,
    by: &str,
    ask: PlatformAsk,
) -> Result<Committed<()>, TransactError<PlatformRefusal>> {
    let request = PlatformRequest {
        request_id: RequestId(Uuid::from_u128(id)),
        by: by.to_owned(),
        ask,
    };
    let decide = |platform: &Platform| Ok((platform::decide(platform, request.clone())?, ()));
    streams.transact(STREAM, &caller(id, by), decide).await
}

fn request_activation() -> PlatformAsk {
    PlatformAsk::RequestActivation {
        trading_date: "2026-11-20".parse().unwrap(),
        reason: "primary down".into(),
        outage_began_at: Timestamp(1),
    }
}

fn halt() -> PlatformAsk {
    PlatformAsk::Halt {
        scope: HaltScope::All,
        reason: "prices look wrong".into(),
    }
}

async fn a_platform_request_repeated_gets_its_first_answer_from_another_process_too(log: Log) {
    let (one, other) = (Streams::new(log.store()), Streams::new(log.store()));
    assert_eq!(
        ask(&one, 1, "asha", request_activation())
            .await
            .unwrap()
            .appended,
        1
    );
    let approve = || PlatformAsk::ApproveActivation;
    assert_eq!(ask(&other, 2, "ravi", approve()).await.unwrap().appended, 1);
    // The state has gone on: both would be refused as new requests.
    for streams in [&one, &other] {
        assert_eq!(
            ask(streams, 1, "asha", request_activation())
                .await
                .unwrap()
                .appended,
            0
        );
        assert_eq!(
            ask(streams, 2, "ravi", approve()).await.unwrap().appended,
            0
        );
        let refused = ask(streams, 3, "ravi", approve()).await.unwrap_err();
        assert!(matches!(
            refused,
            TransactError::Refused(PlatformRefusal::NoActivationPending { .. })
        ));
        let reused = ask(streams, 1, "asha", halt()).await.unwrap_err();
        assert_eq!(
            reused,
            TransactError::Refused(PlatformRefusal::RequestIdReused)
        );
    }
}

async fn a_refused_request_is_kept_once_and_may_be_accepted_later(log: Log) {
    let (streams, kept) = (
        Streams::new(log.store()),
        Streams::<Refusals>::new(log.store()),
    );
    let resume = || PlatformAsk::RequestResume {
        scope: HaltScope::All,
        reason: "all well".into(),
    };
    let stream = refusals::stream("2026-11-20".parse().unwrap(), None);
    for appended in [1, 0] {
        let refused = ask(&streams, 9, "asha", resume()).await.unwrap_err();
        let TransactError::Refused(refusal) = refused else {
            panic!("{refused}")
        };
        let refused = RequestRefused {
            what: "request-resume".into(),
            request_id: RequestId(Uuid::from_u128(9)),
            position: None,
            code: refusal.code().into(),
            detail: refusal.to_string(),
        };
        let caller = Caller {
            request_id: refused.append_id(),
            ..caller(9, "asha")
        };
        let record = |state: &Refusals| Ok::<_, ()>((refusals::record(state, refused.clone()), ()));
        assert_eq!(
            kept.transact(&stream, &caller, record)
                .await
                .unwrap()
                .appended,
            appended
        );
    }
    ask(&streams, 1, "asha", halt()).await.unwrap();
    assert_eq!(
        ask(&streams, 9, "asha", resume()).await.unwrap().appended,
        1
    );
}

/// The longest ids and numbers there are, in as many items as an event may list.
#[test]
fn a_full_list_of_a_bulk_is_a_small_event() {
    let key = PositionKey {
        date: "2026-11-20".parse().unwrap(),
        client: "C".repeat(12).parse().unwrap(),
        venue: Venue::Nse,
        symbol: "&".repeat(32).parse().unwrap(),
        product: Product::Nrml,
    };
    let item = BulkItem {
        key,
        phase: BulkPhase::CancelWorking,
        net: NetQuantity(i64::MIN),
        notional: u64::MAX,
        working: u32::MAX,
    };
    let listed = BulkItemsListed {
        first: u32::MAX,
        items: vec![item; ITEMS_PER_EVENT_MAX],
    };
    let body = BulkEvent::BulkItemsListed(listed).encode().body;
    assert!(body.len() < 150_000, "{}", body.len());
}
