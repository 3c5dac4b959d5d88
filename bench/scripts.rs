//! Scripts for `pgbench`: the recorded statements with random values as parameters.

use crate::Result;

/// Number of distinct SKUs in the generated orders.
pub const SKUS: u64 = 10_000;

/// The details of a random order.
pub fn details(statements: &[String], orders: u64) -> Result<String> {
    let [read] = statements else {
        return Err(unlike("details", statements));
    };
    let read = fill(read, &["array[:order::bigint]"])?;
    Ok(format!("\\set order random(1, {orders})\n{read};\n"))
}

/// The newest orders of a random customer.
pub fn history(statements: &[String], customers: u64) -> Result<String> {
    let [read] = statements else {
        return Err(unlike("history", statements));
    };
    let read = fill(read, &["array[:customer::bigint]", "array[20::bigint]"])?;
    Ok(format!("\\set customer random(1, {customers})\n{read};\n"))
}

/// The first page of all orders.
pub fn list(statements: &[String]) -> Result<String> {
    let [ids, orders] = statements else {
        return Err(unlike("the list", statements));
    };
    pages(ids, orders)
}

/// A search for a SKU.
pub fn search(statements: &[String], sku: &str) -> Result<String> {
    let [choice, ids, orders] = statements else {
        return Err(unlike("the search", statements));
    };
    // The parameters: the exact text and the substring pattern; the ranks of an exact match, a prefix and a
    // substring; then limit and offset.
    let (exact, part) = (format!("'{sku}'"), format!("'%{sku}%'"));
    let found = [exact.as_str(), &part, &part];
    let choice = fill(choice, &found)?;
    let beginning = format!("'{sku}%'");
    let (limit, offset) = ("21".to_owned(), "0".to_owned());
    let ranked = [
        &exact, &exact, &exact, &beginning, &beginning, &part, &part, &limit, &offset,
    ];
    let ranked = ranked.map(String::as_str);
    let ids = fill(ids, &[&found[..], &ranked[..]].concat())?;
    Ok(format!("{choice};\n{}", pages(&ids, orders)?))
}

/// A placement of two lines.
pub fn placement(statements: &[String], customers: u64) -> Result<String> {
    let place = statements
        .iter()
        .find(|sql| sql.contains("insert into orders"))
        .ok_or_else(|| unlike("a placement", statements))?;
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

/// A placement, and the smallest write of fulfilment in a second transaction.
pub fn insert_and_update(statements: &[String], customers: u64) -> Result<String> {
    let place = placement(statements, customers)?;
    Ok(format!(
        "{place}update orders set order_status = 'CONFIRMED', version = version + 1, updated_at = now()\n\
         where order_id = (select currval('orders_order_id_seq'));\n"
    ))
}

/// The ids of a page, then its orders.
fn pages(ids: &str, orders: &str) -> Result<String> {
    let orders = fill(orders, &[":ids::bigint[]"])?;
    Ok(format!(
        "select max(count) as count, coalesce(array_agg(order_id), '{{}}')::text as ids\n\
         from ({ids}) page \\gset\n{orders};\n"
    ))
}

/// Replaces parameters by expressions.
fn fill(sql: &str, expressions: &[&str]) -> Result<String> {
    let mut filled = sql.to_owned();
    // From last to first, because $1 is a prefix of $12.
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

fn unlike(what: &str, statements: &[String]) -> Box<dyn std::error::Error + Send + Sync> {
    format!(
        "the statements of {what} differ from those in bench/scripts.rs:\n{}",
        statements.join(";\n")
    )
    .into()
}
