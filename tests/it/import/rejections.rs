//! Invalid import files and their messages.

use super::*;

/// The orders file with `line` appended as line 7.
fn with_order(line: &str) -> String {
    format!("{ORDERS}{line}\n")
}

/// The lines file with `line` appended as line 5.
fn with_item(line: &str) -> String {
    format!("{ITEMS}{line}\n")
}

#[tokio::test]
async fn an_invalid_row_is_reported_and_nothing_is_imported() {
    let mut shop = ImportShop::new().await;
    let before = shop.everything().await;
    let told = shop
        .rejection(
            with_order("17,1,CREATED,SUCCESS,\"12,50\",2024-01-01 00:00:00"),
            ITEMS,
        )
        .await;
    assert_eq!(
        told,
        [
            r#"orders.csv, line 7, column order_total: "12,50" must be a decimal number such as 100.00"#
        ]
    );
    let told = shop.rejection(ORDERS, with_item("3,4,1,A,0,1")).await;
    assert_eq!(
        told,
        [r#"items.csv, line 5, column quantity: "0" must be a whole number from 1 to 2147483647"#]
    );
    assert_eq!(shop.everything().await, before);
    // The connection is still usable.
    assert_eq!(shop.import(ORDERS, ITEMS).await.unwrap(), BOTH);
}

#[tokio::test]
async fn all_violations_of_both_files_are_reported_at_once() {
    let mut shop = ImportShop::new().await;
    let mut orders = ORDERS.as_bytes().to_vec();
    orders.extend(b"0,x,LOST,\xff\x1b[31m,-1,yesterday\r\n\r\n8,1\r\n9,1,PENDING,PENDING,1,2024-01-01 00:00:00\r\n");
    let items = with_item("3,4,x,,1,1.005\n4,4,1,A,1000000,1000000\n5,12345,1,A,1,1");
    let told = shop.rejection(orders, items).await;
    assert_eq!(
        told,
        [
            r#"orders.csv, line 7, column order_id: "0" must be a whole number from 1 to 4611686018427387903"#,
            r#"orders.csv, line 7, column customer_id: "x" must be a whole number from 1 to 4611686018427387903"#,
            r#"orders.csv, line 7, column order_status: "LOST" must be one of CREATED, PENDING, CONFIRMED, SHIPPED, DELIVERED, CANCELLING, CANCELLED"#,
            "orders.csv, line 7, column payment_status: \"\u{fffd}\\u{1b}[31m\" must be UTF-8",
            r#"orders.csv, line 7, column order_total: "-1" must not be negative"#,
            r#"orders.csv, line 7, column created_at: "yesterday" must be a time such as 2024-09-18 14:40:32 (in UTC) or 2024-09-18T14:40:32+02:00"#,
            "orders.csv, line 9: has 2 values, the columns are 6",
            r#"orders.csv, line 10, column payment_status: "PENDING" must be settled before the order can be imported"#,
            r#"items.csv, line 5, column product_id: "x" must be a whole number from 1 to 4611686018427387903"#,
            r#"items.csv, line 5, column sku: "" must have 1 to 100 characters"#,
            r#"items.csv, line 5, column unit_price: "1.005" must have at most 2 decimals"#,
            r#"items.csv, line 6, column quantity: "1000000" times 1000000.00 must be at most 999999999"#,
        ],
        "and nothing of the line without an order, which may be one of those above"
    );
}

#[tokio::test]
async fn twenty_violations_are_listed_and_the_rest_counted() {
    let mut shop = ImportShop::new().await;
    let lines: Vec<_> = (0..25)
        .map(|at| format!("{},1,?,SUCCESS,1,2024-01-01 00:00:00", 100 + at))
        .collect();
    let told = shop.rejection(with_order(&lines.join("\n")), ITEMS).await;
    assert_eq!(told.len(), 21);
    assert!(
        told[19].starts_with("orders.csv, line 26, column order_status: "),
        "{}",
        told[19]
    );
    assert_eq!(told[20], "and 5 more");
}

#[tokio::test]
async fn a_duplicate_order_id_is_refused() {
    let mut shop = ImportShop::new().await;
    // Duplicates right after the first and some batches later, with the same and with other values.
    let orders = with_order(
        "5,2,CREATED,SUCCESS,20.00,2022-12-31 23:59:59\n7,1,DELIVERED,PAID,1,2022-12-31 23:59:59",
    );
    let told = shop.rejection(&orders, ITEMS).await;
    let expected = [
        r#"orders.csv, line 7, column order_id: "5" is on line 6 already"#,
        r#"orders.csv, line 8, column order_id: "7" is on line 2 already"#,
    ];
    assert_eq!(told, expected);
    let told = shop.rejection(ORDERS, with_item("1,7,1,A,1,1")).await;
    let expected_item = r#"items.csv, line 5, column order_item_id: "1" is on line 2 already"#;
    assert_eq!(told, [expected_item]);

    shop.import(ORDERS, ITEMS).await.unwrap();
    assert_eq!(
        shop.rejection(&orders, ITEMS).await,
        expected,
        "in a second run as well"
    );
}

#[tokio::test]
async fn a_line_without_an_order_is_refused() {
    let mut shop = ImportShop::new().await;
    let told = shop.rejection(ORDERS, with_item("3,12345,1,A,1,1")).await;
    assert_eq!(
        told,
        [
            r#"items.csv, line 5, column order_id: "12345" must be the number of an order, of the other file or here already"#
        ]
    );
}

#[tokio::test]
async fn an_id_of_another_order_is_reported() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();
    let before = shop.everything().await;
    let orders = ORDERS
        .replace("7,44,CREATED,FAILED,966.29,", "7,45,CREATED,FAILED,966.30,")
        .replace("23:59:59", "23:59:58");
    let told = shop.rejection(orders, ITEMS).await;
    assert_eq!(
        told,
        [
            r#"orders.csv, line 2, column order_id: "7" is the number of an order that is there already with another customer_id, order_total"#,
            r#"orders.csv, line 5, column order_id: "4" is the number of an order that is there already with another created_at"#,
            r#"orders.csv, line 6, column order_id: "5" is the number of an order that is there already with another created_at"#,
        ]
    );
    assert_eq!(shop.everything().await, before);
}

