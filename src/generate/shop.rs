//! The made-up shop: its products, its customers and its chance.

use time::OffsetDateTime;

use super::Options;

/// How far back the first order lies, in seconds.
const SPAN_S: u64 = 3 * 365 * 86_400;
/// How many orders each customer has, unless the number of customers is given.
pub const ORDERS_PER_CUSTOMER: u64 = 8;

const MATERIALS: [&str; 16] = [
    "Walnut", "Linen", "Steel", "Copper", "Bamboo", "Cotton", "Marble", "Glass", "Leather", "Wool",
    "Oak", "Paper", "Silk", "Cork", "Clay", "Brass",
];
const THINGS: [&str; 24] = [
    "Lamp", "Chair", "Teapot", "Blanket", "Notebook", "Backpack", "Shelf", "Kettle", "Clock",
    "Mug", "Table", "Pillow", "Mirror", "Vase", "Wallet", "Apron", "Stool", "Bowl", "Frame",
    "Basket", "Towel", "Candle", "Tray", "Pen",
];

/// A sequence of numbers that look like chance and are the same for the same start (SplitMix64).
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence that begins there.
    pub fn new(start: u64) -> Self {
        let mut chance = Self(start);
        chance.next();
        chance
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, each as likely as any other.
    pub fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(end.max(1));
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// A number below `end`; small ones are much more likely: a tenth of all numbers comes up in
    /// about half of the cases.
    pub fn skewed(&mut self, end: u64) -> u64 {
        let first = self.below(end.max(1));
        let second = self.below(first + 1);
        self.below(second + 1)
    }
}

/// What all orders are made from.
#[derive(Clone, Copy, Debug)]
pub struct Shop {
    options: Options,
    products: u64,
    first_order: i64,
    next_item: i64,
}

/// Something that is sold.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its number.
    pub number: u64,
    /// What it is called.
    pub name: String,
    /// What it costs, in minor units.
    pub price: u64,
}

impl Shop {
    /// A shop whose orders and lines are numbered from behind these.
    pub fn new(options: Options, last_order: i64, last_item: i64) -> Self {
        Self {
            products: (options.orders / 50).clamp(100, 50_000),
            options,
            first_order: last_order,
            next_item: last_item,
        }
    }

    /// How many orders there are to be.
    pub fn orders(&self) -> u64 {
        self.options.orders
    }

    /// The chance that belongs to one order.
    pub fn chance(&self, number: u64) -> Chance {
        Chance::new(self.options.seed ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// What the order is numbered.
    pub fn order_id(&self, number: u64) -> i64 {
        self.first_order + i64::try_from(number).unwrap_or_default()
    }

    /// The number of the next line.
    pub fn next_item(&mut self) -> i64 {
        self.next_item += 1;
        self.next_item
    }

    /// Whose order it is.
    pub fn customer(&self, chance: &mut Chance) -> u64 {
        chance.skewed(self.options.customers.max(1)) + 1
    }

    /// Something that is sold; some things are sold often.
    pub fn product(&self, chance: &mut Chance) -> Product {
        let number = chance.skewed(self.products) + 1;
        let mut own = Chance::new(number ^ self.options.seed.rotate_left(32));
        let material = MATERIALS[usize::try_from(own.below(16)).unwrap_or_default()];
        let thing = THINGS[usize::try_from(own.below(24)).unwrap_or_default()];
        Product {
            number,
            name: format!("{material} {thing} {}", number % 97 + 1),
            price: 100 + own.below(20_000),
        }
    }

    /// When the order was placed, in seconds since 1970: evenly over the years, with some disorder, as
    /// clocks of several machines give it.
    pub fn placed_at(&self, number: u64, chance: &mut Chance) -> i64 {
        let until = self.options.until.unix_timestamp();
        let before = (self.options.orders - number) * SPAN_S / self.options.orders.max(1);
        until - i64::try_from(before + chance.below(30)).unwrap_or_default()
    }

    /// How long ago that was at the end, in seconds.
    pub fn age_s(&self, placed_at: i64) -> i64 {
        self.options.until.unix_timestamp() - placed_at
    }

    /// An amount of minor units, as a text.
    pub fn amount(&self, minor_units: u64) -> Amount {
        Amount {
            minor_units,
            decimals: self.options.currency.decimals(),
        }
    }

    /// The code of every order's currency.
    pub fn currency(&self) -> &'static str {
        self.options.currency.code()
    }
}

/// An amount, shown as an exact decimal.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    minor_units: u64,
    decimals: u32,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = 10_u64.pow(self.decimals);
        write!(f, "{}", self.minor_units / unit)?;
        if self.decimals == 0 {
            return Ok(());
        }
        let width = usize::try_from(self.decimals).unwrap_or_default();
        write!(f, ".{:0width$}", self.minor_units % unit)
    }
}

/// A moment, shown as the database reads it.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub i64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.0).map_err(|_| std::fmt::Error)?;
        let (year, month, day) = moment.to_calendar_date();
        let (hour, minute, second) = moment.to_hms();
        let month = u8::from(month);
        write!(
            f,
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}+00"
        )
    }
}
