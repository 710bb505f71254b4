//! What a step tells. What an ExecID stands for (its order, quantity, price) follows from the id alone, as at a real venue; only a
//! `twist` says of it what a venue should never say.

use super::history::{ORDERS, World};
use super::step::Step;
use crate::position::*;
use crate::{
    ClOrdId, ExchangeOrderId, ExecutionKey, NetQuantity, OrderId, Price, Quantity, Side, Timestamp,
};

/// Units in a step's lot: that of the sample contract.
const LOT: u64 = 5;

impl World {
    /// What a step tells; `None` for one that tells nothing, or of what is not there.
    pub fn report(&self, step: &Step) -> Option<Report> {
        let cl_ord_id = |order: u8| Some(self.order(order)?.1.cl_ord_id.clone());
        Some(match *step {
            Step::Bod(lots) => Report::Bod {
                key: self.key.clone(),
                quantity: NetQuantity(lots * 5),
                average_price: Price(990_000),
                source: "BOD".to_owned(),
            },
            Step::PrimaryTrade(id) => {
                // The side is that of the order whose execution it is, if it is one of those that are known here.
                let side = self.order_of(id).map_or(Side::Buy, |(_, order)| order.side);
                let (quantity, price) = content(id);
                Report::PrimaryTrade {
                    key: self.key.clone(),
                    execution: self.execution(&format!("E{id}")),
                    side,
                    quantity,
                    price,
                    traded_at: Timestamp(1),
                    source: "primary".to_owned(),
                }
            }
            Step::External { id, filled, ended } => Report::ExternalOrder {
                order: self.external(id % 3, filled),
                ended,
            },
            Step::DropCopy { id, twist } => {
                let side = self.order_of(id)?.1.side;
                let (quantity, price) = twisted(content(id), twist);
                Report::DropCopy {
                    execution: self.execution(&format!("E{id}")),
                    side,
                    quantity,
                    price,
                    source: "drop copy".to_owned(),
                }
            }
            Step::Sent(order) => Report::Dispatched {
                cl_ord_id: cl_ord_id(order)?,
                session: "NSE-SQUAREOFF".to_owned(),
                sequence: u64::from(order),
            },
            Step::Dropped(order) => Report::DroppedUnsent {
                cl_ord_id: cl_ord_id(order)?,
            },
            Step::Ack(order) => self.says(order, Execution::New)?,
            Step::Held(order) => {
                let text = "for approval".to_owned();
                self.says(order, Execution::Frozen { text })?
            }
            Step::Fill { id, twist } => {
                let (quantity, price) = twisted(content(id), twist);
                let key = self.execution(&format!("E{id}"));
                let fill = Execution::Fill {
                    key,
                    quantity,
                    price,
                };
                let mut report = self.says_of_execution(id, fill)?;
                // Some say that with them the order is done.
                if let (Report::Execution(report), true) = (&mut report, id % 5 == 0) {
                    (report.cumulative, report.leaves) = (u64::from(id % 4) * 5, 0);
                }
                report
            }
            Step::Bust { id, correction } => {
                let exec_id = match correction {
                    Some(number) => format!("E{id}C{number}"),
                    None => format!("E{id}"),
                };
                let execution = self.execution(&exec_id);
                self.says_of_execution(id, Execution::Busted { execution })?
            }
            Step::Correct {
                id,
                number,
                lots,
                anew,
            } => {
                let before = match number.checked_sub(1) {
                    Some(before) if !anew => format!("E{id}C{before}"),
                    Some(_) | None => format!("E{id}"),
                };
                let corrected = Execution::Corrected {
                    execution: self.execution(&before),
                    correction: self.execution(&format!("E{id}C{number}")),
                    quantity: units(lots * LOT),
                    price: Price(1_000_500),
                    at: Timestamp(i64::from(number / 2)),
                };
                self.says_of_execution(id, corrected)?
            }
            Step::Replaced {
                order,
                number,
                lots,
            } => {
                let (_, of) = self.order(order)?;
                let replaced = Execution::Replaced {
                    quantity: lots.map_or(of.quantity, |lots| units(lots * LOT)),
                    price: Price(1_000_000 + i64::from(number) * 500),
                };
                let id = self.change(order, true, number)?;
                self.says_of(id, order, replaced)
            }
            Step::ChangeRejected {
                order,
                replace,
                number,
                code,
            } => Report::CancelRejected {
                cl_ord_id: self.change(order, replace, number)?,
                code,
                text: "no".to_owned(),
            },
            Step::Canceled(order) => self.says(order, Execution::Canceled)?,
            Step::Rejected(order) => {
                let (code, text) = (99, "no".to_owned());
                self.says(order, Execution::Rejected { code, text })?
            }
            Step::Expired(order) => self.says(order, Execution::Expired)?,
            Step::SessionEnded => Report::SessionEnded,
            Step::InDoubt(order) => Report::InDoubt {
                cl_ord_id: cl_ord_id(order)?,
                reason: "the link broke".to_owned(),
            },
            Step::Lost(order) => Report::NotDelivered {
                cl_ord_id: cl_ord_id(order)?,
            },
            Step::ChangeLost {
                order,
                replace,
                number,
            } => Report::NotDelivered {
                cl_ord_id: self.change(order, replace, number)?,
            },
            Step::Stranger(number) => Report::NotDelivered {
                cl_ord_id: id(&format!("STRANGER{number}")),
            },
            Step::Again(number) => {
                let told = self.told.len();
                self.told
                    .get(usize::from(number).checked_rem(told)?)?
                    .clone()
            }
            _ => return None,
        })
    }

