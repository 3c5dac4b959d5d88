//! Money: exact decimals in one currency, rounded in one function, never floats.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};

/// The largest order total, in the major unit of the currency.
pub const MAX_AMOUNT: i64 = 999_999_999;

/// An ISO 4217 currency, which defines the number of decimals of its amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The currency with this three-letter code in capitals. Returns `None` if ISO 4217 has no such code, or no
    /// minor unit for it (gold, test codes).
    pub fn from_code(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent().map(|_| Self(currency))
    }

    /// The three-letter code, such as `USD`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The number of decimals of an amount: 2 for most currencies, 0 for the yen, 3 for the Kuwaiti dinar.
    pub fn decimals(self) -> u32 {
        self.0.exponent().unwrap_or(2).into()
    }
}

/// An amount in the currency of its order, always at the scale of that currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(Decimal);

/// Why a text is not a valid amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("must be a decimal number such as 100.00")]
    NotANumber,
    /// More decimals than the currency has.
    #[error("must have at most {0} decimals")]
    TooManyDecimals(u32),
    /// Zero or less.
    #[error("must be greater than zero")]
    NotPositive,
    /// More than [`MAX_AMOUNT`].
    #[error("must be at most {MAX_AMOUNT}")]
    TooLarge,
}

impl Money {
    /// Rounds half to even to the currency's minor unit. No other function rounds money.
    pub fn round(exact: Decimal, currency: Currency) -> Self {
        let decimals = currency.decimals();
        let mut amount =
            exact.round_dp_with_strategy(decimals, RoundingStrategy::MidpointNearestEven);
        amount.rescale(decimals);
        Self(amount)
    }

    /// Zero in `currency`.
    pub fn zero(currency: Currency) -> Self {
        Self::round(Decimal::ZERO, currency)
    }

    /// Parses a price: exact, positive and within bounds. Does not round: `1e-7` and `1.005` are errors in a
    /// currency with two decimals.
    pub fn parse_price(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exact = parse_decimal(text).map_err(|error| match error {
            MoneyError::TooManyDecimals(_) => MoneyError::TooManyDecimals(currency.decimals()),
            MoneyError::TooLarge if text.starts_with('-') => MoneyError::NotPositive,
            error => error,
        })?;
        if exact.is_sign_negative() || exact.is_zero() {
            return Err(MoneyError::NotPositive);
        }
        if exact > Decimal::from(MAX_AMOUNT) {
            return Err(MoneyError::TooLarge);
        }
        if exact.normalize().scale() > currency.decimals() {
            return Err(MoneyError::TooManyDecimals(currency.decimals()));
        }
        Ok(Self::round(exact, currency))
    }

    /// The price of `quantity` units; `None` on overflow.
    pub fn times(self, quantity: u32) -> Option<Self> {
        self.0.checked_mul(Decimal::from(quantity)).map(Self)
    }

    /// The sum; `None` on overflow.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `rate` (0.18 for 18 %) of this amount, rounded; `None` on overflow.
    pub fn share(self, rate: Decimal, currency: Currency) -> Option<Self> {
        self.0
            .checked_mul(rate)
            .map(|exact| Self::round(exact, currency))
    }

    /// Whether this exceeds [`MAX_AMOUNT`].
    pub fn exceeds_limit(self) -> bool {
        self.0 > Decimal::from(MAX_AMOUNT)
    }

    /// The exact decimal, at the scale of the currency.
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parses a decimal in plain or scientific notation exactly. A number with more digits than [`Decimal`] holds is an
/// error, because silent rounding would change an amount. (`Decimal::from_scientific` rounds.)
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let looks_numeric = text.len() <= 64
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if !looks_numeric {
        return Err(MoneyError::NotANumber);
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => {
            let exponent = text[at + 1..]
                .parse::<i32>()
                .map_err(|_| MoneyError::NotANumber)?;
            (&text[..at], exponent)
        }
        None => (text, 0),
    };
    let mantissa = Decimal::from_str_exact(mantissa).map_err(|error| match error {
        rust_decimal::Error::Underflow => MoneyError::TooManyDecimals(28),
        rust_decimal::Error::ExceedsMaximumPossibleValue => MoneyError::TooLarge,
        _ => MoneyError::NotANumber,
    })?;
    if exponent == 0 || mantissa.is_zero() {
        return Ok(mantissa);
    }
    let scale = i64::from(mantissa.scale()) - i64::from(exponent);
    if scale < -28 {
        return Err(MoneyError::TooLarge);
    }
    if scale > 28 {
        return Err(MoneyError::TooManyDecimals(28));
    }
    if scale >= 0 {
        let mut value = mantissa;
        value
            .set_scale(u32::try_from(scale).map_err(|_| MoneyError::NotANumber)?)
            .map_err(|_| MoneyError::TooManyDecimals(28))?;
        return Ok(value);
    }
    let factor = 10_i128
        .checked_pow(u32::try_from(-scale).map_err(|_| MoneyError::TooLarge)?)
        .ok_or(MoneyError::TooLarge)?;
    mantissa
        .mantissa()
        .checked_mul(factor)
        .and_then(|value| Decimal::try_from_i128_with_scale(value, 0).ok())
        .ok_or(MoneyError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::from_code("USD").unwrap()
    }

    #[test]
    fn prices_are_exact_and_have_the_scale_of_their_currency() {
        assert_eq!(
            Money::parse_price("100.0", usd()).unwrap().to_string(),
            "100.00"
        );
        assert_eq!(
            Money::parse_price("1.5e2", usd()).unwrap().to_string(),
            "150.00"
        );
        let yen = Currency::from_code("JPY").unwrap();
        assert_eq!(Money::parse_price("100.0", yen).unwrap().to_string(), "100");
    }

    #[test]
    fn an_amount_that_needs_rounding_is_refused() {
        for text in ["1e-7", "1.005", "0.001", "1.00000000000000000000000000001"] {
            assert!(
                matches!(
                    Money::parse_price(text, usd()),
                    Err(MoneyError::TooManyDecimals(_))
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn an_invalid_price_is_refused() {
        for (text, error) in [
            ("0", MoneyError::NotPositive),
            ("-0.00", MoneyError::NotPositive),
            ("-1", MoneyError::NotPositive),
            ("99999999999.999", MoneyError::TooLarge),
            ("1e400", MoneyError::TooLarge),
            ("-1e400", MoneyError::NotPositive),
            ("1e-400", MoneyError::TooManyDecimals(2)),
            ("NaN", MoneyError::NotANumber),
            ("", MoneyError::NotANumber),
            ("1,5", MoneyError::NotANumber),
            ("1e", MoneyError::NotANumber),
            ("--1", MoneyError::NotANumber),
        ] {
            let found = Money::parse_price(text, usd());
            assert_eq!(found, Err(error), "{text}");
        }
    }

    #[test]
    fn rounding_is_half_even() {
        for (exact, rounded) in [("0.125", "0.12"), ("0.135", "0.14"), ("2.5", "2.50")] {
            assert_eq!(
                Money::round(exact.parse().unwrap(), usd()).to_string(),
                rounded
            );
        }
    }
}
