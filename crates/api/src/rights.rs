//! Who may do what: the one table. [`crate::guard`] is the one place that asks it, for every route; what has no row is refused.
//!
//! What is left to a handler is whose something is: [`Who::own`] and [`Who::own_list`].

use crate::auth::Who;
use crate::problem::Problem;
use axum::http::Method;
use squareoff_domain::{ClientCode, PositionKey, Role};
use std::fmt;

/// What a right is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    SquareOff,
    Cancel,
    Modify,
    /// Orders that wait for a second person.
    ReadApprovals,
    /// To be that second person.
    ApproveOrder,
    VerifyCaller,
    FreezePosition,
    HandBackPosition,
    ResolveDoubt,
    ReadClients,
    FindClients,
    RevealIdentity,
    ReadPositions,
    ReadProofs,
    ReadLog,
    ReadAudit,
    ReadPlatform,
    RunPlatform,
    StopPlatform,
    ApprovePlatform,
    ReadBulk,
    RunBulk,
    ApproveBulk,
    ReadSuspense,
    SettleSuspense,
    /// One's own log-in, password, codes and sessions.
    OwnLogIn,
    ManagePeople,
}

impl Action {
    /// As refusals name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::SquareOff => "square-off",
            Action::Cancel => "cancel",
            Action::Modify => "modify",
            Action::ReadApprovals => "read-approvals",
            Action::ApproveOrder => "approve-order",
            Action::VerifyCaller => "verify-caller",
            Action::FreezePosition => "freeze-position",
            Action::HandBackPosition => "hand-back-position",
            Action::ResolveDoubt => "resolve-doubt",
            Action::ReadClients => "read-clients",
            Action::FindClients => "find-clients",
            Action::RevealIdentity => "reveal-identity",
            Action::ReadPositions => "read-positions",
            Action::ReadProofs => "read-proofs",
            Action::ReadLog => "read-log",
            Action::ReadAudit => "read-audit",
            Action::ReadPlatform => "read-platform",
            Action::RunPlatform => "run-platform",
            Action::StopPlatform => "stop-platform",
            Action::ApprovePlatform => "approve-platform",
            Action::ReadBulk => "read-bulk",
            Action::RunBulk => "run-bulk",
            Action::ApproveBulk => "approve-bulk",
            Action::ReadSuspense => "read-suspense",
            Action::SettleSuspense => "settle-suspense",
            Action::OwnLogIn => "own-log-in",
            Action::ManagePeople => "manage-people",
        }
    }

    /// Who may. An investor's right is to what is their own.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Administrator, Auditor, Desk, Investor, Machine, Supervisor};
        match self {
            Action::SquareOff | Action::Cancel | Action::Modify => &[Desk, Supervisor, Investor],
            Action::VerifyCaller
            | Action::FreezePosition
            | Action::HandBackPosition
            | Action::ResolveDoubt
            | Action::RevealIdentity
            | Action::RunPlatform
            // By one person: stopping must not wait for a second.
            | Action::StopPlatform
            | Action::RunBulk
            | Action::SettleSuspense => &[Desk, Supervisor],
            Action::ApprovePlatform | Action::ApproveBulk | Action::ApproveOrder => &[Supervisor],
            Action::ReadApprovals => &[Desk, Supervisor, Investor, Auditor],
            Action::FindClients | Action::ReadAudit | Action::ReadBulk => {
                &[Desk, Supervisor, Auditor]
            }
            Action::ReadLog | Action::ReadSuspense => &[Desk, Supervisor, Auditor, Machine],
            Action::ReadClients | Action::ReadPositions | Action::ReadProofs => {
                &[Desk, Supervisor, Investor, Auditor, Machine]
            }
            Action::OwnLogIn => Role::ALL,
            Action::ManagePeople => &[Administrator],
            Action::ReadPlatform => &[Desk, Supervisor, Auditor, Administrator, Machine],
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Not even a name.
    Nothing,
    Right(Action),
}

