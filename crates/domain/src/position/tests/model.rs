//! The naive model: everything of a position worked out anew from the bare list of what was told, with no state in between. It is the
//! specification of the fold.

use super::*;
use crate::id::{ClOrdId, Side};
use std::collections::{BTreeMap, BTreeSet};

/// What was told and placed, in its order.
#[derive(Debug, Default)]
pub(super) struct Model {
    told: Vec<Report>,
    /// In the order of their coming; with how many reports had been told then.
    orders: Vec<(OrderId, Placed, usize)>,
    /// By order, in the order of asking.
    replaces: BTreeMap<OrderId, Vec<ClOrdId>>,
}

#[derive(Debug, Clone)]
struct Placed {
    cl_ord_id: ClOrdId,
    side: Side,
    quantity: Quantity,
    price: Price,
    prior: Quantity,
    ids: BTreeSet<ClOrdId>,
}

/// What the model says of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub cumulative: Quantity,
    pub leaves: Quantity,
    pub quantity: Quantity,
    pub price: Price,
}

struct Execution {
    order: Option<OrderId>,
    side: Side,
    quantity: Quantity,
    price: Price,
}

impl Model {
    /// Learns what a step came to.
    pub(super) fn learn(&mut self, went: &Went) {
        if let Went::Told(report, _) = went {
            self.told.push(report.clone());
        }
        for event in went.events() {
            match event {
                PositionEvent::OrderPlaced(placed) => self.place(
                    placed.order_id,
                    Placed {
                        cl_ord_id: placed.cl_ord_id.clone(),
                        side: placed.side,
                        quantity: placed.quantity,
                        price: placed.price,
                        prior: Quantity::ZERO,
                        ids: BTreeSet::new(),
                    },
                ),
                PositionEvent::ExternalOrderObserved(observed) => self.place(
                    observed.order_id,
                    Placed {
                        cl_ord_id: observed.cl_ord_id.clone(),
                        side: observed.side,
                        quantity: observed.quantity,
                        price: observed.price,
                        prior: observed.cumulative,
                        ids: BTreeSet::new(),
                    },
                ),
                PositionEvent::CancelRequested(cancel) => {
                    self.goes_by(cancel.order_id, &cancel.cl_ord_id);
                }
                PositionEvent::ReplaceRequested(replace) => {
                    self.goes_by(replace.order_id, &replace.cl_ord_id);
                    let replaces = self.replaces.entry(replace.order_id).or_default();
                    replaces.push(replace.cl_ord_id.clone());
                }
                _ => {}
            }
        }
    }

    fn place(&mut self, id: OrderId, mut placed: Placed) {
        placed.ids.insert(placed.cl_ord_id.clone());
        self.orders.push((id, placed, self.told.len()));
    }

    fn goes_by(&mut self, id: OrderId, cl_ord_id: &ClOrdId) {
        let order = self.orders.iter_mut().find(|(order, ..)| *order == id);
        order.unwrap().1.ids.insert(cl_ord_id.clone());
    }

    pub(super) fn net(&self) -> i64 {
        let bod = self.told.iter().find_map(|report| match report {
            Report::Bod { quantity, .. } => Some(quantity.0),
            _ => None,
        });
        let executions = self.executions(self.told.len());
        let live = |(key, execution): (&ExecutionKey, &Execution)| {
            let units = self.live(self.told.len(), key, execution).0.units();
            i64::try_from(units).unwrap() * execution.side.sign()
        };
        bod.unwrap_or(0) + executions.iter().map(live).sum::<i64>()
    }

    pub(super) fn orders(&self) -> BTreeMap<OrderId, Known> {
        let orders = self.orders.iter();
        orders
            .map(|(id, ..)| (*id, self.order(*id, self.told.len())))
            .collect()
    }

