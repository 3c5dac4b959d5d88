//! Scripts for `pgbench`: the statements that the service was heard to ask, with chance in place of
//! their parameters.

use crate::Result;

/// How many SKUs are ordered.
pub const SKUS: u64 = 10_000;

/// Any of the generated orders.
pub fn details(asked: &[String], orders: u64) -> Result<String> {
    let [read] = asked else {
        return Err(unlike("details", asked));
    };
    let read = fill(read, &["array[:order::bigint]"])?;
    Ok(format!("\\set order random(1, {orders})\n{read};\n"))
}

/// Any customer's newest orders.
pub fn history(asked: &[String], customers: u64) -> Result<String> {
    let [read] = asked else {
        return Err(unlike("history", asked));
    };
    let read = fill(read, &["array[:customer::bigint]", "array[20::bigint]"])?;
    Ok(format!("\\set customer random(1, {customers})\n{read};\n"))
}

/// The first page.
pub fn list(asked: &[String]) -> Result<String> {
    let [numbers, orders] = asked else {
        return Err(unlike("the list", asked));
    };
    pages(numbers, orders)
}

/// A SKU, which is looked at before it is looked for.
pub fn search(asked: &[String], sku: &str) -> Result<String> {
    let [choice, numbers, orders] = asked else {
        return Err(unlike("the search", asked));
    };
    // Exactly, and as a part; then how well it fits: exactly, as the beginning and as a part; then
    // how many from where on.
    let (exact, part) = (format!("'{sku}'"), format!("'%{sku}%'"));
    let found = [exact.as_str(), &part, &part];
    let choice = fill(choice, &found)?;
    let beginning = format!("'{sku}%'");
    let (limit, offset) = ("21".to_owned(), "0".to_owned());
    let ranked = [
        &exact, &exact, &exact, &beginning, &beginning, &part, &part, &limit, &offset,
    ];
    let ranked = ranked.map(String::as_str);
    let numbers = fill(numbers, &[&found[..], &ranked[..]].concat())?;
    Ok(format!("{choice};\n{}", pages(&numbers, orders)?))
}

/// An order of two lines.
pub fn placement(asked: &[String], customers: u64) -> Result<String> {
    let place = asked
        .iter()
        .find(|sql| sql.contains("insert into orders"))
        .ok_or_else(|| unlike("a placement", asked))?;
    let place = fill(
        place,
        &[
            "'customer:1'::text",
            "'place'::text",
            "gen_random_uuid()::text",
            "'\\x00'::bytea",
            ":customer::bigint",
            "'PENDING'::text",
            "'PENDING'::text",
            "'PENDING'::text",
            "'USD'::text",
            "250.00::numeric",
            "0::numeric",
            "0::numeric",
            "250.00::numeric",
            "null::text",
            "null::text",
            "array[null, null]",
            "array['SKU' || lpad(:sku::text, 5, '0'), 'SKU' || lpad((:sku + 1)::text, 5, '0')]",
            "array[2, 1]",
            "array[100.00, 50.00]",
            "array[200.00, 50.00]",
            "'order_placed'::text",
            "'customer:1'::text",
            "gen_random_uuid()",
            "null",
            "array[null, null]",
            "1::bigint",
        ],
    )?;
    let skus = SKUS - 2;
    Ok(format!(
        "\\set customer random(1, {customers})\n\\set sku random(0, {skus})\n{place};\n"
    ))
}

/// The same, and then the least that fulfilment has to write, committed one after the other.
pub fn insert_and_update(asked: &[String], customers: u64) -> Result<String> {
    let place = placement(asked, customers)?;
    Ok(format!(
        "{place}update orders set order_status = 'CONFIRMED', version = version + 1, updated_at = now()\n\
         where order_id = (select currval('orders_order_id_seq'));\n"
    ))
}

/// The numbers of a page, then its orders.
fn pages(numbers: &str, orders: &str) -> Result<String> {
    let orders = fill(orders, &[":numbers::bigint[]"])?;
    Ok(format!(
        "select max(count) as count, coalesce(array_agg(order_id), '{{}}')::text as numbers\n\
         from ({numbers}) page \\gset\n{orders};\n"
    ))
}

/// Puts expressions in place of the parameters.
fn fill(sql: &str, expressions: &[&str]) -> Result<String> {
    let mut filled = sql.to_owned();
    // From the last to the first: $1 is a part of $12.
    for (index, expression) in expressions.iter().enumerate().rev() {
        let parameter = format!("${}", index + 1);
        if !filled.contains(&parameter) {
            return Err(format!("{parameter} is missing in: {sql}").into());
        }
        filled = filled.replace(&parameter, expression);
    }
    match filled.contains('$') {
        true => Err(format!("more parameters than {} in: {sql}", expressions.len()).into()),
        false => Ok(filled),
    }
}

fn unlike(what: &str, asked: &[String]) -> Box<dyn std::error::Error + Send + Sync> {
    format!(
        "the service asks something else for {what} than bench/scripts.rs knows:\n{}",
        asked.join(";\n")
    )
    .into()
}
