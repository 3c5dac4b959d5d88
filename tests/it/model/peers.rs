//! The peers and what they have really executed.
//!
//! Inventory and Payment know earlier requests by their key and repeat their first answer. Shipping
//! does not: each create makes a parcel, or is refused, independently.

/// A request to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Reserves the lines under this reservation number.
    Reserve(u8),
    /// Releases that reservation, committed or not.
    Release(u8),
    /// Commits the reserved stock.
    Commit(u8),
    /// Charges the total under this key; the payment has the same number.
    Charge(u8),
    /// Refunds a payment.
    Refund(u8),
    /// Creates a parcel.
    Create,
    /// Recalls a parcel.
    Recall(u8),
}

/// The state of a reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stock {
    /// Never requested.
    #[default]
    Unknown,
    /// Refused, but the part that was reserved before the failure is kept.
    RefusedAndKept,
    /// Refused without effect.
    Refused,
    /// Reserved.
    Held,
    /// Expired.
    Lapsed,
    /// Released.
    Released,
    /// Committed.
    Committed,
}

/// The state of a charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Charge {
    /// Never requested.
    #[default]
    Unknown,
    /// Refused.
    Declined,
    /// Charged.
    Taken,
    /// Refunded.
    Refunded,
}

/// The state of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parcel {
    /// Created.
    Announced,
    /// In transit; it cannot be recalled any more.
    Left,
    /// Recalled.
    Cancelled,
}

impl Parcel {
    /// Whether it will arrive.
    pub fn is_live(self) -> bool {
        self != Self::Cancelled
    }
}

/// The three peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peers {
    /// Inventory's reservations, by number.
    pub stock: [Stock; 2],
    /// Payment's charges, by key.
    pub charges: [Charge; 3],
    /// Shipping's parcels, oldest first.
    pub parcels: Vec<Parcel>,
}

impl Peers {
    /// Executes an arrived request; `None` if the peer cannot answer like this, because it repeats
    /// its earlier answer.
    pub fn execute(&mut self, call: Call, willing: bool) -> Option<()> {
        let able = match call {
            Call::Reserve(number) => self.reserve(number, willing),
            Call::Release(number) => {
                let stock = &mut self.stock[usize::from(number)];
                *stock = match *stock {
                    Stock::RefusedAndKept => Stock::Refused,
                    Stock::Held | Stock::Committed => Stock::Released,
                    same => same,
                };
                Some(true)
            }
            Call::Commit(number) => {
                let stock = &mut self.stock[usize::from(number)];
                let held = matches!(stock, Stock::Held | Stock::Committed);
                if held {
                    *stock = Stock::Committed;
                }
                Some(held)
            }
            Call::Charge(key) => self.charge(key, willing),
            Call::Refund(key) => {
                self.charges[usize::from(key)] = Charge::Refunded;
                Some(true)
            }
            Call::Create => {
                if willing {
                    self.parcels.push(Parcel::Announced);
                }
                None
            }
            Call::Recall(number) => self.recall(number, willing),
        };
        able.is_none_or(|able| able == willing).then_some(())
    }

    fn reserve(&mut self, number: u8, willing: bool) -> Option<bool> {
        let stock = &mut self.stock[usize::from(number)];
        match *stock {
            Stock::Unknown if willing => *stock = Stock::Held,
            Stock::Unknown => *stock = Stock::RefusedAndKept,
            Stock::RefusedAndKept | Stock::Refused => return Some(false),
            _ => return Some(true),
        }
        None
    }

    fn charge(&mut self, key: u8, willing: bool) -> Option<bool> {
        let charge = &mut self.charges[usize::from(key)];
        match *charge {
            Charge::Unknown if willing => *charge = Charge::Taken,
            Charge::Unknown => *charge = Charge::Declined,
            Charge::Declined => return Some(false),
            Charge::Taken | Charge::Refunded => return Some(true),
        }
        None
    }

    /// The carrier may refuse to recall the only parcel; a surplus parcel is recent enough to be
    /// recalled.
    fn recall(&mut self, number: u8, willing: bool) -> Option<bool> {
        let alone = self.live().count() == 1;
        let parcel = &mut self.parcels[usize::from(number)];
        match *parcel {
            Parcel::Cancelled => return Some(true),
            Parcel::Left => return Some(false),
            Parcel::Announced if willing => *parcel = Parcel::Cancelled,
            Parcel::Announced if alone => *parcel = Parcel::Left,
            Parcel::Announced => return Some(true),
        }
        None
    }

    /// The parcels that will arrive, oldest first.
    pub fn live(&self) -> impl Iterator<Item = u8> {
        (0_u8..)
            .zip(&self.parcels)
            .filter(|(_, parcel)| parcel.is_live())
            .map(|(number, _)| number)
    }

    /// The charges that are not refunded.
    pub fn taken(&self) -> impl Iterator<Item = u8> {
        (0_u8..)
            .zip(&self.charges)
            .filter(|(_, charge)| **charge == Charge::Taken)
            .map(|(key, _)| key)
    }

    /// The newest parcel.
    pub fn newest(&self) -> Option<u8> {
        self.parcels
            .len()
            .checked_sub(1)
            .and_then(|last| u8::try_from(last).ok())
    }

    /// A reservation that is not committed expires.
    pub fn lapse(&mut self, number: usize) -> Option<()> {
        let stock = &mut self.stock[number];
        let held = *stock == Stock::Held;
        *stock = Stock::Lapsed;
        held.then_some(())
    }

    /// The number of reservations that hold stock, committed or not.
    pub fn holding(&self) -> usize {
        let holds = |stock: &&Stock| {
            matches!(
                stock,
                Stock::RefusedAndKept | Stock::Held | Stock::Committed
            )
        };
        self.stock.iter().filter(holds).count()
    }

    /// Whether the order's stock is committed.
    pub fn committed(&self) -> bool {
        self.stock.contains(&Stock::Committed)
    }
}
