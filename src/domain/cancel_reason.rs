//! Why an order is cancelled.

/// The reason for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// The customer requested it.
    CustomerRequest,
    /// A member of staff requested it.
    Staff,
    /// Inventory could not reserve every line.
    OutOfStock,
    /// Payment declined the charge.
    PaymentDeclined,
    /// Shipping refused the shipment, or Inventory refused to commit the reserved stock.
    PeerRefused,
    /// The order was imported as cancelled.
    Imported,
}

impl CancelReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::CustomerRequest,
        Self::Staff,
        Self::OutOfStock,
        Self::PaymentDeclined,
        Self::PeerRefused,
        Self::Imported,
    ];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CustomerRequest => "customer_request",
            Self::Staff => "staff",
            Self::OutOfStock => "out_of_stock",
            Self::PaymentDeclined => "payment_declined",
            Self::PeerRefused => "peer_refused",
            Self::Imported => "imported",
        }
    }

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}
