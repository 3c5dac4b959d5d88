//! Ids of orders and customers. They are 64-bit integers, because the contracts of the peers require integers. An id
//! is no secret: every query checks the owner in SQL.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// The id of an order, assigned by the database.
    OrderId
}
id! {
    /// The id of a customer, assigned by UserService.
    CustomerId
}
