//! The numbers by which orders and customers are known. 64-bit, because the peers' contracts carry
//! numbers; ownership is enforced in SQL, so that guessing one gains nothing.

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
    /// The number of an order, given by the database.
    OrderId
}
id! {
    /// The number of a customer, given by UserService.
    CustomerId
}
