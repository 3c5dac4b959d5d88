//! The three statuses of an order, each a state machine with a table of transitions. The API, the saga,
//! the documentation and the database's guard all follow this file.

use std::fmt;

/// The state of a state machine.
pub trait Status: Copy + Eq + fmt::Display + 'static {
    /// Every status, in the order of the documentation.
    const ALL: &'static [Self];

    /// The name on the wire and in the database.
    fn as_str(self) -> &'static str;

    /// The statuses that one transition leads to.
    fn next(self) -> &'static [Self];

    /// Parses a name, ignoring case.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether one or more transitions lead to `to`. No status reaches itself.
    fn reaches(self, to: Self) -> bool {
        let mut ahead = self.next().to_vec();
        let mut visited = 0;
        while let Some(&status) = ahead.get(visited) {
            ahead.extend(
                status
                    .next()
                    .iter()
                    .filter(|next| !ahead.contains(next))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            visited += 1;
        }
        self != to && ahead.contains(&to)
    }
}

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal => [$($next:ident),*],)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl Status for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn next(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$(Self::$next),*],)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

statuses! {
    /// The status of the order as a whole.
    OrderStatus {
        /// Accepted; the saga runs.
        Pending = "PENDING" => [Confirmed, Cancelling],
        /// Stock, payment and shipment are settled.
        Confirmed = "CONFIRMED" => [Shipped, Cancelling],
        /// The parcel is on its way.
        Shipped = "SHIPPED" => [Delivered],
        /// The parcel has arrived.
        Delivered = "DELIVERED" => [],
        /// The saga compensates the completed steps.
        Cancelling = "CANCELLING" => [Cancelled],
        /// Compensated: refund and release are confirmed.
        Cancelled = "CANCELLED" => [],
    }
}

statuses! {
    /// The status of the payment.
    PaymentStatus {
        /// Not charged yet.
        Pending = "PENDING" => [Paid, Failed],
        /// Charged.
        Paid = "PAID" => [Refunded],
        /// Declined; nothing was charged.
        Failed = "FAILED" => [],
        /// Charged and refunded.
        Refunded = "REFUNDED" => [],
    }
}

statuses! {
    /// The status of the parcel.
    ShippingStatus {
        /// Not handed to the carrier yet.
        Pending = "PENDING" => [Shipped, Failed, Cancelled, Unknown],
        /// With the carrier.
        Shipped = "SHIPPED" => [Delivered, Failed, Returned, Unknown],
        /// Delivered to the customer.
        Delivered = "DELIVERED" => [Returned],
        /// The carrier could not deliver and may try again.
        Failed = "FAILED" => [Shipped, Returned],
        /// Cancelled before it left.
        Cancelled = "CANCELLED" => [],
        /// Returned, or on its way back.
        Returned = "RETURNED" => [],
        /// Unknown, as for imported orders.
        Unknown = "UNKNOWN" => [Shipped, Failed, Cancelled, Returned],
    }
}

impl ShippingStatus {
    /// The carriers' status words that differ from the names of our statuses, in capitals.
    pub const CARRIER_WORDS: [(&str, Self); 4] = [
        ("PACKED", Self::Pending),
        ("PICKED_UP", Self::Shipped),
        ("IN_TRANSIT", Self::Shipped),
        ("OUT_FOR_DELIVERY", Self::Shipped),
    ];

    /// Our status for a carrier's word in capitals; `None` for an unknown word.
    pub fn from_carrier(word: &str) -> Option<Self> {
        let own_names = Self::ALL.iter().map(|status| (status.as_str(), *status));
        own_names
            .filter(|(_, status)| *status != Self::Unknown)
            .chain(Self::CARRIER_WORDS)
            .find_map(|(name, status)| (name == word).then_some(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_statuses_and_our_status_names_do_not_overlap() {
        for (word, status) in ShippingStatus::CARRIER_WORDS {
            assert_eq!(ShippingStatus::from_carrier(word), Some(status), "{word}");
            assert_eq!(ShippingStatus::from_name(word), None);
        }
        assert_eq!(ShippingStatus::from_carrier("UNKNOWN"), None);
    }

    #[test]
    fn an_order_reaches_later_statuses_only() {
        assert!(OrderStatus::Pending.reaches(OrderStatus::Delivered));
        assert!(OrderStatus::Confirmed.reaches(OrderStatus::Cancelled));
        assert!(!OrderStatus::Shipped.reaches(OrderStatus::Cancelling));
        assert!(!OrderStatus::Delivered.reaches(OrderStatus::Pending));
        for status in OrderStatus::ALL {
            assert!(!status.reaches(*status));
        }
    }

    #[test]
    fn a_failed_parcel_may_be_sent_again() {
        assert!(ShippingStatus::Failed.reaches(ShippingStatus::Delivered));
        assert!(!ShippingStatus::Cancelled.reaches(ShippingStatus::Shipped));
    }

    #[test]
    fn status_names_are_case_insensitive() {
        for &status in ShippingStatus::ALL {
            assert_eq!(
                ShippingStatus::from_name(&status.as_str().to_lowercase()),
                Some(status)
            );
        }
        assert_eq!(PaymentStatus::from_name("STOLEN"), None);
    }
}
