//! Who calls, and what that allows.

use super::cancel_reason::CancelReason;
use super::event::Actor;
use super::ids::CustomerId;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sees and changes their own orders.
    Customer,
    /// Sees and changes every order.
    Staff,
    /// A peer service: reports news of any order.
    Service,
}

impl Role {
    /// The name in logs and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Service => "service",
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What it may do.
    pub role: Role,
    /// The customer that it is, if it is one.
    pub customer_id: Option<CustomerId>,
    /// How it is called in logs and events: the customer's number or the token's subject.
    pub name: String,
}

impl Principal {
    /// Whose orders it may see: `None` means everybody's.
    ///
    /// A customer without a number sees nobody's, which no positive number matches.
    pub fn owner(&self) -> Option<CustomerId> {
        match self.role {
            Role::Customer => Some(self.customer_id.unwrap_or(CustomerId(0))),
            Role::Staff | Role::Service => None,
        }
    }

    /// Whether it may see the orders of `customer_id`.
    pub fn may_see(&self, customer_id: CustomerId) -> bool {
        self.owner().is_none_or(|owner| owner == customer_id)
    }

    /// The reason that a cancel by this caller gets.
    pub fn cancel_reason(&self) -> CancelReason {
        match self.role {
            Role::Customer => CancelReason::CustomerRequest,
            Role::Staff | Role::Service => CancelReason::Staff,
        }
    }

    /// As it appears in the history of an order.
    pub fn actor(&self) -> Actor {
        Actor::caller(self.role.as_str(), &self.name)
    }
}
