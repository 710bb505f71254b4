//! `event_store.client.streams.AppendReq`, `AppendResp`, `BatchAppendReq` and `BatchAppendResp`.

use super::{Position, RpcStatus, StreamIdentifier, Uuid};
use std::collections::HashMap;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AppendReq {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(crate) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum AppendContent {
    #[prost(message, tag = "1")]
    Options(AppendOptions),
    #[prost(message, tag = "2")]
    Proposed(ProposedMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AppendOptions {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "ExpectedRevision", tags = "2, 3, 4, 5")]
    pub(crate) expected: Option<ExpectedRevision>,
}

/// Of an append and of a batch alike.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(crate) enum ExpectedRevision {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(()),
    #[prost(message, tag = "4")]
    Any(()),
    #[prost(message, tag = "5")]
    StreamExists(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ProposedMessage {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<Uuid>,
    #[prost(map = "string, string", tag = "2")]
    pub(crate) metadata: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) custom_metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AppendResp {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(crate) result: Option<AppendResult>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum AppendResult {
    #[prost(message, tag = "1")]
    Success(Success),
    #[prost(message, tag = "2")]
    WrongExpectedVersion(AppendConflict),
}

/// Of an append and of a batch alike.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Success {
    #[prost(oneof = "SuccessRevision", tags = "1, 2")]
    pub(crate) current: Option<SuccessRevision>,
    #[prost(oneof = "SuccessPosition", tags = "3, 4")]
    pub(crate) position: Option<SuccessPosition>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum SuccessRevision {
    #[prost(uint64, tag = "1")]
    Revision(u64),
    #[prost(message, tag = "2")]
    NoStream(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum SuccessPosition {
    #[prost(message, tag = "3")]
    Position(Position),
    #[prost(message, tag = "4")]
    NoPosition(()),
}

/// `AppendResp.WrongExpectedVersion`: said twice, for clients of before 20.6.1 too.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AppendConflict {
    #[prost(oneof = "OldCurrent", tags = "1, 2")]
    pub(crate) old_current: Option<OldCurrent>,
    #[prost(oneof = "OldExpected", tags = "3, 4, 5")]
    pub(crate) old_expected: Option<OldExpected>,
    #[prost(oneof = "ConflictCurrent", tags = "6, 7")]
    pub(crate) current: Option<ConflictCurrent>,
    #[prost(oneof = "ConflictExpected", tags = "8, 9, 10, 11")]
    pub(crate) expected: Option<ConflictExpected>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum OldCurrent {
    #[prost(uint64, tag = "1")]
    Revision(u64),
    #[prost(message, tag = "2")]
    NoStream(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum OldExpected {
    #[prost(uint64, tag = "3")]
    Revision(u64),
    #[prost(message, tag = "4")]
    Any(()),
    #[prost(message, tag = "5")]
    StreamExists(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ConflictCurrent {
    #[prost(uint64, tag = "6")]
    Revision(u64),
    #[prost(message, tag = "7")]
    NoStream(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ConflictExpected {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(()),
    #[prost(message, tag = "10")]
    StreamExists(()),
    #[prost(message, tag = "11")]
    NoStream(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BatchAppendReq {
    #[prost(message, optional, tag = "1")]
    pub(crate) correlation_id: Option<Uuid>,
    #[prost(message, optional, tag = "2")]
    pub(crate) options: Option<AppendOptions>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) proposed_messages: Vec<ProposedMessage>,
    #[prost(bool, tag = "4")]
    pub(crate) is_final: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BatchAppendResp {
    #[prost(message, optional, tag = "1")]
    pub(crate) correlation_id: Option<Uuid>,
    #[prost(oneof = "BatchResult", tags = "2, 3")]
    pub(crate) result: Option<BatchResult>,
    #[prost(message, optional, tag = "4")]
    pub(crate) stream_identifier: Option<StreamIdentifier>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum BatchResult {
    #[prost(message, tag = "2")]
    Error(RpcStatus),
    #[prost(message, tag = "3")]
    Success(Success),
}