/// A route: its method, its path as the router has it, and what it needs.
pub type Row = (Method, &'static str, Needs);

const fn get(path: &'static str, action: Action) -> Row {
    (Method::GET, path, Needs::Right(action))
}

const fn post(path: &'static str, action: Action) -> Row {
    (Method::POST, path, Needs::Right(action))
}

/// Every route. A test walks the router: it has no route without a row, and no row is of no route.
pub const ROUTES: &[Row] = {
    use Action::*;
    &[
        (Method::GET, "/healthz", Needs::Nothing),
        (Method::GET, "/readyz", Needs::Nothing),
        (Method::GET, "/docs", Needs::Nothing),
        (Method::GET, "/docs/style.css", Needs::Nothing),
        (Method::GET, "/problems", Needs::Nothing),
        (Method::GET, "/v1/openapi.json", Needs::Nothing),
        post("/v1/square-offs", SquareOff),
        get("/v1/approvals", ReadApprovals),
        get("/v1/approvals/{approval_id}", ReadApprovals),
        post("/v1/approvals/{approval_id}/approve", ApproveOrder),
        post("/v1/approvals/{approval_id}/refuse", ApproveOrder),
        // The rule is stricter: who asked.
        post("/v1/approvals/{approval_id}/withdraw", SquareOff),
        post("/v1/clients/search", FindClients),
        get("/v1/clients/{client_code}", ReadClients),
        post("/v1/clients/{client_code}/verifications", VerifyCaller),
        get("/v1/clients/{client_code}/positions", ReadPositions),
        post("/v1/clients/{client_code}/cancel-all", Cancel),
        post("/v1/clients/{client_code}/square-offs", SquareOff),
        post("/v1/clients/{client_code}/identity/reveal", RevealIdentity),
        get("/v1/orders", ReadPositions),
        get("/v1/orders/{order_id}", ReadPositions),
        post("/v1/orders/{order_id}/cancel", Cancel),
        post("/v1/orders/{order_id}/modify", Modify),
        post("/v1/orders/{order_id}/resolve", ResolveDoubt),
        get("/v1/positions", ReadPositions),
        get("/v1/positions/{stream}", ReadPositions),
        post("/v1/positions/{stream}/cancel-all", Cancel),
        post("/v1/positions/{stream}/freeze", FreezePosition),
        post("/v1/positions/{stream}/unfreeze", FreezePosition),
        post("/v1/positions/{stream}/hand-back", HandBackPosition),
        get("/v1/trades", ReadPositions),
        get("/v1/live", ReadPositions),
        get("/v1/live/ws", ReadPositions),
        get("/v1/executions", ReadLog),
        get("/v1/events", ReadLog),
        get("/v1/streams/{stream}", ReadLog),
        get("/v1/audit", ReadAudit),
        get("/v1/audit/proofs/{position}", ReadProofs),
        get("/v1/incidents", ReadAudit),
        get("/v1/incidents/{trading_date}", ReadAudit),
        get("/v1/platform", ReadPlatform),
        post("/v1/platform/activation", RunPlatform),
        post("/v1/platform/activation/approve", ApprovePlatform),
        post("/v1/platform/activation/reject", RunPlatform),
        post("/v1/platform/activation/load", RunPlatform),
        post("/v1/platform/activation/activate", RunPlatform),
        post("/v1/platform/hand-back", RunPlatform),
        post("/v1/platform/hand-back/approve", ApprovePlatform),
        post("/v1/platform/hand-back/reject", RunPlatform),
        post("/v1/platform/hand-back/complete", RunPlatform),
        post("/v1/platform/stand-down", StopPlatform),
        post("/v1/platform/halt", StopPlatform),
        post("/v1/platform/resume", RunPlatform),
        post("/v1/platform/resume/approve", ApprovePlatform),
        post("/v1/platform/resume/reject", RunPlatform),
        post("/v1/platform/cancel-all", RunPlatform),
        post("/v1/platform/cancel-all/{kill_id}/approve", ApprovePlatform),
        post("/v1/platform/cancel-all/{kill_id}/reject", RunPlatform),
        post("/v1/platform/disconnect", RunPlatform),
        post("/v1/platform/disconnect/approve", ApprovePlatform),
        post("/v1/platform/disconnect/reject", RunPlatform),
        post("/v1/platform/reconnect", RunPlatform),
        post("/v1/platform/market-phase", RunPlatform),
        get("/v1/bulk", ReadBulk),
        post("/v1/bulk", RunBulk),
        get("/v1/bulk/{bulk_id}", ReadBulk),
        get("/v1/bulk/{bulk_id}/phases", ReadBulk),
        get("/v1/bulk/{bulk_id}/items", ReadBulk),
        post("/v1/bulk/{bulk_id}/approve", ApproveBulk),
        post("/v1/bulk/{bulk_id}/reject", RunBulk),
        post("/v1/bulk/{bulk_id}/pause", RunBulk),
        post("/v1/bulk/{bulk_id}/resume", RunBulk),
        post("/v1/bulk/{bulk_id}/abort", RunBulk),
        get("/v1/suspense", ReadSuspense),
        post("/v1/suspense/match", SettleSuspense),
        post("/v1/suspense/dismiss", SettleSuspense),
        (Method::GET, "/.well-known/jwks.json", Needs::Nothing),
        (Method::POST, "/v1/auth/enrolment", Needs::Nothing),
        (Method::POST, "/v1/auth/enrolment/confirm", Needs::Nothing),
        (Method::POST, "/v1/auth/login", Needs::Nothing),
        (Method::POST, "/v1/auth/code", Needs::Nothing),
        (Method::POST, "/v1/auth/code/login", Needs::Nothing),
        (Method::POST, "/v1/auth/refresh", Needs::Nothing),
        post("/v1/auth/logout", OwnLogIn),
        get("/v1/auth/me", OwnLogIn),
        post("/v1/auth/password", OwnLogIn),
        post("/v1/auth/second-factor", OwnLogIn),
        post("/v1/auth/second-factor/confirm", OwnLogIn),
        post("/v1/auth/recovery-codes", OwnLogIn),
        get("/v1/sessions", OwnLogIn),
        (
            Method::DELETE,
            "/v1/sessions/{session_id}",
            Needs::Right(OwnLogIn),
        ),
        get("/v1/operators", ManagePeople),
        post("/v1/operators", ManagePeople),
        get("/v1/operators/{operator}", ManagePeople),
        post("/v1/operators/{operator}/role", ManagePeople),
        post("/v1/operators/{operator}/disable", ManagePeople),
        post("/v1/operators/{operator}/reinstate", ManagePeople),
        post("/v1/operators/{operator}/reset", ManagePeople),
    ]
};

/// The row of a route; a HEAD is a GET.
pub fn row(method: &Method, path: &str) -> Option<&'static Row> {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    ROUTES.iter().find(|row| row.0 == *method && row.1 == path)
}

