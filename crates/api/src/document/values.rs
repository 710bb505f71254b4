//! The kinds of values that requests and answers are made of, each described once: what it looks like, which values there are, an
//! example. The types stand for the descriptions alone, nothing is made of them; `#[schema(value_type = ...)]` names them.

use squareoff_domain::approval::ApprovalStatus;
use squareoff_domain::bulk::{BulkPhase, BulkStatus};
use squareoff_domain::platform::{MarketPhase, Phase};
use squareoff_domain::position::{OrderStatus, Outcome, TimeInForce, TradeStatus};
use squareoff_projections::audit::AuditKind;
use squareoff_projections::trades::{CORRECTION, UNBOOKED};
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{OneOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

type Named = (String, RefOr<Schema>);

/// A named description.
macro_rules! described {
    ($name:ident, $schema:expr) => {
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T($schema.into())
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

/// Texts of a pattern.
macro_rules! texts {
    ($($name:ident $pattern:literal, $example:literal: $means:literal;)+) => {
        $(described!($name, text($means, $example).pattern(Some($pattern)));)+
        const TEXTS: &[fn() -> Named] = &[$(named::<$name>),+];
    };
}

/// One of a few words.
macro_rules! words {
    ($($name:ident $of:literal, $words:expr => $means:literal;)+) => {
        $(described!($name, {
            text($means, $of).enum_values(Some($words))
        });)+
        const WORDS: &[fn() -> Named] = &[$(named::<$name>),+];
    };
}

texts! {
    ClientCode r"^[A-Z0-9]{1,12}$", "C00042": "A client's code at the broker.";
    Symbol r"^[A-Z0-9&-]{1,32}$", "RELIANCE": "The full trading symbol at its venue.";
    RupeesAsked r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$", "1402.50": "Rupees, as text.";
    Rupees r"^-?[0-9]+\.[0-9]{2,4}$", "1402.50": "Rupees, as text with two to four decimals.";
    LogPosition r"^(0|[1-9][0-9]{0,17})$", "10142": "A position of the event log: digits as text, to be kept and compared, not to be calculated with.";
    PositionStream r"^position-(19|20)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))-[A-Z0-9]{1,12}-(NSE|BSE|MCX):[A-Z0-9&-]{1,32}-(MIS|NRML|CNC)$", "position-2026-11-20-C00042-NSE:RELIANCE-CNC": "A position, named by its stream: trading date, client, venue, symbol, product.";
    PositionCursor r"^(-?[0-9]{1,18}~)?position-(19|20)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))-[A-Z0-9]{1,12}-(NSE|BSE|MCX):[A-Z0-9&-]{1,32}-(MIS|NRML|CNC)$", "position-2026-11-20-C00042-NSE:RELIANCE-CNC": "Where a page of positions ended.";
    StreamName r"^[^\u0000-\u001f\u007f-\u009f]{1,512}$", "platform": "The name of a stream of the event log.";
    Name r"^[^\u0000-\u001f\u007f-\u009f]{1,512}$", "desk-asha": "A person or a process, as events name it.";
    EventType r"^[^\u0000-\u001f\u007f-\u009f]{1,512}$", "SquareOffAccepted": "A type of event; docs/EVENTS.md describes each.";
    ReasonText r"^[^\u0000-\u001f\u007f-\u009f]{0,499}[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]{0,499}$", "the fill is disputed": "Why, in a person's words: at most 500 characters, no control characters, no PAN. It stays in the log for ever.";
    Evidence r"^[^\u0000-\u001f\u007f-\u009f]{0,200}$", "call 2026-11-20/118": "Where the client's instruction is kept; at most 200 characters.";
    ScopeText r"^(all|(NSE|BSE|MCX)(/(CM|FO|CD|COM))?)$", "NSE/FO": "What a kill switch is about: everything, a venue, or a venue's segment.";
    ExecutionText r"^[!-~]{1,80}$", "NSE|2026-11-20|NSE-813": "An execution: venue, trading date, and the venue's number of it.";
    AccountText r"^[!-~]{1,32}$", "C00042": "The account that a venue named.";
    PanText r"^\s*[A-Za-z]{3}[ABCEFGHJLPTabcefghjlpt][A-Za-z][0-9]{4}[A-Za-z]\s*$", "AAAPZ0042Z": "A PAN, whole; small letters and space around it do not matter.";
    NameText r"^[^\u0000-\u001f\u007f-\u009f]*[A-Za-z]{3}[^\u0000-\u001f\u007f-\u009f]*$", "asha nam": "Words of a name, each by its beginning; one has three letters or more.";
    PhoneText r"^([^0-9]*[0-9]){10}[^\u0000-\u001f\u007f-\u009f]*$", "+91 98000 00042": "A phone; its last ten digits count.";
    TraceText r"^[0-9a-f]{32}$", "0af7651916cd43dd8448eb211c80319c": "A trace (W3C Trace Context).";
    OperatorName r"^[a-z][a-z0-9_-]{0,63}$", "desk-asha": "The name of an account; what stands before the first `-` says the role.";
    LiveTopics r"^(orders|positions|platform|bulk|approvals)(,(orders|positions|platform|bulk|approvals))*$", "orders,positions": "What a live reader is told of.";
    CallReference r"^[^\u0000-\u001f\u007f-\u009f]{0,99}[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]{0,99}$", "2026-11-20/118": "A call, as the broker's telephone system names it: at most 100 bytes, no PAN.";
    BirthDate r"^\s*(19|20)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))\s*$", "1984-02-28": "A date of birth.";
    ProofPath r"^/v1/audit/proofs/[0-9]+$", "/v1/audit/proofs/10142": "Where the proof is got.";
}

words! {
    RoleName "desk", names(squareoff_domain::Role::ALL.iter().map(|it| it.as_str())) => "What somebody is to the platform.";
    VenueName "NSE", names(squareoff_domain::Venue::ALL.iter().map(|it| it.as_str())) => "An exchange.";
    SegmentName "CM", names(squareoff_domain::Segment::ALL.iter().map(|it| it.as_str())) => "A market segment: cash, equity derivatives, currency, commodities.";
    ProductName "CNC", names(squareoff_domain::Product::ALL.iter().map(|it| it.as_str())) => "The broker's product: margin intraday, carry-forward derivatives, delivery.";
    SideName "SELL", names(squareoff_domain::Side::ALL.iter().map(|it| it.as_str())) => "Buy or sell.";
    TimeInForceName "DAY", written(&[TimeInForce::Day, TimeInForce::ImmediateOrCancel]) => "How long an order stays: for the day, or not at all.";
    OrderOrigin "ours", vec!["ours", "external"] => "Who placed an order: this platform, or the primary before the outage.";
    OrderSort "placed_at", vec!["-placed_at", "placed_at"] => "What orders are listed in the order of; newest first with `-`.";
    TradeSort "executed_at", vec!["-executed_at", "executed_at"] => "What trades are listed in the order of, as they were told; newest first with `-`.";
    PositionOrder "-notional", crate::routes::position_list::SORTS.to_vec() => "What positions are listed in the order of; with `-` from the most to the least.";
    OrderState "new", names(OrderStatus::ALL.iter().map(|it| it.as_str())) => "Where an order stands.";
    DoubtOutcome "delivered", written(&[Outcome::Delivered, Outcome::NotDelivered]) => "Whether the exchange had the order.";
    TradeOrigin "ours", vec!["ours", "external", "primary", "drop-copy"] => "Who told of a trade.";
    TradeState "confirmed", names(TradeStatus::ALL.iter().map(|it| it.as_str()).chain([UNBOOKED, CORRECTION])) => "What is known of a trade.";
    ReportType "Executed", crate::routes::audit::REPORTS.to_vec() => "A report of an execution.";
    AuditSort "ask", names(AuditKind::ALL.iter().map(|it| it.as_str())) => "Somebody asked and it was done, somebody asked and it was refused, or the outside told.";
    PlatformState "active", names(PHASES.iter().map(|it| it.as_str())) => "Where the platform is in its life; only `active` takes square-offs.";
    MarketPhaseName "open", names(MARKET_PHASES.iter().map(|it| it.as_str())) => "Where a segment's trading day is; new orders go in `open` alone.";
    BulkState "running", names(crate::routes::bulk::STATUSES.iter().map(|it: &BulkStatus| it.as_str())) => "Where a bulk stands.";
    BulkPhaseName "futures", names(BulkPhase::ALL.iter().map(|it| it.as_str())) => "Which items a bulk is at, in the order of their risk.";
    ItemState "closed", crate::routes::bulk::STATES.to_vec() => "What became of an item.";
    ApprovalState "waiting", names(ApprovalStatus::ALL.iter().map(|it| it.as_str())) => "Where an order that needs a second person stands.";
    ApprovalKind "square-off", vec!["square-off", "modify"] => "What is to be done with it.";
    AcceptedAs "accepted", vec!["accepted", "waiting-for-approval"] => "Whether the request is on its way, or waits for a second person; then nothing of it has gone anywhere.";
    SuspenseState "open", vec!["open", "matched", "dismissed"] => "What became of a report that fitted nothing.";
    IdentityState "recorded", vec!["recorded", "sealed", "erased", "none"] => "Whether an identity is recorded; `sealed`: its keys are out of reach.";
    SessionState "ready", vec!["ready", "down"] => "Whether an exchange session takes orders.";
    FormatName "csv", vec!["json", "csv"] => "JSON or CSV.";
    IncidentEnd "handed-back", vec!["handed-back", "stood-down", "rejected"] => "How an incident ended.";
}

described!(
    TradingDay,
    text("A trading day at the venue, in India.", "2026-11-20")
        .format(Some(SchemaFormat::Custom("date".into())))
        .pattern(Some(r"^(19|[2-9][0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}$"))
);
described!(
    Instant,
    text(
        "An instant, RFC 3339 with an offset; answers are in UTC.",
        "2026-11-20T05:12:41.731942Z"
    )
    .format(Some(SchemaFormat::Custom("date-time".into())))
);
described!(
    QuantityAsked,
    OneOfBuilder::new()
        .description(Some("Whole units, or all that is open and not on its way."))
        .item(units(0))
        .item(
            ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::String))
                .enum_values(Some(["all"]))
        )
        .examples([serde_json::json!("all"), serde_json::json!(250)])
);
described!(
    Units,
    units(0).description(Some("Whole units, never lots."))
);

/// Those that are recorded; masked, or in the clear behind a reason.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "it describes, and is never made")]
pub struct IdentityFields {
    #[schema(value_type = String, required = false, example = "A*** N***")]
    name: Option<String>,
    #[schema(value_type = String, required = false, example = "AA******2Z")]
    pan: Option<String>,
    #[schema(value_type = String, required = false, example = "****-**-**")]
    date_of_birth: Option<String>,
    #[schema(value_type = String, required = false, example = "a***@***")]
    email: Option<String>,
    #[schema(value_type = String, required = false, example = "********42")]
    phone: Option<String>,
}

const OTHERS: &[fn() -> Named] = &[
    named::<TradingDay>,
    named::<Instant>,
    named::<QuantityAsked>,
    named::<Units>,
];

const PHASES: &[Phase] = &[
    Phase::Dormant,
    Phase::Requested,
    Phase::Approved,
    Phase::Loading,
    Phase::Active,
    Phase::HandbackRequested,
    Phase::Draining,
    Phase::HandedBack,
];

const MARKET_PHASES: &[MarketPhase] = &[
    MarketPhase::PreOpen,
    MarketPhase::Open,
    MarketPhase::PreClose,
    MarketPhase::Closed,
    MarketPhase::Halted,
];

/// Every description with its name.
pub fn all() -> impl Iterator<Item = Named> {
    let all = [TEXTS, WORDS, OTHERS].into_iter().flatten();
    all.map(|described| described())
}

fn named<T: ToSchema>() -> Named {
    (T::name().into_owned(), T::schema())
}

fn text(means: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .description(Some(means))
        .examples([example])
}

fn units(from: u64) -> ObjectBuilder {
    let max = squareoff_domain::Quantity::MAX.units();
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .format(Some(SchemaFormat::Custom("int64".into())))
        .minimum(Some(from))
        .maximum(Some(max))
}

fn names(words: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    words.collect()
}

/// The words that values are written as in JSON.
fn written<T: serde::Serialize>(values: &[T]) -> Vec<String> {
    let word = |value| match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    };
    values.iter().map(word).collect()
}