    fn says(&self, order: u8, execution: Execution) -> Option<Report> {
        let id = self.order(order)?.1.cl_ord_id.clone();
        Some(self.says_of(id, order, execution))
    }

    fn says_of_execution(&self, id: u8, execution: Execution) -> Option<Report> {
        let cl_ord_id = self.order_of(id)?.1.cl_ord_id.clone();
        Some(self.says_of(cl_ord_id, id % ORDERS, execution))
    }

    fn says_of(&self, cl_ord_id: ClOrdId, order: u8, execution: Execution) -> Report {
        Report::Execution(ExecutionReport {
            cl_ord_id,
            exchange_order_id: id(&format!("X{order}")),
            execution,
            cumulative: 0,
            leaves: LOT,
        })
    }

    fn change(&self, order: u8, replace: bool, number: u8) -> Option<ClOrdId> {
        let (_, order) = self.order(order)?;
        let ids: Vec<_> = if replace {
            order.replaces.keys().collect()
        } else {
            order.cancels.keys().collect()
        };
        let number = usize::from(number).checked_rem(ids.len())?;
        Some(ids[number].clone())
    }

    fn execution(&self, exec_id: &str) -> ExecutionKey {
        ExecutionKey::new(self.key.venue, self.key.date, exec_id).expect("letters and digits")
    }

    fn external(&self, number: u8, filled: u64) -> ExternalOrderObserved {
        let exchange_order_id: ExchangeOrderId = id(&format!("P{number}"));
        ExternalOrderObserved {
            order_id: OrderId::of_external(&self.key, &exchange_order_id),
            cl_ord_id: id(&format!("PRIMARY{number}")),
            exchange_order_id,
            key: self.key.clone(),
            side: if number == 0 { Side::Sell } else { Side::Buy },
            quantity: units(u64::from(number + 1) * LOT),
            cumulative: units(filled * LOT),
            price: Price(1_000_000),
            source: "primary".to_owned(),
        }
    }
}

/// What an execution says: one to four lots.
fn content(execution: u8) -> (Quantity, Price) {
    let lots = u64::from(execution / ORDERS % 4) + 1;
    (units(lots * LOT), Price(1_000_000))
}

/// The same ExecID with another content.
fn twisted((quantity, price): (Quantity, Price), twist: bool) -> (Quantity, Price) {
    if twist {
        (quantity.plus(units(LOT)), price)
    } else {
        (quantity, price)
    }
}

fn units(units: u64) -> Quantity {
    Quantity::new(units).unwrap_or(Quantity::MAX)
}

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("letters and digits")
}
