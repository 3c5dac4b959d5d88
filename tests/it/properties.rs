//! Property tests of money, totals and statuses.

mod tokens;

use std::collections::HashSet;

use order_service::domain::cancel_reason::CancelReason;
use order_service::domain::event::OrderEvent;
use order_service::domain::money::{Currency, Money, parse_decimal};
use order_service::domain::order::{OrderState, PricingRules};
use order_service::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};
use order_service::domain::step::Step;
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

const CURRENCIES: [&str; 4] = ["USD", "JPY", "KWD", "INR"];

fn currency() -> impl Strategy<Value = Currency> {
    (0..CURRENCIES.len()).prop_map(|index| Currency::from_code(CURRENCIES[index]).unwrap())
}

/// A price in minor units, of a currency.
fn price() -> impl Strategy<Value = (Currency, i64)> {
    (currency(), 1..10_000_000_i64)
}

fn amount(minor_units: i64, currency: Currency) -> Money {
    Money::round(Decimal::new(minor_units, currency.decimals()), currency)
}

/// Events of an order, in any sequence.
fn fact() -> impl Strategy<Value = OrderEvent> {
    let shipping =
        (0..ShippingStatus::ALL.len()).prop_map(|index| OrderEvent::ShippingStatusChanged {
            shipping_status: ShippingStatus::ALL[index],
            carrier_status: String::new(),
        });
    let payment =
        (0..PaymentStatus::ALL.len()).prop_map(|index| OrderEvent::PaymentStatusChanged {
            payment_status: PaymentStatus::ALL[index],
        });
    let text = String::new;
    prop_oneof![
        shipping,
        payment,
        Just(OrderEvent::OrderConfirmed),
        Just(OrderEvent::CompensationStarted {
            reason: CancelReason::Staff
        }),
        Just(OrderEvent::OrderCancelled),
        Just(OrderEvent::PaymentCharged {
            payment_id: text(),
            reference: None
        }),
        Just(OrderEvent::PaymentDeclined { reason: text() }),
        Just(OrderEvent::PaymentRefunded { payment_id: text() }),
        Just(OrderEvent::InterventionRequired {
            step: Step::CommitStock,
            reason: text()
        }),
    ]
}

/// Whether the status stayed or moved forward.
fn is_forward<S: Status>(from: S, to: S) -> bool {
    from == to || from.reaches(to)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_price_survives_a_round_trip((currency, minor_units) in price()) {
        let price = amount(minor_units, currency);
        prop_assert_eq!(Money::parse_price(&price.to_string(), currency), Ok(price));
        let scientific = format!("{minor_units}e-{}", currency.decimals());
        prop_assert_eq!(Money::parse_price(&scientific, currency), Ok(price));
    }

    #[test]
    fn a_price_is_never_parsed_as_another_value(text in "[0-9]{0,12}\\.?[0-9]{0,12}([eE][+-]?[0-9]{1,3})?") {
        // The reference cannot represent every number, such as 0e30.
        let reference = Decimal::from_scientific(&text.to_lowercase()).or_else(|_| text.parse());
        if let (Ok(read), Ok(expected)) = (parse_decimal(&text), reference) {
            prop_assert_eq!(read, expected, "{}", text);
        }
    }

    #[test]
    fn totals_add_up_for_every_cart(
        currency in currency(),
        lines in prop::collection::vec((1..100_000_i64, 1..1_000_u32), 1..100),
        rate in 0..=100_u32,
        fee in 0..10_000_i64,
    ) {
        let tax_rate = Decimal::new(rate.into(), 2);
        let pricing = PricingRules { currency, tax_rate, shipping_fee: amount(fee, currency) };
        let mut subtotal = Money::zero(currency);
        let mut minor_units = 0;
        for (price, quantity) in lines {
            subtotal = subtotal.plus(amount(price, currency).times(quantity).unwrap()).unwrap();
            minor_units += price * i64::from(quantity);
        }
        prop_assert_eq!(subtotal, amount(minor_units, currency));
        if let Some(totals) = pricing.totals(subtotal) {
            let sum = totals.subtotal.decimal() + totals.tax.decimal() + totals.shipping_fee.decimal();
            prop_assert_eq!(totals.order_total.decimal(), sum);
            let exact = subtotal.decimal() * tax_rate;
            let half_even = exact
                .round_dp_with_strategy(currency.decimals(), RoundingStrategy::MidpointNearestEven);
            prop_assert_eq!(totals.tax.decimal(), half_even);
            for money in [totals.subtotal, totals.tax, totals.shipping_fee, totals.order_total] {
                let decimals = money.to_string().split('.').nth(1).map_or(0, str::len);
                prop_assert_eq!(decimals, currency.decimals() as usize);
            }
        }
    }

    #[test]
    fn statuses_never_move_backwards(facts in prop::collection::vec(fact(), 0..30)) {
        let mut state = OrderState::placed();
        for fact in facts {
            let (after, happened) = state.after(vec![fact.clone()]);
            prop_assert_eq!(happened.first(), Some(&fact));
            prop_assert!(is_forward(state.order_status, after.order_status));
            prop_assert!(is_forward(state.payment_status, after.payment_status));
            prop_assert!(is_forward(state.shipping_status, after.shipping_status));
            // The database has the same constraint.
            let cancelled = [OrderStatus::Cancelling, OrderStatus::Cancelled];
            prop_assert_eq!(after.cancel_reason.is_some(), cancelled.contains(&after.order_status));
            // All derived events are included: there are no further ones.
            let (again, further) = after.after(Vec::new());
            prop_assert_eq!(&again, &after);
            prop_assert!(further.is_empty());
            state = after;
        }
    }
}

#[test]
fn currency_codes_are_distinct_and_known() {
    let codes: HashSet<_> = CURRENCIES
        .iter()
        .map(|code| Currency::from_code(code).unwrap().code())
        .collect();
    assert_eq!(codes.len(), CURRENCIES.len());
    for unknown in ["", "usd", "XXX", "ZZZ", "US", "USDD"] {
        assert!(Currency::from_code(unknown).is_none(), "{unknown}");
    }
}
