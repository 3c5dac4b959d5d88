//! The population from which orders are drawn: products, customers and pseudorandom numbers.

use time::OffsetDateTime;

use super::options::GenerateOptions;

/// The time from the first order to the last, in seconds.
const SPAN_S: u64 = 3 * 365 * 86_400;
/// The default number of orders per customer.
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

/// The pseudorandom number generator SplitMix64.
#[derive(Clone, Copy, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator with this seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        random.next();
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, uniformly distributed.
    pub fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(end.max(1));
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// A number below `end`, skewed towards small numbers: the smallest tenth comes up about half of the time.
    pub fn skewed(&mut self, end: u64) -> u64 {
        let first = self.below(end.max(1));
        let second = self.below(first + 1);
        self.below(second + 1)
    }
}

/// The population from which all orders are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    options: GenerateOptions,
    products: u64,
    last_order: i64,
    last_item: i64,
}

/// A product of the generated catalogue.
#[derive(Clone, Debug)]
pub struct Product {
    /// The product id.
    pub product_id: u64,
    /// The name.
    pub name: String,
    /// The unit price, in minor units.
    pub price: u64,
}

impl Population {
    /// A population whose order and item ids follow these.
    pub fn new(options: GenerateOptions, last_order: i64, last_item: i64) -> Self {
        Self {
            products: (options.orders / 50).clamp(100, 50_000),
            options,
            last_order,
            last_item,
        }
    }

    /// The number of orders to generate.
    pub fn orders(&self) -> u64 {
        self.options.orders
    }

    /// The random numbers of the order with this index.
    pub fn random(&self, index: u64) -> SplitMix64 {
        SplitMix64::new(self.options.seed ^ index.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// The id of the order with this index, counted from 1.
    pub fn order_id(&self, index: u64) -> i64 {
        self.last_order + i64::try_from(index).unwrap_or_default()
    }

    /// The id of the next item.
    pub fn next_item_id(&mut self) -> i64 {
        self.last_item += 1;
        self.last_item
    }

    /// A customer id.
    pub fn customer_id(&self, random: &mut SplitMix64) -> u64 {
        random.skewed(self.options.customers.max(1)) + 1
    }

    /// A product. Products with small ids sell more often.
    pub fn product(&self, random: &mut SplitMix64) -> Product {
        let product_id = random.skewed(self.products) + 1;
        let mut own = SplitMix64::new(product_id ^ self.options.seed.rotate_left(32));
        let material = MATERIALS[usize::try_from(own.below(16)).unwrap_or_default()];
        let thing = THINGS[usize::try_from(own.below(24)).unwrap_or_default()];
        Product {
            product_id,
            name: format!("{material} {thing} {}", product_id % 97 + 1),
            price: 100 + own.below(20_000),
        }
    }

    /// When the order with this index was placed, as a Unix timestamp. The orders are spread evenly over three years,
    /// with some jitter, as the clocks of several machines cause.
    pub fn placed_at(&self, index: u64, random: &mut SplitMix64) -> i64 {
        let until = self.options.until.unix_timestamp();
        let before = (self.options.orders - index) * SPAN_S / self.options.orders.max(1);
        until - i64::try_from(before + random.below(30)).unwrap_or_default()
    }

    /// The age of an order at the end of the three years, in seconds.
    pub fn age_s(&self, placed_at: i64) -> i64 {
        self.options.until.unix_timestamp() - placed_at
    }

    /// Formats an amount given in minor units.
    pub fn amount(&self, minor_units: u64) -> CopyAmount {
        CopyAmount {
            minor_units,
            decimals: self.options.currency.decimals(),
        }
    }

    /// The currency code of every order.
    pub fn currency(&self) -> &'static str {
        self.options.currency.code()
    }
}

/// An amount that formats as an exact decimal.
#[derive(Clone, Copy, Debug)]
pub struct CopyAmount {
    minor_units: u64,
    decimals: u32,
}

impl std::fmt::Display for CopyAmount {
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

/// A Unix timestamp that formats as COPY reads it.
#[derive(Clone, Copy, Debug)]
pub struct CopyTimestamp(pub i64);

impl std::fmt::Display for CopyTimestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let timestamp = OffsetDateTime::from_unix_timestamp(self.0).map_err(|_| std::fmt::Error)?;
        let (year, month, day) = timestamp.to_calendar_date();
        let (hour, minute, second) = timestamp.to_hms();
        let month = u8::from(month);
        write!(
            f,
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}+00"
        )
    }
}
