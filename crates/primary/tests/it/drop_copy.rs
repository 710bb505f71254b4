//! A venue's own list of trades against what is booked.

use crate::import::by;
use crate::small_book;
use squareoff_domain::position::{Position, TradeStatus};
use squareoff_domain::suspense::{self, Suspense};
use squareoff_primary::{Intraday, drop_copy, import, intraday, sample};
use squareoff_store::{EventStore, Streams};
use std::path::PathBuf;

const HEADER: &str =
    "trading_date,venue,account,symbol,side,quantity,price,exec_id,cl_ord_id,traded_at";
const AT: &str = "2026-11-20T10:15:00+05:30";

struct Day {
    folder: tempfile::TempDir,
    store: EventStore,
    primary: Intraday,
}

impl Day {
    /// A book whose primary has made five trades.
    async fn new() -> Day {
        let book = small_book();
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(folder.path()).unwrap();
        import(&store, &book, &by()).await.unwrap();
        let primary = sample::intraday(&book, 7, 5, 5);
        intraday::import(&store, &primary, &by()).await.unwrap();
        Day {
            folder,
            store,
            primary,
        }
    }

    fn file(&self, rows: &[String]) -> PathBuf {
        let path = self.folder.path().join("venue.csv");
        let text = format!("{HEADER}\n{}\n", rows.join("\n"));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The n-th trade as the venue lists it, with another price where one is given.
    fn row(&self, n: usize, price: Option<&str>, exec_id: Option<&str>) -> String {
        let trade = &self.primary.trades[n];
        let key = &trade.key;
        let price = price.map_or_else(|| trade.price.to_string(), str::to_owned);
        let exec_id = exec_id.map_or_else(|| format!("P{n}"), str::to_owned);
        format!(
            "{},{},{},{},{},{},{price},{exec_id},,{AT}",
            key.date, key.venue, key.client, key.symbol, trade.side, trade.quantity
        )
    }

    async fn status(&self, n: usize) -> TradeStatus {
        let trade = &self.primary.trades[n];
        let stream = trade.key.stream();
        let loaded = Streams::<Position>::new(self.store.clone())
            .load(&stream)
            .await;
        loaded
            .unwrap()
            .state
            .trade(&trade.execution)
            .unwrap()
            .status
    }
}

#[tokio::test]
async fn the_venues_list_confirms_contradicts_and_tells_of_strangers() {
    let day = Day::new().await;
    assert_eq!(day.status(0).await, TradeStatus::Provisional);
    let stranger = day.row(0, None, Some("Z99"));
    let order = &day.primary.orders[1];
    // A fill of the primary's order that nobody here has heard of: its position learns that it is unbooked.
    let early = format!(
        "{},{},{},{},{},1,{},Z100,{},{AT}",
        order.key.date,
        order.key.venue,
        order.key.client,
        order.key.symbol,
        order.side,
        order.price,
        order.cl_ord_id
    );
    let rows = [
        day.row(0, None, None),
        day.row(1, Some("1.05"), None),
        stranger,
        early,
    ];
    let listed = drop_copy::read(&day.file(&rows)).unwrap();
    let report = drop_copy::import(&day.store, &listed, &by()).await.unwrap();
    assert_eq!((report.trades, report.told, report.suspended), (4, 3, 1));
    assert_eq!(day.status(0).await, TradeStatus::Confirmed);
    assert_eq!(day.status(1).await, TradeStatus::Contradicted);
    assert_eq!(day.status(2).await, TradeStatus::Provisional);

    let loaded = Streams::<Position>::new(day.store.clone())
        .load(&order.key.stream())
        .await;
    let position = loaded.unwrap().state;
    assert_eq!(position.unbooked().count(), 1);
    let stream = suspense::stream(order.key.venue, order.key.date);
    let held = Streams::<Suspense>::new(day.store.clone())
        .load(&stream)
        .await
        .unwrap();
    let trade = &day.primary.trades[0];
    let stream = suspense::stream(trade.key.venue, trade.key.date);
    let other = Streams::<Suspense>::new(day.store.clone())
        .load(&stream)
        .await
        .unwrap();
    assert_eq!(held.state.held.len().max(other.state.held.len()), 1);
    let log = day.store.read_stream(&stream, 1, 10).await.unwrap();
    let body = String::from_utf8(log[0].body.to_vec()).unwrap();
    assert!(body.contains(&format!(": {}\"", rows[2])), "{body}");

    let head = day.store.head().await.unwrap();
    let again = drop_copy::import(&day.store, &listed, &by()).await.unwrap();
    assert_eq!((again.told, again.suspended), (0, 0));
    assert_eq!(day.store.head().await.unwrap(), head);
}

#[tokio::test]
async fn a_list_with_mistakes_is_refused_whole() {
    let day = Day::new().await;
    let good = day.row(0, None, None);
    for (bad, says) in [
        (
            good.replace("2026-11-20,", "2026-11-19,"),
            "is not the file's trading date 2026-11-20",
        ),
        (good.replace("P0", "a|b"), "is not a trade number"),
        (good.clone(), "is on line 2 already"),
        (good.replace(AT, "noon"), "is not an instant"),
        ("1,2".to_owned(), "has 2 columns, not 10"),
    ] {
        let error = drop_copy::read(&day.file(&[good.clone(), bad]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("the venue's trades, line 3") && error.contains(says),
            "{error}"
        );
    }
    let empty = drop_copy::read(&day.file(&[])).unwrap_err().to_string();
    assert!(
        empty.contains("has no trades") || empty.contains("columns"),
        "{empty}"
    );
    let none = drop_copy::read(&day.folder.path().join("no.csv"))
        .unwrap_err()
        .to_string();
    assert!(none.contains("could not be read"), "{none}");
}
