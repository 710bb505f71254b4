//! A position's orders by their ids, in the order of these.

use super::order::Order;
use crate::id::OrderId;
use std::collections::{BTreeMap, btree_map};

/// Each order has a place of its own: a map moves its entries about as it grows, and looks at a few keys for each that it finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders(BTreeMap<OrderId, Box<Order>>);

impl Orders {
    pub fn get(&self, id: &OrderId) -> Option<&Order> {
        self.0.get(id).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, id: &OrderId) -> Option<&mut Order> {
        self.0.get_mut(id).map(Box::as_mut)
    }

    pub fn contains_key(&self, id: &OrderId) -> bool {
        self.0.contains_key(id)
    }

    pub fn insert(&mut self, id: OrderId, order: Order) {
        self.0.insert(id, Box::new(order));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(|(id, order)| (id, order.as_ref()))
    }

    pub fn keys(&self) -> impl Iterator<Item = &OrderId> {
        self.0.keys()
    }

    pub fn values(&self) -> impl Iterator<Item = &Order> {
        self.0.values().map(Box::as_ref)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&OrderId, &mut Order)> {
        self.0.iter_mut().map(|(id, order)| (id, order.as_mut()))
    }
}

type Iter<'a> = std::iter::Map<
    btree_map::Iter<'a, OrderId, Box<Order>>,
    fn((&'a OrderId, &'a Box<Order>)) -> (&'a OrderId, &'a Order),
>;

impl<'a> IntoIterator for &'a Orders {
    type Item = (&'a OrderId, &'a Order);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl std::ops::Index<&OrderId> for Orders {
    type Output = Order;

    fn index(&self, id: &OrderId) -> &Order {
        &self.0[id]
    }
}
