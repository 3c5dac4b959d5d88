//! The peers: what they have really done, whatever anybody was told.
//!
//! Inventory and Payment know what they were asked before by its key, and answer a repeat as they
//! answered first. Shipping does not: each create makes a parcel, or is refused, for itself.

/// A request to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Hold the lines, under the number of the reservation.
    Reserve(u8),
    /// Let go of that reservation, handed out or not.
    Release(u8),
    /// Hand out what is held.
    Commit(u8),
    /// Take the total, under this key; the number of the payment is the same.
    Charge(u8),
    /// Give a payment back.
    Refund(u8),
    /// Make a parcel.
    Create,
    /// Call a parcel back.
    Recall(u8),
}

/// A reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stock {
    /// Never heard of.
    #[default]
    Unknown,
    /// Refused, but what was taken before it failed is kept.
    RefusedAndKept,
    /// Refused, and nothing is kept.
    Refused,
    /// Set aside.
    Held,
    /// Ended by itself.
    Lapsed,
    /// Let go of.
    Released,
    /// Handed out.
    Committed,
}

/// A charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Charge {
    /// Never heard of.
    #[default]
    Unknown,
    /// Refused.
    Declined,
    /// The customer has paid.
    Taken,
    /// The customer has the money back.
    Refunded,
}

/// A parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parcel {
    /// It will be sent.
    Announced,
    /// It is on its way, and cannot be called back any more.
    Left,
    /// It was called back.
    Cancelled,
}

impl Parcel {
    /// Whether it will arrive.
    pub fn is_live(self) -> bool {
        self != Self::Cancelled
    }
}

/// All three of them.
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
    /// Executes a request that has arrived; `None` when the peer cannot answer like this: what it
    /// has answered before, it answers again.
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

    /// The carrier may say no to the only parcel; one of several is young enough to be kept back.
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

    /// The charges that stand.
    pub fn taken(&self) -> impl Iterator<Item = u8> {
        (0_u8..)
            .zip(&self.charges)
            .filter(|(_, charge)| **charge == Charge::Taken)
            .map(|(key, _)| key)
    }

    /// The parcel that was made last.
    pub fn newest(&self) -> Option<u8> {
        self.parcels
            .len()
            .checked_sub(1)
            .and_then(|last| u8::try_from(last).ok())
    }

    /// A reservation that was not handed out ends by itself.
    pub fn lapse(&mut self, number: usize) -> Option<()> {
        let stock = &mut self.stock[number];
        let held = *stock == Stock::Held;
        *stock = Stock::Lapsed;
        held.then_some(())
    }

    /// How many reservations hold something, handed out or not.
    pub fn holding(&self) -> usize {
        let holds = |stock: &&Stock| {
            matches!(
                stock,
                Stock::RefusedAndKept | Stock::Held | Stock::Committed
            )
        };
        self.stock.iter().filter(holds).count()
    }

    /// Whether the order's goods are handed out.
    pub fn committed(&self) -> bool {
        self.stock.contains(&Stock::Committed)
    }
}
