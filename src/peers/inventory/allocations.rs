//! Whether what Inventory says it holds is all that was asked for.

use serde_json::Value;

use crate::domain::order::Item;
use crate::peers::json;

/// How much of an order is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// Every line, in full.
    Whole,
    /// Less than that.
    Short,
    /// It does not say how many of something.
    Unreadable,
}

/// One allocation, and how much of it is not given to a line so far.
struct Held<'a> {
    product_id: Option<&'a str>,
    sku: Option<&'a str>,
    /// Whether it names a line of the order, and so counts for no other.
    named: bool,
    /// Whether it also agrees with that line in everything else, so that other lines of the same
    /// product have no share in it.
    exact: bool,
    left: u64,
}

/// One line, and how much of it is not covered so far.
struct Wanted<'a> {
    product_id: Option<String>,
    sku: &'a str,
    missing: u64,
}

/// Compares `allocations` with `items`. Several warehouses may share a line.
pub(super) fn coverage(allocations: &Value, items: &[Item]) -> Coverage {
    let held: Option<Vec<_>> = allocations
        .as_array()
        .and_then(|held| held.iter().map(read).collect());
    let Some(mut held) = held else {
        return Coverage::Unreadable;
    };
    let mut wanted: Vec<_> = items
        .iter()
        .map(|item| Wanted {
            product_id: item.product_id.map(|id| id.to_string()),
            sku: item.sku.trim(),
            missing: item.quantity.into(),
        })
        .collect();
    for part in &mut held {
        part.named = wanted.iter().any(|line| names(line, part));
        part.exact = wanted.iter().any(|line| names_exactly(line, part));
    }
    give(&mut wanted, &mut held, names_exactly);
    give(&mut wanted, &mut held, |line, part| {
        !part.exact && names(line, part)
    });
    // Where neither product nor SKU can be compared, the total has to do.
    give(&mut wanted, &mut held, |line, part| {
        !part.named && same_product(line, part).is_none() && same_sku(line, part).is_none()
    });
    if wanted.iter().all(|line| line.missing == 0) {
        Coverage::Whole
    } else {
        Coverage::Short
    }
}

fn read(allocation: &Value) -> Option<Held<'_>> {
    Some(Held {
        product_id: allocation.get("product_id").and_then(json::text),
        sku: allocation.get("sku").and_then(json::text),
        named: false,
        exact: false,
        left: json::count(allocation.get("quantity")?)?,
    })
}

/// By the product's number where both have one, else by SKU.
fn names(line: &Wanted<'_>, part: &Held<'_>) -> bool {
    same_product(line, part).or_else(|| same_sku(line, part)) == Some(true)
}

fn names_exactly(line: &Wanted<'_>, part: &Held<'_>) -> bool {
    names(line, part) && same_sku(line, part) != Some(false)
}

/// `None` where one of the two does not name a product.
fn same_product(line: &Wanted<'_>, part: &Held<'_>) -> Option<bool> {
    Some(line.product_id.as_deref()? == part.product_id?)
}

/// `None` where the allocation names no SKU.
fn same_sku(line: &Wanted<'_>, part: &Held<'_>) -> Option<bool> {
    Some(line.sku == part.sku?)
}

fn give(
    wanted: &mut [Wanted<'_>],
    held: &mut [Held<'_>],
    fits: impl Fn(&Wanted<'_>, &Held<'_>) -> bool,
) {
    for line in wanted {
        for part in held.iter_mut() {
            if fits(line, part) {
                let given = line.missing.min(part.left);
                line.missing -= given;
                part.left -= given;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::money::{Currency, Money};

    fn item(product_id: Option<i64>, sku: &str, quantity: u32) -> Item {
        let price = Money::zero(Currency::from_code("USD").unwrap());
        Item {
            order_item_id: 1,
            product_id,
            sku: sku.to_owned(),
            name: None,
            quantity,
            unit_price: price,
            line_total: price,
        }
    }

    fn product(id: i64, quantity: i64) -> Value {
        json!({"product_id": id, "quantity": quantity})
    }

    fn sku(sku: &str, quantity: i64) -> Value {
        json!({"sku": sku, "quantity": quantity})
    }

    fn check(items: &[Item], allocations: Vec<Value>, expected: Coverage) {
        let allocations = Value::from(allocations);
        assert_eq!(coverage(&allocations, items), expected, "{allocations}");
    }

    #[test]
    fn allocations_must_cover_every_line_in_full() {
        let items = [item(Some(1), "A", 3), item(Some(2), "B", 1)];
        check(&items, vec![product(1, 3), product(2, 1)], Coverage::Whole);
        let split = vec![product(1, 1), product(2, 5), product(1, 2)];
        check(&items, split, Coverage::Whole);
        check(&items, vec![sku("A", 3), sku("B", 1)], Coverage::Whole);
        check(&items, vec![product(1, 4)], Coverage::Short);
        check(&items, vec![product(1, 3), product(9, 1)], Coverage::Short);
        check(&items, vec![product(1, 2), product(2, 2)], Coverage::Short);
        check(&items, vec![], Coverage::Short);
    }

    #[test]
    fn lines_without_a_product_match_by_sku_and_then_by_total() {
        let items = [item(None, "A", 3), item(None, "B", 1)];
        check(&items, vec![sku("A", 3), sku("B", 1)], Coverage::Whole);
        check(&items, vec![sku("A", 4)], Coverage::Short);
        check(&items, vec![product(7, 3), product(8, 1)], Coverage::Whole);
        check(&items, vec![product(7, 3)], Coverage::Short);
        check(&items, vec![json!({"quantity": "4.0"})], Coverage::Whole);
    }

    #[test]
    fn a_surplus_of_one_line_covers_no_other_line() {
        let items = [item(Some(1), "A", 3), item(None, "B", 1)];
        check(&items, vec![product(1, 4)], Coverage::Short);
        check(&items, vec![product(1, 3), product(8, 1)], Coverage::Whole);
    }

    #[test]
    fn variants_share_allocations_unless_the_sku_differs() {
        let items = [item(Some(1), "red", 2), item(Some(1), "blue", 2)];
        let variant =
            |sku: &str, quantity: i64| json!({"product_id": "1", "sku": sku, "quantity": quantity});
        check(&items, vec![product(1, 4)], Coverage::Whole);
        check(&items, vec![product(1, 3)], Coverage::Short);
        let both = vec![variant("blue", 2), variant("red", 2)];
        check(&items, both, Coverage::Whole);
        check(&items, vec![variant("red", 4)], Coverage::Short);
        check(&items, vec![variant("P1", 4)], Coverage::Whole);
    }

    #[test]
    fn an_allocation_without_a_quantity_is_unreadable() {
        let items = [item(Some(1), "A", 3)];
        check(&items, vec![json!({"product_id": 1})], Coverage::Unreadable);
        check(&items, vec![product(1, -3)], Coverage::Unreadable);
        check(&items, vec![json!(3)], Coverage::Unreadable);
        let map = json!({"A": 3});
        assert_eq!(coverage(&map, &items), Coverage::Unreadable);
    }
}
