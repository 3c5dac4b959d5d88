//! Authenticated callers and their permissions.

use super::cancel_reason::CancelReason;
use super::event::Actor;
use super::ids::CustomerId;

/// The role of a caller, which decides its permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads and changes its own orders.
    Customer,
    /// Reads and changes every order.
    Staff,
    /// A peer service: reports status changes of any order.
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
    /// The role.
    pub role: Role,
    /// The customer id, if the caller is a customer.
    pub customer_id: Option<CustomerId>,
    /// The name in logs and events: the customer id or the token's subject.
    pub name: String,
}

impl Principal {
    /// The customer whose orders the caller may read; `None` means every customer.
    ///
    /// A customer without an id gets id 0, which matches no order.
    pub fn owner(&self) -> Option<CustomerId> {
        match self.role {
            Role::Customer => Some(self.customer_id.unwrap_or(CustomerId(0))),
            Role::Staff | Role::Service => None,
        }
    }

    /// Whether the caller may read the orders of `customer_id`.
    pub fn may_see(&self, customer_id: CustomerId) -> bool {
        self.owner().is_none_or(|owner| owner == customer_id)
    }

    /// The reason that the service records for a cancel request of this caller.
    pub fn cancel_reason(&self) -> CancelReason {
        match self.role {
            Role::Customer => CancelReason::CustomerRequest,
            Role::Staff | Role::Service => CancelReason::Staff,
        }
    }

    /// The caller as originator of events.
    pub fn actor(&self) -> Actor {
        Actor::caller(self.role.as_str(), &self.name)
    }
}
