//! `event_store.client.streams.ReadReq` and `ReadResp`.

use super::{Position, StreamIdentifier, Timestamp, Uuid};
use std::collections::HashMap;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadReq {
    #[prost(message, optional, tag = "1")]
    pub(crate) options: Option<ReadOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadOptions {
    #[prost(oneof = "StreamOption", tags = "1, 2")]
    pub(crate) stream: Option<StreamOption>,
    /// 0 forwards, 1 backwards.
    #[prost(int32, tag = "3")]
    pub(crate) read_direction: i32,
    #[prost(oneof = "CountOption", tags = "5, 6")]
    pub(crate) count: Option<CountOption>,
    #[prost(oneof = "FilterOption", tags = "7, 8")]
    pub(crate) filter: Option<FilterOption>,
    #[prost(message, optional, tag = "9")]
    pub(crate) uuid_option: Option<UuidOption>,
    #[prost(message, optional, tag = "10")]
    pub(crate) control_option: Option<ControlOption>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum StreamOption {
    #[prost(message, tag = "1")]
    Stream(StreamOptions),
    #[prost(message, tag = "2")]
    All(AllOptions),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StreamOptions {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "RevisionOption", tags = "2, 3, 4")]
    pub(crate) revision: Option<RevisionOption>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum RevisionOption {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    Start(()),
    #[prost(message, tag = "4")]
    End(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AllOptions {
    #[prost(oneof = "AllOption", tags = "1, 2, 3")]
    pub(crate) position: Option<AllOption>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum AllOption {
    #[prost(message, tag = "1")]
    Position(Position),
    #[prost(message, tag = "2")]
    Start(()),
    #[prost(message, tag = "3")]
    End(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum CountOption {
    #[prost(uint64, tag = "5")]
    Count(u64),
    #[prost(message, tag = "6")]
    Subscription(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum FilterOption {
    #[prost(message, tag = "7")]
    Filter(FilterOptions),
    #[prost(message, tag = "8")]
    NoFilter(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FilterOptions {
    #[prost(oneof = "FilterBy", tags = "1, 2")]
    pub(crate) by: Option<FilterBy>,
    #[prost(oneof = "Window", tags = "3, 4")]
    pub(crate) window: Option<Window>,
    #[prost(uint32, tag = "5")]
    pub(crate) checkpoint_interval_multiplier: u32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum FilterBy {
    #[prost(message, tag = "1")]
    Stream(Expression),
    #[prost(message, tag = "2")]
    EventType(Expression),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Window {
    #[prost(uint32, tag = "3")]
    Max(u32),
    #[prost(message, tag = "4")]
    Count(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Expression {
    #[prost(string, tag = "1")]
    pub(crate) regex: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) prefix: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct UuidOption {
    #[prost(oneof = "UuidForm", tags = "1, 2")]
    pub(crate) content: Option<UuidForm>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(crate) enum UuidForm {
    #[prost(message, tag = "1")]
    Structured(()),
    #[prost(message, tag = "2")]
    Text(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ControlOption {
    #[prost(uint32, tag = "1")]
    pub(crate) compatibility: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadResp {
    #[prost(oneof = "ReadContent", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    pub(crate) content: Option<ReadContent>,
}

impl From<ReadContent> for ReadResp {
    fn from(content: ReadContent) -> Self {
        ReadResp {
            content: Some(content),
        }
    }
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ReadContent {
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    #[prost(message, tag = "2")]
    Confirmation(Confirmation),
    #[prost(message, tag = "3")]
    Checkpoint(Checkpoint),
    #[prost(message, tag = "4")]
    StreamNotFound(StreamNotFound),
    #[prost(uint64, tag = "6")]
    LastStreamPosition(u64),
    #[prost(message, tag = "8")]
    CaughtUp(Reached),
    #[prost(message, tag = "9")]
    FellBehind(Reached),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadEvent {
    #[prost(message, optional, tag = "1")]
    pub(crate) event: Option<RecordedEvent>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) commit_position: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RecordedEvent {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<Uuid>,
    #[prost(message, optional, tag = "2")]
    pub(crate) stream_identifier: Option<StreamIdentifier>,
    #[prost(uint64, tag = "3")]
    pub(crate) stream_revision: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) prepare_position: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) commit_position: u64,
    #[prost(map = "string, string", tag = "6")]
    pub(crate) metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) custom_metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Confirmation {
    #[prost(string, tag = "1")]
    pub(crate) subscription_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Checkpoint {
    #[prost(uint64, tag = "1")]
    pub(crate) commit_position: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) prepare_position: u64,
    #[prost(message, optional, tag = "3")]
    pub(crate) timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StreamNotFound {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream_identifier: Option<StreamIdentifier>,
}

/// `CaughtUp` and `FellBehind`: where a subscription went live, or ceased to be.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reached {
    #[prost(message, optional, tag = "1")]
    pub(crate) timestamp: Option<Timestamp>,
    #[prost(int64, optional, tag = "2")]
    pub(crate) stream_revision: Option<i64>,
    #[prost(message, optional, tag = "3")]
    pub(crate) position: Option<Position>,
}