    /// Price and quantity that count of every execution that was not taken back.
    pub(super) fn trades(&self) -> BTreeMap<ExecutionKey, (Quantity, Price)> {
        let executions = self.executions(self.told.len());
        executions
            .iter()
            .map(|(key, execution)| (key.clone(), self.live(self.told.len(), key, execution)))
            .filter(|(_, (quantity, _))| !quantity.is_zero())
            .collect()
    }

    /// What the first `told` reports say of an order.
    fn order(&self, id: OrderId, told: usize) -> Known {
        let (_, placed, at) = self.orders.iter().find(|(order, ..)| *order == id).unwrap();
        let executions = self.executions(told);
        let of_it = |execution: &&Execution| execution.order == Some(id);
        let cumulative = executions
            .iter()
            .filter(|(_, execution)| of_it(execution))
            .map(|(key, execution)| self.live(told, key, execution).0)
            .fold(placed.prior, Quantity::plus);
        let (mut quantity, mut price) = (placed.quantity, placed.price);
        for cl_ord_id in self.replaces.get(&id).into_iter().flatten() {
            let mut reports = self.reports_of(placed, told);
            let replaced = reports.find_map(|(_, report)| match report {
                Report::Execution(ExecutionReport {
                    cl_ord_id: of,
                    execution: super::Execution::Replaced { quantity, price },
                    ..
                }) if of == cl_ord_id => Some((*quantity, *price)),
                _ => None,
            });
            (quantity, price) = replaced.unwrap_or((quantity, price));
        }
        let mut said = Quantity::ZERO;
        for report in &self.told[..told] {
            if let Report::ExternalOrder { order, .. } = report
                && order.order_id == id
            {
                said = said.max(order.cumulative);
            }
        }
        let filled = cumulative.max(said);
        let done = filled >= quantity || self.said_done(placed, id, told) >= Some(quantity);
        let leaves = if done || self.has_ended(id, placed, *at, told, &executions) {
            Quantity::ZERO
        } else {
            quantity.minus(filled)
        };
        Known {
            cumulative,
            leaves,
            quantity,
            price,
        }
    }

    /// The most that had filled when a fill said that nothing is left.
    fn said_done(&self, placed: &Placed, id: OrderId, told: usize) -> Option<Quantity> {
        let executions = self.executions(told);
        self.reports_of(placed, told)
            .filter_map(|(_, report)| match report {
                Report::Execution(
                    report @ ExecutionReport {
                        execution: super::Execution::Fill { key, quantity, .. },
                        leaves: 0,
                        ..
                    },
                ) => {
                    let booked = executions.get(key)?;
                    let same = (booked.order, booked.quantity) == (Some(id), *quantity);
                    same.then(|| Quantity::new(report.cumulative).unwrap())
                }
                _ => None,
            })
            .max()
    }

