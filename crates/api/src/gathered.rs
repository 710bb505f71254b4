//! What a decision about one position needs from outside it, as this process knows it now: the same for a person's request and for an
//! item of a bulk.

use crate::directory::Directory;
use crate::server::{Settings, now};
use squareoff_domain::platform::Platform;
use squareoff_domain::position::Context;
use squareoff_domain::{Contract, PositionKey, RequestId, Timestamp};
use squareoff_store::Caller;
use std::sync::Arc;
use uuid::Uuid;

pub struct Gathered {
    pub platform: Platform,
    pub contract: Option<Arc<Contract>>,
    pub session_ready: bool,
    pub now: Timestamp,
    pub settings: Settings,
}

impl Gathered {
    pub fn of(directory: &Directory, key: &PositionKey, settings: Settings) -> Gathered {
        let now = now();
        Gathered {
            platform: directory.platform(),
            contract: directory.contract(key.date, key.venue, &key.symbol),
            session_ready: directory.session_ready(key.venue, &key.client, now),
            now,
            settings,
        }
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            platform: &self.platform,
            session_ready: self.session_ready,
            contract: self.contract.as_deref(),
            now: self.now,
            reference_age_max_s: self.settings.reference_age_max_s,
        }
    }

    /// The envelope of what is decided; `correlation_id` is what the request is a part of, or the request itself.
    pub fn caller(&self, actor: &Arc<str>, request_id: RequestId, correlation_id: Uuid) -> Caller {
        Caller {
            actor: Arc::clone(actor),
            request_id: request_id.0,
            correlation_id,
            epoch: self.platform.epoch,
            now: self.now,
        }
    }
}
