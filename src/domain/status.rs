//! The three statuses of an order and the one table of their transitions. The API, the saga, the
//! documentation and the database's guard all agree with this file.

use std::fmt;

/// A status that moves along a table.
pub trait Status: Copy + Eq + fmt::Display + 'static {
    /// Every status, in the order of the documentation.
    const ALL: &'static [Self];

    /// The name on the wire and in the database.
    fn as_str(self) -> &'static str;

    /// Where one step leads.
    fn next(self) -> &'static [Self];

    /// Reads a name, whatever its case.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether `to` lies ahead, in one step or several. No status reaches itself.
    fn reaches(self, to: Self) -> bool {
        let mut ahead = self.next().to_vec();
        let mut seen = 0;
        while let Some(&status) = ahead.get(seen) {
            ahead.extend(
                status
                    .next()
                    .iter()
                    .filter(|next| !ahead.contains(next))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            seen += 1;
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
    /// How far the order as a whole has come.
    OrderStatus {
        /// Accepted; its fulfilment is under way.
        Pending = "PENDING" => [Confirmed, Cancelling],
        /// Stock, money and shipment are settled.
        Confirmed = "CONFIRMED" => [Shipped, Cancelling],
        /// The parcel is on its way.
        Shipped = "SHIPPED" => [Delivered],
        /// The parcel has arrived.
        Delivered = "DELIVERED" => [],
        /// Being called off; what was done is being undone.
        Cancelling = "CANCELLING" => [Cancelled],
        /// Called off; refund and release are confirmed.
        Cancelled = "CANCELLED" => [],
    }
}

statuses! {
    /// Where the money is.
    PaymentStatus {
        /// Not taken so far.
        Pending = "PENDING" => [Paid, Failed],
        /// Taken.
        Paid = "PAID" => [Refunded],
        /// Refused; nothing was taken.
        Failed = "FAILED" => [],
        /// Taken and given back.
        Refunded = "REFUNDED" => [],
    }
}

statuses! {
    /// Where the parcel is.
    ShippingStatus {
        /// Not handed to the carrier so far.
        Pending = "PENDING" => [Shipped, Failed, Cancelled, Unknown],
        /// With the carrier.
        Shipped = "SHIPPED" => [Delivered, Failed, Returned, Unknown],
        /// Handed to the customer.
        Delivered = "DELIVERED" => [Returned],
        /// The carrier could not deliver; it may try again.
        Failed = "FAILED" => [Shipped, Returned],
        /// Called back before it left.
        Cancelled = "CANCELLED" => [],
        /// On its way back, or back.
        Returned = "RETURNED" => [],
        /// Nobody can say, as for orders taken over from elsewhere.
        Unknown = "UNKNOWN" => [Shipped, Failed, Cancelled, Returned],
    }
}

impl ShippingStatus {
    /// The carrier's words that are none of ours.
    pub const OF_CARRIERS: [&str; 4] = ["PACKED", "PICKED_UP", "IN_TRANSIT", "OUT_FOR_DELIVERY"];

    /// Our status for a carrier's word, in capitals; `None` for a word that we do not know.
    pub fn from_carrier(word: &str) -> Option<Self> {
        match word {
            "PENDING" | "PACKED" => Some(Self::Pending),
            "PICKED_UP" | "SHIPPED" | "IN_TRANSIT" | "OUT_FOR_DELIVERY" => Some(Self::Shipped),
            "DELIVERED" => Some(Self::Delivered),
            "FAILED" => Some(Self::Failed),
            "CANCELLED" => Some(Self::Cancelled),
            "RETURNED" => Some(Self::Returned),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_statuses_and_our_status_names_do_not_overlap() {
        for word in ShippingStatus::OF_CARRIERS {
            assert!(ShippingStatus::from_carrier(word).is_some(), "{word}");
            assert_eq!(ShippingStatus::from_name(word), None);
        }
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
