//! What somebody is here.

use crate::id::{IdError, closed_set};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

closed_set!(
    /// What somebody is here. Which role may do what is no matter of the domain: whoever lets people in keeps that table.
    Role, "role", "desk, supervisor, investor, auditor, administrator or machine", {
        /// Of the operations desk: acts for a client on the phone.
        Desk = "desk",
        /// What the desk is, and approves what another person asked for.
        Supervisor = "supervisor",
        /// A client of the broker, who sees and closes what is their own.
        Investor = "investor",
        /// Reads everything and changes nothing.
        Auditor = "auditor",
        /// Looks after people and keys, and does not trade.
        Administrator = "administrator",
        /// A program of the broker's: reconciliation, the feed of the primary. Reads.
        Machine = "machine",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_as_it_is_read() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().as_ref(), Ok(role));
            let json = serde_json::to_string(role).unwrap();
            assert_eq!(json, format!("\"{role}\""));
            assert_eq!(serde_json::from_str::<Role>(&json).unwrap(), *role);
        }
        let refused = "trader".parse::<Role>().unwrap_err().to_string();
        assert!(refused.contains("`trader` is not a role"), "{refused}");
    }
}
