//! Messages that name themselves.

use squareoff_fix::message::{OrderMassStatusRequest, OutboundMessage};
use squareoff_fix::{AppMessage, Role, SessionConfig};

/// An application message that carries `name`; mass status requests are the shortest there are.
pub fn message(name: &str, position: u64) -> OutboundMessage {
    let request = AppMessage::OrderMassStatusRequest(OrderMassStatusRequest {
        mass_status_req_id: name.to_owned(),
        mass_status_req_type: OrderMassStatusRequest::ALL_ORDERS,
        account: None,
        symbol: None,
    });
    OutboundMessage::new(name, position, &request).expect("a short printable message")
}

/// The name in a message made by [`message`].
pub fn name(message: &AppMessage) -> String {
    match message {
        AppMessage::OrderMassStatusRequest(request) => request.mass_status_req_id.clone(),
        other => panic!("unexpected {other:?}"),
    }
}

pub fn config(role: Role) -> SessionConfig {
    match role {
        Role::Initiator => SessionConfig::new(role, "GATE", "EXCH"),
        Role::Acceptor => SessionConfig::new(role, "EXCH", "GATE"),
    }
}
