//! One call: who calls, and which method of which service it is.

use crate::access::{self, Caller};
use crate::faults::Peer;
use crate::propose::{self, Write};
use crate::refusal::Refusal;
use crate::server::Shared;
use crate::wire::{Ignored, ProposedMessage, SupportedMethod, SupportedMethods};
use crate::{append, batch, read};
use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming as Received;
use squareoff_store::NewEvent;
use std::future::ready;
use std::sync::Arc;
use tonic::body::Body;
use tonic::codec::ProstCodec;
use tonic::server::Grpc;
use tonic::{Status, Streaming};
use tower::service_fn;

/// The version of KurrentDB whose protocol this is. Clients look at it to know what they may ask.
const VERSION: &str = "25.1.0";
/// One message: the largest append there is in one part, and its envelopes.
const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// KurrentDB's clients ask so for the leader alone.
const REQUIRES_LEADER: &str = "requires-leader";

const STREAMS: &str = "/event_store.client.streams.Streams/";
const GOSSIP: &str = "/event_store.client.gossip.Gossip/Read";
const FEATURES: &str = "/event_store.client.server_features.ServerFeatures/GetSupportedMethods";
const PERSISTENT: &str = "/event_store.client.persistent_subscriptions.PersistentSubscriptions/";

/// A call, before its messages.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
    caller: Caller,
    requires_leader: bool,
}

impl Incoming {
    pub(crate) fn leader_where_required(&self) -> Result<(), Refusal> {
        if self.requires_leader {
            self.shared.node.must_lead()
        } else {
            Ok(())
        }
    }

    /// Whether anything may be appended, here.
    pub(crate) fn to_write(&self) -> Result<(), Refusal> {
        match self.shared.write {
            Write::Nothing => Err(Refusal::ReadOnly),
            Write::KnownEvents | Write::AnyEvents => self.leader_where_required(),
        }
    }

    pub(crate) fn event(&self, message: ProposedMessage) -> Result<NewEvent, Refusal> {
        propose::event(message, self.shared.write, &self.shared.types, &self.caller)
    }
}

pub(crate) async fn answer(
    shared: Arc<Shared>,
    peer: Peer,
    request: Request<Received>,
) -> Response<Body> {
    let caller = match access::caller(shared.token.as_ref(), request.headers()) {
        Ok(caller) => caller,
        // The Rust client asks for the features without its credentials, and KurrentDB tells everybody.
        Err(_) if request.uri().path() == FEATURES => Caller { user: None },
        Err(_) => return Status::unauthenticated("this server asks for its token").into_http(),
    };
    let requires_leader = request
        .headers()
        .get(REQUIRES_LEADER)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    let called = request.uri().authority().cloned();
    let incoming = Incoming {
        shared,
        peer,
        caller,
        requires_leader,
    };
    let path = request.uri().path().to_owned();
    match path.strip_prefix(STREAMS) {
        Some(method) => streams(incoming, method, request).await,
        None => other(&incoming, called.as_ref(), &path, request).await,
    }
}

async fn streams(incoming: Incoming, method: &str, request: Request<Received>) -> Response<Body> {
    match method {
        "Read" => {
            let read = service_fn(|request: tonic::Request<_>| {
                let read = read::read(incoming.clone(), request.into_inner());
                ready(
                    read.map(tonic::Response::new)
                        .map_err(|refusal| refusal.status()),
                )
            });
            let mut grpc = Grpc::new(ProstCodec::default());
            grpc.server_streaming(read, request).await
        }
        "Append" => {
            let append = service_fn(|request: tonic::Request<Streaming<_>>| {
                let appended = append::append(incoming.clone(), request.into_inner());
                async { appended.await.map(tonic::Response::new) }
            });
            let grpc = Grpc::new(ProstCodec::default());
            let mut grpc = grpc.max_decoding_message_size(MESSAGE_BYTES_MAX);
            grpc.client_streaming(append, request).await
        }
        "BatchAppend" => {
            let batch = service_fn(|request: tonic::Request<Streaming<_>>| {
                let answers = batch::batch(incoming.clone(), request.into_inner());
                ready(Ok::<_, Status>(tonic::Response::new(Box::pin(answers))))
            });
            let grpc = Grpc::new(ProstCodec::default());
            let mut grpc = grpc.max_decoding_message_size(MESSAGE_BYTES_MAX);
            grpc.streaming(batch, request).await
        }
        "Delete" => append_only("no stream is ever deleted").into_http(),
        "Tombstone" => append_only("no stream is ever tombstoned").into_http(),
        _ => unimplemented(&format!("{STREAMS}{method}")),
    }
}

async fn other(
    incoming: &Incoming,
    called: Option<&Authority>,
    path: &str,
    request: Request<Received>,
) -> Response<Body> {
    match path {
        GOSSIP => {
            let members = incoming.shared.node.gossip(called);
            unary(members, request).await
        }
        FEATURES => {
            let claimed = incoming.shared.faults.version();
            unary(features(claimed), request).await
        }
        _ if path.starts_with(PERSISTENT) => Status::unimplemented(
            "persistent subscriptions are not served: subscribe from a position and keep it yourself",
        )
        .into_http(),
        _ => unimplemented(path),
    }
}

async fn unary<M>(answer: M, request: Request<Received>) -> Response<Body>
where
    M: prost::Message + Default + 'static,
{
    let mut answer = Some(answer);
    let service = service_fn(move |_: tonic::Request<Ignored>| {
        let answer = answer.take().expect("a call is answered once");
        ready(Ok::<_, Status>(tonic::Response::new(answer)))
    });
    Grpc::new(ProstCodec::default())
        .unary(service, request)
        .await
}

fn append_only(what: &'static str) -> Status {
    Refusal::AppendOnly { what }.status()
}

fn unimplemented(path: &str) -> Response<Body> {
    Status::unimplemented(format!("{path} is not served")).into_http()
}

/// What clients look for before they use it; in small letters, as KurrentDB lists it.
fn features(claimed: Option<String>) -> SupportedMethods {
    let method = |service: &str, method: &str| SupportedMethod {
        method_name: method.to_owned(),
        service_name: service.to_owned(),
        features: Vec::new(),
    };
    let streams = "event_store.client.streams.streams";
    SupportedMethods {
        methods: vec![
            method(streams, "read"),
            method(streams, "append"),
            method(streams, "batchappend"),
            method("event_store.client.gossip.gossip", "read"),
            method(
                "event_store.client.server_features.serverfeatures",
                "getsupportedmethods",
            ),
        ],
        event_store_server_version: claimed.unwrap_or_else(|| VERSION.to_owned()),
    }
}
