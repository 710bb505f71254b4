//! The messages of KurrentDB's protocol that this server speaks, written by hand from the field numbers of the public definitions.
//!
//! Types are named as there, nested ones with their parent's name in front; what one field number and type say alike is one type here
//! (an empty message is `()`, every position a [`Position`]). Fields that no answer needs are left out: a decoder skips them.

mod read;
mod streams;

pub(crate) use read::*;
pub(crate) use streams::*;

use uuid::Uuid as Id;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Uuid {
    #[prost(oneof = "UuidValue", tags = "1, 2")]
    pub(crate) value: Option<UuidValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum UuidValue {
    #[prost(message, tag = "1")]
    Structured(Structured),
    #[prost(string, tag = "2")]
    Text(String),
}

/// The halves of a UUID, big-endian.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Structured {
    #[prost(int64, tag = "1")]
    pub(crate) most_significant: i64,
    #[prost(int64, tag = "2")]
    pub(crate) least_significant: i64,
}

impl Uuid {
    pub(crate) fn structured(id: Id) -> Uuid {
        let (most, least) = id.as_u64_pair();
        let halves = Structured {
            most_significant: most.cast_signed(),
            least_significant: least.cast_signed(),
        };
        Uuid {
            value: Some(UuidValue::Structured(halves)),
        }
    }

    pub(crate) fn text(id: Id) -> Uuid {
        Uuid {
            value: Some(UuidValue::Text(id.to_string())),
        }
    }

    /// `None` when it is none.
    pub(crate) fn id(&self) -> Option<Id> {
        match self.value.as_ref()? {
            UuidValue::Structured(halves) => Some(Id::from_u64_pair(
                halves.most_significant.cast_unsigned(),
                halves.least_significant.cast_unsigned(),
            )),
            UuidValue::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StreamIdentifier {
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) stream_name: Vec<u8>,
}

impl StreamIdentifier {
    pub(crate) fn of(stream: &str) -> Option<StreamIdentifier> {
        Some(StreamIdentifier {
            stream_name: stream.as_bytes().to_vec(),
        })
    }
}

/// A place in `$all`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Position {
    #[prost(uint64, tag = "1")]
    pub(crate) commit: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) prepare: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

impl Any {
    pub(crate) fn of(type_name: &str, message: &impl prost::Message) -> Any {
        Any {
            type_url: format!("type.googleapis.com/{type_name}"),
            value: message.encode_to_vec(),
        }
    }
}

/// `google.rpc.Status`, as KurrentDB has it: with one detail.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) details: Option<Any>,
}

/// `event_store.client.WrongExpectedVersion`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WrongExpectedVersion {
    #[prost(oneof = "CurrentRevision", tags = "1, 2")]
    pub(crate) current: Option<CurrentRevision>,
    #[prost(oneof = "ExpectedPosition", tags = "3, 4, 5, 6")]
    pub(crate) expected: Option<ExpectedPosition>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum CurrentRevision {
    #[prost(uint64, tag = "1")]
    Revision(u64),
    #[prost(message, tag = "2")]
    NoStream(()),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ExpectedPosition {
    #[prost(uint64, tag = "3")]
    Position(u64),
    #[prost(message, tag = "4")]
    Any(()),
    #[prost(message, tag = "5")]
    StreamExists(()),
    #[prost(message, tag = "6")]
    NoStream(()),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MaximumAppendSizeExceeded {
    #[prost(uint32, tag = "1")]
    pub(crate) max_append_size: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BadRequest {
    #[prost(string, tag = "1")]
    pub(crate) message: String,
}

/// `event_store.client.gossip.ClusterInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ClusterInfo {
    #[prost(message, repeated, tag = "1")]
    pub(crate) members: Vec<MemberInfo>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MemberInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) instance_id: Option<Uuid>,
    #[prost(int64, tag = "2")]
    pub(crate) time_stamp: i64,
    /// [`FOLLOWER`] or [`LEADER`].
    #[prost(int32, tag = "3")]
    pub(crate) state: i32,
    #[prost(bool, tag = "4")]
    pub(crate) is_alive: bool,
    #[prost(message, optional, tag = "5")]
    pub(crate) http_end_point: Option<EndPoint>,
}

/// Node states of `event_store.client.gossip.MemberInfo.VNodeState`.
pub(crate) const FOLLOWER: i32 = 6;
pub(crate) const LEADER: i32 = 8;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EndPoint {
    #[prost(string, tag = "1")]
    pub(crate) address: String,
    #[prost(uint32, tag = "2")]
    pub(crate) port: u32,
}

/// `event_store.client.server_features.SupportedMethods`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SupportedMethods {
    #[prost(message, repeated, tag = "1")]
    pub(crate) methods: Vec<SupportedMethod>,
    #[prost(string, tag = "2")]
    pub(crate) event_store_server_version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SupportedMethod {
    #[prost(string, tag = "1")]
    pub(crate) method_name: String,
    #[prost(string, tag = "2")]
    pub(crate) service_name: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) features: Vec<String>,
}

/// Any message of which nothing is needed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ignored {}
