//! Every type of problem there is, in the sections and the order of docs/API.md, which has to say the same: what the document, and the
//! page of problems that it serves, are made of.

use std::sync::LazyLock;

/// What a caller can know of a problem before it meets one.
pub struct Known {
    /// The last part of `type`.
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// When it happens, or an example of `detail`.
    pub when: &'static str,
    /// What to do about it; empty when there is nothing.
    pub then: &'static str,
}

pub struct Section {
    pub title: &'static str,
    pub known: &'static [Known],
}

/// The problem with this code.
pub fn known(code: &str) -> Option<&'static Known> {
    static BY_CODE: LazyLock<std::collections::HashMap<&str, &Known>> = LazyLock::new(|| {
        let all = SECTIONS.iter().flat_map(|section| section.known);
        all.map(|known| (known.code, known)).collect()
    });
    BY_CODE.get(code).copied()
}

macro_rules! sections {
    ($($title:literal { $($code:literal $status:literal $name:literal: $when:literal => $then:literal;)+ })+) => {
        pub const SECTIONS: &[Section] = &[$(Section {
            title: $title,
            known: &[$(Known { code: $code, status: $status, title: $name, when: $when, then: $then }),+],
        }),+];
    };
}

sections! {
    "Of any request" {
        "unauthenticated" 401 "Who is asking is not known": "no log-in, one that has ended, or a token that is none" => "log in";
        "not-allowed" 403 "The role does not allow this": "the role does not allow it" => "ask somebody whose role does; see Rights";
        "too-many-requests" 429 "Too many requests": "more requests than are taken of who asks, of this address, or for this client; carries `Retry-After`" => "try again in a second, with the same key";
        "idempotency-key-missing" 400 "The idempotency key is missing or unusable": "a `POST` without `Idempotency-Key`" => "send one";
        "idempotency-key-invalid" 400 "The idempotency key is missing or unusable": "not 1 to 128 visible ASCII characters, or more than one key" => "send one UUID";
        "malformed-request" 400 "The request cannot be read": "the body is not a JSON object, or a field is missing, unknown or not what it should be" => "mend what `detail` names";
        "invalid-parameter" 400 "A parameter has no such value": "a path or query parameter has no such value, or is unknown" => "mend what `detail` names";
        "cursor-of-another-order" 422 "The page before was in another order": "`before` or `after` is of a list in another order than `sort` says" => "begin at the first page, or keep the order";
        "position-named-twice" 422 "A position is named twice": "`square_offs` names NSE:RELIANCE CNC twice" => "name each once";
        "not-json" 415 "The body is not JSON": "a body without `Content-Type: application/json`" => "send it";
        "body-too-slow" 408 "The body took too long": "the body was not here within 10 seconds" => "send it again, with the same key";
        "body-too-large" 413 "The body is too large": "more than 64 KiB" => "send less";
        "resource-changed" 412 "The resource has changed": "what `If-Match` names is not as it was at that version" => "look at it again, then ask with its new `ETag`";
        "no-such-resource" 404 "There is nothing here": "the path names nothing" => "see above";
        "method-not-allowed" 405 "The resource has no such method": "the resource has no such method" => "see the `Allow` header";
        "unknown-client" 404 "There is no such client": "no client has the code C00042" => "check the code; import the book";
        "unknown-incident" 404 "There was no such incident": "nobody asked to activate the platform for that date" => "check the date";
        "unknown-stream" 404 "There is no such stream": "no event was ever appended to this stream" => "check the name";
        "unknown-event" 404 "There is no such event": "no event stands at this log position" => "check the position";
        "not-sealed-yet" 409 "The event is not sealed yet": "no checkpoint covers the event yet; carries `Retry-After`" => "try again in a second; look at `seal` in `/readyz`";
        "event-altered" 500 "The event is not the one that was sealed": "the event in the log is not the one that was sealed" => "stop, and call whoever keeps the log: `squareoff audit verify`";
        "proofs-unavailable" 503 "The proofs cannot be read now": "this API has no folder of the seal, or can't read it; orders still go" => "try again; ask another node";
        "event-log-behind" 503 "The event log is not read to its end yet": "the API is still reading the event log, or the log holds what this release can't read" => "try again; look at `/readyz`";
        "event-log-unavailable" 503 "The event log cannot be used now": "the event log can't be read, or takes nothing after a disk error" => "try again; look at the API's log";
        "server-busy" 503 "More requests are under way than can be": "more requests are under way than can be; nothing of this one was done" => "try again, with pauses that grow";
        "took-too-long" 503 "The answer took too long": "there was no answer within 30 seconds; it may have been done all the same" => "ask again with the same key";
        "overloaded" 503 "More requests than the event log takes": "more waits for the event log than it queues" => "try again, with pauses that grow";
        "busy" 503 "Others are changing the same position": "others changed the same position again and again meanwhile" => "try again with the same key";
        "outcome-unknown" 503 "The outcome is unknown: ask again with the same key": "a commit failed half way: the request may have been accepted" => "ask again with the same key until the answer is another";
        "read-model-unavailable" 503 "The read database does not answer": "the read database does not answer; orders still go" => "try again";
        "identity-keys-unavailable" 503 "The keys of the identity are out of reach": "the key store or its master key is out of reach; everything but identities goes on" => "look at the API's log";
        "too-many-live-connections" 429 "You have too many live connections": "this person holds 16 live connections" => "close one";
        "no-live-connection-free" 503 "No more live connections can be held now": "the node holds as many live connections as it can, or is closing" => "try again, or another node";
        "read-model-behind" 503 "The read model has not seen that yet": "the read models did not reach `at_least` within 5 seconds" => "try again";
        "log-in-refused" 401 "The log-in is refused": "account, password, code or refresh token is not right" => "try again; after a lost answer log in again";
        "log-in-locked" 429 "Too many attempts failed": "too many attempts at the account failed from this address; carries `Retry-After`" => "wait";
        "log-in-busy" 503 "Too many log in at once": "too many log in at once; nothing was counted" => "try again behind `Retry-After`";
        "log-in-unavailable" 503 "Nobody can log in now": "the secrets file can't be used" => "look at the API's log";
        "csrf-token-wrong" 403 "The request does not come from a page of ours": "a cookie came without the log-in's `X-CSRF-Token`" => "send it; `GET /v1/auth/me` tells it";
        "cross-origin" 403 "The request comes from a page of another site": "a page of another site asks" => "ask from a page of the same origin";
        "password-unfit" 422 "This cannot be a password": "too short, too long, or among those that are tried first" => "take another";
        "password-wrong" 422 "The password is not right": "the old password is not right" => "try again";
        "code-wrong" 422 "The code is not right": "the first code of a new app is not one of now" => "see that the phone's clock is right";
        "sample-log-in" 409 "A sample log-in has nothing to look after": "a development token has no password, no codes and no session" => "log in";
        "unknown-session" 404 "There is no such session": "there is no such session, or it has ended" => "look at `GET /v1/sessions`";
        "internal-error" 500 "The server made a mistake": "a mistake of ours; it is in the API's log" => "try again with the same key, and tell us";
    }
    "Of a request about a position or an order, in order of precedence" {
        "idempotency-key-reused" 422 "The idempotency key was used for another request": "this request id was used before for another request" => "a new key for a new request";
        "reason-missing" 422 "A reason is needed": "a reason is needed" => "say why";
        "platform-not-active" 409 "The platform is not active": "the platform is not active" => "look at `GET /v1/platform`";
        "unknown-position" 404 "There is no such position": "there is no such position today" => "look at the client's positions; the API names the position";
        "unknown-instrument" 404 "There is no such instrument": "there is no contract for this instrument on the position's trading date" => "check the symbol; import the book";
        "new-orders-halted" 409 "New orders are halted": "new orders are halted: prices look wrong" => "look at `GET /v1/platform`; cancels go on";
        "market-not-open" 409 "The market is not open": "the market is not open: pre-open" => "wait for the market, or tell its phase";
        "exchange-not-connected" 503 "The exchange is not connected": "the exchange session is not ready" => "try again; look at `/readyz`";
        "position-handed-back" 409 "The position was handed back": "the position was handed back to the primary platform" => "close it there";
        "position-frozen" 409 "The position is frozen": "the position is frozen: the fill is disputed" => "find out, then unfreeze it";
        "instrument-restricted" 409 "The instrument cannot be squared off here": "the instrument cannot be squared off here: it is suspended" => "nothing can be placed";
        "quantity-not-positive" 422 "The quantity is not more than zero": "the quantity must be more than zero" => "ask for more than zero";
        "nothing-to-close" 409 "Nothing is left to close": "nothing is left to close: 40 open, 40 already on its way" => "look at the position's orders";
        "exceeds-open-quantity" 409 "The quantity is more than can still be closed": "300 is more than the 250 that can still be closed" => "ask for less, or for `\"all\"`";
        "odd-lot" 409 "What is left to close is an odd lot": "7 is an odd lot: of it 5 can be closed in lots of 5" => "ask for the whole lots";
        "not-whole-lots" 422 "The quantity is not in whole lots": "12 is not a whole number of lots of 5" => "ask for whole lots";
        "freeze-below-lot" 409 "The venue freezes even one lot": "the freeze quantity 4 is less than one lot of 5" => "check the contract file";
        "too-many-slices" 422 "The quantity needs too many orders": "the quantity needs 201 orders, more than the 200 that one request may place" => "ask for less at a time";
        "unknown-order" 404 "There is no such order": "the position has no such order" => "check the id";
        "not-our-order" 409 "The order is the primary platform's": "the order is the primary platform's: it can be cancelled here, not changed" => "cancel it, place your own";
        "order-ended" 409 "The order has ended": "the order is already filled" => "nothing is left of it";
        "order-not-in-doubt" 409 "The order is not in doubt": "the order is not in doubt" => "nothing is to be resolved";
        "order-in-doubt" 409 "The order is in doubt": "it is not known whether the exchange has the order" => "find out, then resolve it";
        "cancel-pending" 409 "A cancel is already on its way": "a cancel of this order is already on its way" => "wait for its outcome";
        "replace-pending" 409 "A change is already on its way": "a change of this order is already on its way" => "wait for its outcome";
        "order-not-acknowledged" 409 "The exchange has not acknowledged the order": "the exchange has not acknowledged the order yet" => "wait a moment";
        "too-many-cancels" 409 "The order was cancelled too often": "this order was cancelled 128 times without success" => "speak to the exchange";
        "too-many-replaces" 409 "The order was changed too often": "this order was changed 128 times already" => "cancel it and place another";
        "nothing-to-change" 422 "The change leaves everything as it is": "the change leaves price and quantity as they are" => "";
        "quantity-not-lower" 422 "The quantity can only go down": "the quantity can only go down: 25 is more than 20" => "place another order for what is more";
        "quantity-not-above-filled" 409 "That much has filled already": "5 is not more than the 10 that have filled already" => "cancel the rest instead";
        "nothing-to-cancel" 409 "No order is working": "no order is working" => "";
        "stale-reference" 409 "The reference price is too old": "the reference price is 90000 s old, more than the 86400 s that are allowed" => "give a `limit_price`, or load today's contracts";
        "price-off-tick" 422 "The price is not on a tick": "the price 100.03 is not a multiple of the tick 0.05" => "round it";
        "price-out-of-band" 422 "The price is outside the band": "the price 110.05 is outside the band 90.00 to 110.00" => "stay inside";
        "price-out-of-protection" 422 "The price is outside the limit price protection": "the price 106.00 is outside the limit price protection 95.00 to 105.00" => "stay inside";
        "position-not-frozen" 409 "The position is not frozen": "the position is not frozen" => "";
        "orders-working" 409 "Orders may still fill": "2 orders may still fill" => "cancel them, or wait";
    }
    "Of a request about the platform, in order of precedence" {
        "in-the-future" 422 "What happened lies in the future": "`trading_date` is in the future" => "check the date and the time";
        "platform-already-active" 409 "The platform is already active": "the platform is already active (epoch 3)" => "";
        "activation-pending" 409 "An activation waits for approval already": "desk-asha has asked for an activation already" => "approve or reject that one";
        "no-activation-pending" 409 "No activation waits for approval": "no activation waits for this (the platform is dormant)" => "ask for one";
        "activation-not-approved" 409 "No activation is approved": "no activation is approved (the platform's state is requested)" => "another person approves first";
        "book-not-loaded" 409 "The day's book is not loaded": "the book of 2026-11-20 is not loaded: import its contracts, clients and positions, or say why to activate without it" => "`squareoff book import`, or `without_book`";
        "no-handback-pending" 409 "No hand-back waits for approval": "no hand-back waits for this (the platform is active)" => "ask for one";
        "platform-not-draining" 409 "The platform is not draining": "the platform is not draining but active" => "ask for the hand-back, and have it approved";
        "already-halted" 409 "New orders are halted already": "new orders are already halted for NSE/FO" => "the first reason stays";
        "not-halted" 409 "New orders are not halted": "new orders are not halted for NSE" => "a wider or narrower halt is resumed by its own scope";
        "resume-pending" 409 "A resume waits for approval already": "desk-asha has asked to resume NSE/FO already" => "approve or reject that";
        "no-resume-pending" 409 "No resume waits for approval": "nobody has asked to resume all" => "ask first";
        "too-many-cancel-alls" 409 "Too many cancel-alls wait for approval": "16 cancel-alls are waiting for approval already" => "approve or reject some";
        "unknown-cancel-all" 404 "No such cancel-all waits": "no cancel-all 00000000-0000-0000-0000-000000000007 waits for approval" => "it was answered before, or never asked for";
        "halt-first" 409 "The venue is to be halted before it is disconnected": "new orders are not halted for NSE: halt them first" => "halt the venue, or everything";
        "already-disconnected" 409 "The venue is disconnected already": "NSE is already disconnected" => "";
        "disconnect-pending" 409 "A disconnect waits for approval already": "desk-asha has asked to disconnect NSE already" => "approve or reject that";
        "no-disconnect-pending" 409 "No disconnect waits for approval": "nobody has asked to disconnect NSE" => "ask first";
        "not-disconnected" 409 "The venue is not disconnected": "NSE is not disconnected" => "";
        "own-request" 409 "Another person has to approve": "desk-asha has asked for this: another person has to approve" => "another person";
    }
    "Of a request about a bulk, in order of precedence" {
        "filter-unclear" 422 "The filter does not say which positions": "`filter` is empty: for every position say \"all\": true" => "name what the positions have in common, or all";
        "unknown-bulk" 404 "There is no such bulk": "there is no such bulk" => "check the id";
        "bulk-already-proposed" 409 "The bulk is proposed already": "this bulk was proposed already" => "";
        "nothing-to-square-off" 409 "No position falls under the filter": "no position falls under the filter" => "check the filter with a dry run";
        "too-many-items" 422 "More positions than one bulk takes": "1000001 positions are more than the 1000000 of one bulk" => "narrow the filter";
        "bulk-in-another-status" 409 "The bulk is at another point of its life": "the bulk is completed" => "look at it";
        "not-the-proposer" 409 "Another person proposed the bulk": "only desk-asha, who proposed the bulk, lists its items" => "";
        "list-incomplete" 409 "The list of the bulk is not complete": "20000 of 150000 items are listed" => "send the proposal again, with its key; or reject this one and propose anew";
    }
    "Of an answer to an order that waits for a second person, in order of precedence" {
        "unknown-approval" 404 "There is no such approval": "there is no such approval" => "check the id";
        "approval-lapsed" 409 "The approval has lapsed": "the approval has lapsed: the activation it was asked in has ended" => "ask for the order anew";
        "approval-in-another-status" 409 "The approval is at another point of its life": "the approval is ordered" => "look at it";
        "not-the-asker" 409 "Another person asked for this": "only desk-asha, who asked, takes this back" => "a supervisor can refuse it";
    }
    "Of a request about suspense, in order of precedence" {
        "unknown-report" 404 "There is no such report": "no such report is held" => "check venue, date and key";
        "already-matched" 409 "The report is matched already": "the report is matched to position-2026-11-20-C00001-NSE:RELIANCE-MIS already" => "";
        "match-begun" 409 "A match of the report has begun elsewhere": "a match to position-2026-11-20-C00001-NSE:RELIANCE-MIS has begun: match it there again, which concludes it" => "match it to that position";
        "already-dismissed" 409 "The report is dismissed already": "the report is dismissed already" => "";
        "no-execution" 409 "The report is of no execution": "the report is of no execution" => "dismiss it";
        "other-instrument" 409 "The execution is in another instrument": "the execution is not in the instrument of that position" => "check the position";
    }
    "Of a request about an identity, or for a client who called, in order of precedence" {
        "reason-holds-pan" 422 "The reason holds personal data": "the reason holds what looks like a PAN, and it stays in the log for ever: leave it out" => "name a ticket instead";
        "client-erased" 410 "The client was erased": "the identity of C00042 was erased" => "there is nothing left to see";
        "identity-not-recorded" 404 "No identity is recorded": "no identity of C00042 was ever recorded" => "import the book";
        "identity-incomplete" 409 "Of the identity something is not recorded": "no date-of-birth of C00042 is recorded" => "nobody can be verified without it: import the book, or close by a bulk";
        "too-many-verifications" 429 "Too many callers were not verified": "desk-asha has failed to verify a caller as C00042 3 times within 30 minutes: somebody else verifies, or wait" => "";
        "caller-not-verified" 409 "The caller is not verified": "desk-asha has verified nobody who calls as C00042: POST /v1/clients/C00042/verifications with what the caller tells" => "verify the caller";
        "reveal-over" 409 "This look is over": "the look under this key was more than 5 minutes ago: look anew under a new key, with the reason for that" => "look anew under a new key";
        "caller-mismatch" 422 "What the caller told is not what is recorded": "PAN and date of birth are not both those of C00042; 2 attempts are left" => "ask again, or end the call";
    }
    "Of a request about somebody who may log in, in order of precedence" {
        "operator-name-invalid" 422 "This cannot be a name": "a name has 1 to 120 characters and none that controls a terminal" => "mend the name";
        "own-rights" 409 "Nobody changes their own rights": "nobody changes their own rights: another administrator does" => "another administrator";
        "operator-exists" 409 "Somebody has this name already": "desk-asha is enrolled already" => "take another name, or reset the account";
        "unknown-operator" 404 "Nobody is enrolled under this name": "nobody is enrolled as desk-asha" => "look at `GET /v1/operators`";
        "operator-client-mismatch" 422 "Name, role and client code do not fit together": "an investor has a client code and is named after it, as investor-c00042; nobody else has one or is named so" => "mend name, role or client code";
        "operator-disabled" 409 "The account is disabled": "desk-asha is disabled" => "reinstate them first";
        "operator-not-disabled" 409 "The account is not disabled": "desk-asha is not disabled" => "";
        "operator-has-role" 409 "The role is the same": "desk-asha is desk already" => "";
        "first-secret-gone" 409 "What was handed over is of no use any more": "the secret that this request gave out was used, was replaced, or its day is over: reset the account under a new key" => "the request is done: reset the account under a new key where it has to be set up still";
    }
}
