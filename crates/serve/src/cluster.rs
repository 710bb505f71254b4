//! Which nodes there are and who leads, as Gossip tells it. A server is a cluster of one that leads itself; tests make one of three.

use crate::wire::{self, ClusterInfo, EndPoint, MemberInfo};
use crate::{now_ns, refusal::Refusal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use uuid::Uuid;

/// KurrentDB counts time in 100 nanoseconds since the year 1; these are from there to 1970.
const TICKS_TO_1970: i64 = 621_355_968_000_000_000;

#[derive(Debug)]
pub(crate) struct Members {
    members: Vec<Member>,
    leader: AtomicUsize,
}

#[derive(Debug)]
struct Member {
    instance: Uuid,
    address: SocketAddr,
    alive: AtomicBool,
}

/// One node of them.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    members: Arc<Members>,
    me: usize,
}

impl Members {
    pub(crate) fn new(addresses: &[SocketAddr]) -> Arc<Members> {
        let member = |address: &SocketAddr| Member {
            instance: Uuid::new_v4(),
            address: *address,
            alive: AtomicBool::new(true),
        };
        Arc::new(Members {
            members: addresses.iter().map(member).collect(),
            leader: AtomicUsize::new(0),
        })
    }
}

impl Node {
    pub(crate) fn new(members: Arc<Members>, me: usize) -> Node {
        Node { members, me }
    }

    pub(crate) fn stopped(&self) {
        self.members.members[self.me]
            .alive
            .store(false, Ordering::Relaxed);
    }

    /// Refuses what only the leader may do.
    pub(crate) fn must_lead(&self) -> Result<(), Refusal> {
        let leader = self.members.leader.load(Ordering::Relaxed);
        if leader == self.me {
            return Ok(());
        }
        let address = self.members.members[leader].address;
        Err(Refusal::NotLeader {
            host: address.ip().to_string(),
            port: address.port(),
        })
    }

    /// The members as the caller can reach them: of ourselves that is the address that it called.
    pub(crate) fn gossip(&self, called: Option<&http::uri::Authority>) -> ClusterInfo {
        let leader = self.members.leader.load(Ordering::Relaxed);
        let told = |(index, member): (usize, &Member)| MemberInfo {
            instance_id: Some(wire::Uuid::structured(member.instance)),
            time_stamp: TICKS_TO_1970 + now_ns() / 100,
            state: if index == leader {
                wire::LEADER
            } else {
                wire::FOLLOWER
            },
            is_alive: member.alive.load(Ordering::Relaxed),
            http_end_point: Some(match called.filter(|_| index == self.me) {
                Some(called) => EndPoint {
                    address: called.host().trim_matches(['[', ']']).to_owned(),
                    port: called.port_u16().unwrap_or(member.address.port()).into(),
                },
                None => EndPoint {
                    address: member.address.ip().to_string(),
                    port: member.address.port().into(),
                },
            }),
        };
        ClusterInfo {
            members: self.members.members.iter().enumerate().map(told).collect(),
        }
    }
}

#[cfg(feature = "faults")]
mod three {
    use super::{Members, Node, Ordering};
    use crate::server::{self, Options, ServeError, Server};
    use squareoff_store::EventStore;
    use std::net::SocketAddr;
    use std::sync::Arc;

    /// Three servers over one log, of which one leads.
    #[derive(Debug)]
    pub struct Cluster {
        members: Arc<Members>,
        servers: Vec<Option<Server>>,
        addresses: Vec<SocketAddr>,
    }

    impl Cluster {
        /// Starts them on three free ports of the loopback address; the first leads. Of the options, the address is not looked at.
        ///
        /// # Errors
        /// As [`crate::start`].
        pub async fn start(store: &EventStore, options: &Options) -> Result<Cluster, ServeError> {
            let mut listeners = Vec::new();
            for _ in 0..3 {
                listeners.push(server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?);
            }
            let addresses: Vec<_> = listeners.iter().map(|(_, address)| *address).collect();
            let members = Members::new(&addresses);
            let mut servers = Vec::new();
            for (me, listener) in listeners.into_iter().enumerate() {
                let node = Node::new(members.clone(), me);
                let server = server::start_node(store.clone(), options.clone(), listener, node)?;
                servers.push(Some(server));
            }
            Ok(Cluster {
                members,
                servers,
                addresses,
            })
        }

        /// Where each node listens.
        pub fn addresses(&self) -> &[SocketAddr] {
            &self.addresses
        }

        /// The node's server, `None` when it was stopped.
        pub fn server(&self, node: usize) -> Option<&Server> {
            self.servers[node].as_ref()
        }

        /// Which node leads.
        pub fn leader(&self) -> usize {
            self.members.leader.load(Ordering::Relaxed)
        }

        /// From now on this node leads; the others refuse what only a leader may do and say where it is.
        pub fn lead(&self, node: usize) {
            self.members.leader.store(node, Ordering::Relaxed);
        }

        /// Stops a node: its connections end, and Gossip says so. When it led, somebody must be made leader.
        pub async fn stop(&mut self, node: usize) {
            if let Some(server) = self.servers[node].take() {
                server.stop().await;
            }
        }
    }
}

#[cfg(feature = "faults")]
pub use three::Cluster;