#[tokio::test]
async fn an_id_of_another_line_is_reported() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();
    let items = ITEMS
        .replace("1,4,105,SKU0095,3,385.72", "1,4,,SKU0096,4,1")
        .replace("2,30,74", "2,7,74");
    let told = shop.rejection(ORDERS, items).await;
    assert_eq!(
        told,
        [
            r#"items.csv, line 2, column order_item_id: "1" is the number of a line that is there already with another product_id, sku, quantity, unit_price"#,
            r#"items.csv, line 3, column order_item_id: "2" is the number of a line of order 30 already"#,
        ]
    );
}

#[tokio::test]
async fn an_import_adds_no_lines_to_an_order_placed_here() {
    let mut shop = ImportShop::new().await;
    assert_eq!(shop.place().await, (1, 1));
    let before = shop.everything().await;
    let told = shop
        .rejection(
            ORDERS,
            "order_item_id,order_id,product_id,sku,quantity,unit_price\n1,1,,A,1,5\n9,1,,A,1,1\n",
        )
        .await;
    assert_eq!(
        told,
        [
            r#"items.csv, line 3, column order_id: "1" is the number of an order that was placed here, without this line"#
        ]
    );
    let told = shop
        .rejection(
            with_order("1,4,CREATED,SUCCESS,5,2025-01-01 00:00:00"),
            ITEMS,
        )
        .await;
    assert_eq!(
        told,
        [
            r#"orders.csv, line 7, column order_id: "1" is the number of an order that is there already with another customer_id"#
        ]
    );
    assert_eq!(shop.everything().await, before);
}

#[tokio::test]
async fn a_missing_file_is_reported_before_anything_is_read() {
    let mut shop = ImportShop::new().await;
    let told = shop.rejection("not,orders\n", "nor,items\n").await;
    assert_eq!(
        told,
        [
            "orders.csv, line 1: there are no columns order_id, customer_id, order_status, payment_status, order_total, created_at; the columns needed are order_id, customer_id, order_status, payment_status, order_total, created_at"
        ]
    );
    let told = shop
        .rejection(with_order("bad"), ITEMS.replace("sku", "code"))
        .await;
    assert_eq!(
        told,
        [
            "items.csv, line 1: there is no column sku; the columns needed are order_item_id, order_id, product_id, sku, quantity, unit_price"
        ]
    );

    let folder = shop.folder.path().to_owned();
    let files = ImportFiles {
        orders: folder.join("none.csv"),
        items: folder,
    };
    let options = ImportOptions::new(Currency::from_code("USD").unwrap());
    let error = import(&mut shop.conn, files, options, &mut |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("none.csv"), "{error}");
    assert!(matches!(error, Error::Read { .. }));
}