    fn has_ended(
        &self,
        id: OrderId,
        placed: &Placed,
        at: usize,
        told: usize,
        executions: &BTreeMap<ExecutionKey, Execution>,
    ) -> bool {
        let mut lost = false;
        let mut arrived = executions
            .values()
            .any(|execution| execution.order == Some(id));
        for (_, report) in self.reports_of(placed, told) {
            match report {
                Report::DroppedUnsent { .. } => return true,
                Report::NotDelivered { cl_ord_id } => lost |= *cl_ord_id == placed.cl_ord_id,
                Report::Execution(report) => match report.execution {
                    super::Execution::Canceled
                    | super::Execution::Expired
                    | super::Execution::Rejected { .. } => return true,
                    super::Execution::New | super::Execution::Frozen { .. } => arrived = true,
                    super::Execution::Replaced { .. } => {
                        let replaces = self.replaces.get(&id);
                        arrived |= replaces.is_some_and(|ids| ids.contains(&report.cl_ord_id));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let ended_outside = self.told[..told].iter().enumerate().any(|(index, report)| {
            match report {
                Report::ExternalOrder { order, ended } => *ended && order.order_id == id,
                // The order was there, and could still fill.
                Report::SessionEnded => index >= at && !self.order(id, index).leaves.is_zero(),
                _ => false,
            }
        });
        ended_outside || (lost && !arrived && !self.is_external(id))
    }

    fn is_external(&self, id: OrderId) -> bool {
        let external = |report: &Report| matches!(report, Report::ExternalOrder { order, .. } if order.order_id == id);
        self.told.iter().any(external)
    }

    /// What was told of an order, by whichever of its ids.
    fn reports_of<'a>(
        &'a self,
        placed: &'a Placed,
        told: usize,
    ) -> impl Iterator<Item = (usize, &'a Report)> {
        let of = |report: &Report| match report {
            Report::Execution(report) => placed.ids.contains(&report.cl_ord_id),
            Report::DroppedUnsent { cl_ord_id } | Report::NotDelivered { cl_ord_id } => {
                placed.ids.contains(cl_ord_id)
            }
            _ => false,
        };
        let told = self.told[..told].iter().enumerate();
        told.filter(move |(_, report)| of(report))
    }

    /// The first content that each ExecID was told with; a trade of the primary's is an order's once the venue says the same of one.
    fn executions(&self, told: usize) -> BTreeMap<ExecutionKey, Execution> {
        let mut executions: BTreeMap<ExecutionKey, Execution> = BTreeMap::new();
        for (index, report) in self.told[..told].iter().enumerate() {
            let (key, new) = match report {
                Report::PrimaryTrade {
                    execution,
                    side,
                    quantity,
                    price,
                    ..
                } => {
                    let (order, side) = (None, *side);
                    (execution, (order, side, *quantity, *price))
                }
                Report::Execution(ExecutionReport {
                    cl_ord_id,
                    execution:
                        super::Execution::Fill {
                            key,
                            quantity,
                            price,
                        },
                    ..
                }) => {
                    let mut orders = self.orders.iter();
                    let known = orders
                        .find(|(_, placed, at)| *at <= index && placed.ids.contains(cl_ord_id));
                    let Some((id, placed, _)) = known else {
                        continue;
                    };
                    (key, (Some(*id), placed.side, *quantity, *price))
                }
                _ => continue,
            };
            let (order, side, quantity, price) = new;
            let execution = executions.entry(key.clone()).or_insert(Execution {
                order,
                side,
                quantity,
                price,
            });
            let same =
                (execution.side, execution.quantity, execution.price) == (side, quantity, price);
            if same && execution.order.is_none() {
                execution.order = order;
            }
        }
        executions
    }

    /// What counts of an execution: as the latest of its corrections says, nothing if it or one of them was taken back.
    fn live(&self, told: usize, key: &ExecutionKey, execution: &Execution) -> (Quantity, Price) {
        let (mut taken_back, mut corrections) = (BTreeSet::new(), BTreeMap::new());
        for (index, report) in self.told[..told].iter().enumerate() {
            let Report::Execution(report) = report else {
                continue;
            };
            match &report.execution {
                super::Execution::Busted { execution } => {
                    taken_back.insert(execution);
                }
                super::Execution::Corrected {
                    execution,
                    correction,
                    quantity,
                    price,
                    at,
                } => {
                    // What an ExecID was told with first stands.
                    let first = (execution, (*at, index), (*quantity, *price));
                    corrections.entry(correction).or_insert(first);
                }
                _ => {}
            }
        }
        let (mut link, mut now) = (key, (execution.quantity, execution.price));
        loop {
            let of_link = corrections.iter().filter(|(_, (of, ..))| *of == link);
            let ids = of_link.clone().map(|(id, _)| *id);
            if ids.chain([link]).any(|id| taken_back.contains(id)) {
                return (Quantity::ZERO, now.1);
            }
            let Some((by, (_, _, to))) = of_link.max_by_key(|(_, (_, at, _))| *at) else {
                return now;
            };
            (link, now) = (*by, *to);
        }
    }
}