/// Whether the path is a route under some method.
pub fn has_path(path: &str) -> bool {
    ROUTES.iter().any(|row| row.1 == path)
}

impl Who {
    pub fn may(&self, action: Action) -> bool {
        action.roles().contains(&self.role)
    }

    /// Whether what is this client's is there for whoever asks.
    pub fn owns(&self, client: &ClientCode) -> bool {
        match self.role {
            Role::Investor => self.client.as_ref() == Some(client),
            Role::Desk | Role::Supervisor | Role::Auditor | Role::Administrator | Role::Machine => {
                true
            }
        }
    }

    /// # Errors
    /// What is somebody else's is `missing`, as if it did not exist.
    pub fn own(
        &self,
        client: &ClientCode,
        missing: impl FnOnce() -> Problem,
    ) -> Result<(), Problem> {
        if self.owns(client) {
            Ok(())
        } else {
            Err(missing())
        }
    }

    /// Whether this stream is there for whoever asks: for an investor those of the own positions are.
    pub fn owns_stream(&self, stream: &str) -> bool {
        self.role != Role::Investor
            || PositionKey::of_stream(stream).is_some_and(|key| self.owns(&key.client))
    }

    /// The client that a list is of when `asked` is what the query says. An investor's is of the own client; asked for another's, it is
    /// that of a code which nobody has.
    pub fn own_list(&self, asked: Option<String>) -> Option<String> {
        if self.role != Role::Investor {
            return asked;
        }
        let own = self.client.as_ref().map_or("", ClientCode::as_str);
        match asked {
            Some(other) if other != own => Some(String::new()),
            Some(_) | None => Some(own.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(role: Role, client: Option<&str>) -> Who {
        Who {
            name: "somebody".into(),
            role,
            client: client.map(|code| code.parse().unwrap()),
        }
    }

    #[test]
    fn an_auditor_and_a_machine_change_nothing_and_an_administrator_does_not_trade() {
        for (method, path, needs) in ROUTES {
            let Needs::Right(action) = needs else {
                continue;
            };
            // Who looks after people or after their own log-in trades by neither.
            if matches!(action, Action::OwnLogIn | Action::ManagePeople) {
                continue;
            }
            let roles = action.roles();
            // A search has its PAN in a body, and is a reading all the same.
            let reads = *method == Method::GET || *path == "/v1/clients/search";
            let reader = roles.contains(&Role::Auditor) || roles.contains(&Role::Machine);
            assert!(reads || !reader, "{method} {path}");
            assert!(!reads || roles.contains(&Role::Auditor), "{method} {path}");
            let administrator = roles.contains(&Role::Administrator);
            assert!(!administrator || *action == Action::ReadPlatform, "{path}");
        }
    }

    #[test]
    fn whoever_runs_approves_only_as_a_supervisor() {
        for (_, path, needs) in ROUTES.iter().filter(|row| row.1.ends_with("/approve")) {
            let Needs::Right(action) = needs else {
                panic!("{path} needs nothing")
            };
            assert_eq!(action.roles(), [Role::Supervisor], "{path}");
        }
    }

    #[test]
    fn the_docs_have_the_same_table() {
        let page = include_str!("../../../docs/API.md");
        let (_, table) = page.split_once("\n## Rights\n").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        for (_, path, needs) in ROUTES {
            let Needs::Right(action) = needs else {
                continue;
            };
            let named = format!("`{action}`");
            let mut rows = table
                .lines()
                .filter(|line| line.starts_with('|') && line.contains(&named));
            let row = rows.next().unwrap_or_else(|| panic!("no row of {action}"));
            assert!(rows.next().is_none(), "two rows of {action}");
            let cells: Vec<_> = row.split('|').map(str::trim).skip(2).collect();
            for (role, cell) in Role::ALL.iter().zip(cells) {
                let expected = match (action.roles().contains(role), role) {
                    (true, Role::Investor) => "own",
                    (true, _) => "yes",
                    (false, _) => "",
                };
                assert_eq!(cell, expected, "{action} of {role}, as {path} has it");
            }
        }
    }

    #[test]
    fn only_an_investor_is_kept_to_the_own_client() {
        let (own, other) = ("C00001".parse().unwrap(), "C00002".parse().unwrap());
        let asked = |code: &str| Some(code.to_owned());
        for role in Role::ALL.iter().filter(|role| **role != Role::Investor) {
            let who = who(*role, None);
            assert!(who.owns(&own) && who.owns(&other));
            assert_eq!(who.own_list(None), None);
            assert_eq!(who.own_list(asked("C00002")), asked("C00002"));
        }
        let asha = who(Role::Investor, Some("C00001"));
        assert!(asha.owns(&own) && !asha.owns(&other));
        assert_eq!(asha.own_list(None), asked("C00001"));
        assert_eq!(asha.own_list(asked("C00001")), asked("C00001"));
        assert_eq!(asha.own_list(asked("C00002")), asked(""));
        let stream = |client: &str| format!("position-2026-11-20-{client}-NSE:RELIANCE-CNC");
        assert!(asha.owns_stream(&stream("C00001")) && !asha.owns_stream(&stream("C00002")));
        assert!(!asha.owns_stream("platform") && !asha.owns_stream("client-C00001"));
        // Nobody's investor owns nothing.
        let nobody = who(Role::Investor, None);
        assert!(!nobody.owns(&own));
        assert_eq!(nobody.own_list(None), asked(""));
    }
}
