//! Whether the desk may act for a client who called. Orders of a bulk and of the kill switch are for nobody on the phone, and never ask here.

use crate::auth::Who;
use crate::decide::unread;
use crate::problem::Problem;
use crate::server::{App, now};
use squareoff_domain::client::{ClientState, check_verified, client_stream};
use squareoff_domain::{ClientCode, RequestId, Role};

/// # Errors
/// `caller-not-verified`, which says how it is mended, or why nobody can be verified as this client. A `request` that was accepted before gets
/// its first answer, whatever has become of the verification since: it has to be one that is decided under this very id, so that an id of
/// another stream is refused there.
pub async fn check(
    app: &App,
    who: &Who,
    client: &ClientCode,
    request: Option<RequestId>,
) -> Result<(), Problem> {
    let asks_for_themself = who.role == Role::Investor;
    let accepted_before = || {
        let of_request = request.and_then(|id| app.directory.stream_of_request(id));
        of_request.is_some()
    };
    if !app.settings.caller_verification || asks_for_themself || accepted_before() {
        return Ok(());
    }
    let (stream, is_verified) = (client_stream(client), |state: &ClientState| {
        check_verified(state, client, &who.name, now())
    });
    // As new as all else that this process decides by; what it does not know, or what it would refuse, it looks up.
    let known = app.clients.recall(&stream);
    let known = known.filter(|_| app.directory.progress().caught_up);
    if known.is_some_and(|known| is_verified(&known.state).is_ok()) {
        return Ok(());
    }
    let loaded = app.clients.load(&stream).await.map_err(unread)?;
    Ok(is_verified(&loaded.state)?)
}
