//! Compares the allocations in Inventory's response with the lines of the order.

use serde_json::Value;

use crate::domain::order::Item;
use crate::peers::json;

/// How much of an order the allocations cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// Every line in full.
    Whole,
    /// Not every line in full.
    Short,
    /// An allocation has no quantity.
    Unreadable,
}

/// One allocation and its quantity that covers no line yet.
struct Allocation<'a> {
    product_id: Option<&'a str>,
    sku: Option<&'a str>,
    /// Whether it names a line of the order. It then covers no other line.
    is_named: bool,
    /// Whether product and SKU both agree with that line. It then covers no other line of the same
    /// product.
    is_exact: bool,
    left: u64,
}

/// One line of the order and its quantity that is not covered yet.
struct OpenLine<'a> {
    product_id: Option<String>,
    sku: &'a str,
    missing: u64,
}

/// Compares `allocations` with `items`. Several allocations may cover one line, as from several
/// warehouses.
pub(super) fn coverage(allocations: &Value, items: &[Item]) -> Coverage {
    let allocations: Option<Vec<_>> = allocations
        .as_array()
        .and_then(|parts| parts.iter().map(read).collect());
    let Some(mut allocations) = allocations else {
        return Coverage::Unreadable;
    };
    let mut lines: Vec<_> = items
        .iter()
        .map(|item| OpenLine {
            product_id: item.product_id.map(|id| id.to_string()),
            sku: item.sku.trim(),
            missing: item.quantity.into(),
        })
        .collect();
    for part in &mut allocations {
        part.is_named = lines.iter().any(|line| names(line, part));
        part.is_exact = lines.iter().any(|line| names_exactly(line, part));
    }
    assign(&mut lines, &mut allocations, names_exactly);
    assign(&mut lines, &mut allocations, |line, part| {
        !part.is_exact && names(line, part)
    });
    // Without a product and a SKU to compare, only the total quantity counts.
    assign(&mut lines, &mut allocations, |line, part| {
        !part.is_named && same_product(line, part).is_none() && same_sku(line, part).is_none()
    });
    if lines.iter().all(|line| line.missing == 0) {
        Coverage::Whole
    } else {
        Coverage::Short
    }
}

fn read(allocation: &Value) -> Option<Allocation<'_>> {
    Some(Allocation {
        product_id: allocation.get("product_id").and_then(json::text),
        sku: allocation.get("sku").and_then(json::text),
        is_named: false,
        is_exact: false,
        left: json::count(allocation.get("quantity")?)?,
    })
}

/// Compares by product id if both have one, otherwise by SKU.
fn names(line: &OpenLine<'_>, part: &Allocation<'_>) -> bool {
    same_product(line, part).or_else(|| same_sku(line, part)) == Some(true)
}

fn names_exactly(line: &OpenLine<'_>, part: &Allocation<'_>) -> bool {
    names(line, part) && same_sku(line, part) != Some(false)
}

/// `None` if one of the two has no product id.
fn same_product(line: &OpenLine<'_>, part: &Allocation<'_>) -> Option<bool> {
    Some(line.product_id.as_deref()? == part.product_id?)
}

/// `None` if the allocation has no SKU.
fn same_sku(line: &OpenLine<'_>, part: &Allocation<'_>) -> Option<bool> {
    Some(line.sku == part.sku?)
}

/// Assigns allocated quantities to the lines that they fit.
fn assign(
    lines: &mut [OpenLine<'_>],
    allocations: &mut [Allocation<'_>],
    fits: impl Fn(&OpenLine<'_>, &Allocation<'_>) -> bool,
) {
    for line in lines {
        for part in allocations.iter_mut() {
            if fits(line, part) {
                let assigned = line.missing.min(part.left);
                line.missing -= assigned;
                part.left -= assigned;
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
