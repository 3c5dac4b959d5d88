//! Parsers for the fields of the files. An error states what the field must be.

use std::fmt::Display;
use std::ops::RangeInclusive;

use rust_decimal::Decimal;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::domain::cart::{MAX_NAME_CHARS, MAX_SKU_CHARS};
use crate::domain::money::{Currency, MAX_AMOUNT, Money, MoneyError, parse_decimal};

/// The largest importable id. The upper half of the range stays free for the sequences of the database.
const MAX_ID: i64 = i64::MAX / 2;

/// Parses an id.
pub(super) fn id(text: &str) -> Result<i64, String> {
    whole(text, 1..=MAX_ID)
}

/// Parses an id; an empty field is `None`.
pub(super) fn optional_id(text: &str) -> Result<Option<i64>, String> {
    match text {
        "" => Ok(None),
        text => id(text).map(Some),
    }
}

/// Parses a quantity.
pub(super) fn quantity(text: &str) -> Result<i32, String> {
    whole(text, 1..=i32::MAX)
}

fn whole<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + Display,
{
    // `parse` also accepts a leading sign, which the files must not have.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && range.contains(number))
        .ok_or_else(|| {
            let (from, to) = range.into_inner();
            format!("must be a whole number from {from} to {to}")
        })
}

/// Parses a historical amount exactly. Unlike a price it may be zero.
pub(super) fn amount(text: &str, currency: Currency) -> Result<Money, String> {
    let exact = parse_decimal(text).map_err(|error| error.to_string())?;
    if exact.is_sign_negative() && !exact.is_zero() {
        return Err("must not be negative".to_owned());
    }
    if exact > Decimal::from(MAX_AMOUNT) {
        return Err(MoneyError::TooLarge.to_string());
    }
    if exact.normalize().scale() > currency.decimals() {
        return Err(MoneyError::TooManyDecimals(currency.decimals()).to_string());
    }
    Ok(Money::round(exact, currency))
}

/// Parses a stock keeping unit.
pub(super) fn sku(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > MAX_SKU_CHARS {
        return Err(format!("must have 1 to {MAX_SKU_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must have no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses a product name; an empty field is `None`.
pub(super) fn name(text: &str) -> Result<Option<String>, String> {
    if text.chars().count() > MAX_NAME_CHARS {
        return Err(format!("must have at most {MAX_NAME_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must have no control characters".to_owned());
    }
    Ok(Some(text.to_owned()).filter(|name| !name.is_empty()))
}

/// Parses a timestamp with an offset, or in UTC without one. Truncates it to microseconds, the precision of the
/// database: otherwise a second run would find a different order.
pub(super) fn timestamp(text: &str) -> Result<OffsetDateTime, &'static str> {
    let zoneless = format_description!(
        version = 2,
        "[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]"
    );
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| PrimitiveDateTime::parse(text, zoneless).map(PrimitiveDateTime::assume_utc))
        .ok()
        .and_then(|timestamp| timestamp.checked_to_offset(UtcOffset::UTC))
        // Earlier years are typing or spreadsheet errors.
        .filter(|timestamp| timestamp.year() >= 1970)
        .map(|timestamp| {
            let micros = timestamp.nanosecond() / 1_000;
            timestamp
                .replace_nanosecond(micros * 1_000)
                .unwrap_or(timestamp)
        })
        .ok_or("must be a time such as 2024-09-18 14:40:32 (in UTC) or 2024-09-18T14:40:32+02:00")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn ids_are_plain_integers() {
        assert_eq!(id("1"), Ok(1));
        assert_eq!(id("4611686018427387903"), Ok(MAX_ID));
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "1.0",
            "1e3",
            "4611686018427387904",
            "٣",
        ] {
            assert_eq!(
                id(text).unwrap_err(),
                "must be a whole number from 1 to 4611686018427387903",
                "{text}"
            );
        }
        assert_eq!(optional_id(""), Ok(None));
        assert!(quantity("2147483648").is_err());
    }

    #[test]
    fn amounts_are_exact_and_may_be_empty() {
        let usd = Currency::from_code("USD").unwrap();
        for (text, amounts_to) in [("0", "0.00"), ("1788.6", "1788.60"), ("-0.00", "0.00")] {
            assert_eq!(amount(text, usd).unwrap().to_string(), amounts_to);
        }
        for (text, problem) in [
            ("12,50", "must be a decimal number such as 100.00"),
            ("-0.01", "must not be negative"),
            ("1.005", "must have at most 2 decimals"),
            ("1000000000", "must be at most 999999999"),
        ] {
            assert_eq!(amount(text, usd).unwrap_err(), problem);
        }
    }

    #[test]
    fn a_time_without_a_zone_is_utc() {
        let noon = datetime!(2024-09-18 12:00 UTC);
        for text in [
            "2024-09-18 12:00:00",
            "2024-09-18 12:00:00.000000999",
            "2024-09-18T12:00:00Z",
            "2024-09-18T14:00:00+02:00",
        ] {
            assert_eq!(timestamp(text), Ok(noon), "{text}");
        }
        for text in [
            "",
            "2024-09-18",
            "18.09.2024 12:00:00",
            "2024-02-30 12:00:00",
            "0024-09-18 12:00:00",
            "-2024-09-18 12:00:00",
            "9999-12-31T23:59:59-23:59",
        ] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }
}
