//! Repeated and concurrent imports.

use super::*;

#[tokio::test]
async fn a_second_import_changes_nothing() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();
    let before = shop.everything().await;
    let summary = shop.import(ORDERS, ITEMS).await.unwrap();
    assert_eq!(
        summary,
        ImportSummary {
            orders_new: 0,
            orders_known: 5,
            items_new: 0,
            items_known: 3,
        }
    );
    assert_eq!(shop.everything().await, before);
}

#[tokio::test]
async fn a_longer_file_adds_only_new_orders() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();
    let orders = format!("{ORDERS}31,1,SHIPPED,PAID,1,2024-01-01 00:00:00\n");
    let items = format!("{ITEMS}91,31,1,A,1,1\n92,5,1,A,1,1\n");
    let summary = shop.import(orders, items).await.unwrap();
    assert_eq!(
        summary,
        ImportSummary {
            orders_new: 1,
            orders_known: 5,
            items_new: 2,
            items_known: 3,
        }
    );
}

#[tokio::test]
async fn a_changed_imported_order_still_counts_as_imported() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();
    sqlx::query(
        "update orders set order_status = 'DELIVERED', shipping_status = 'SHIPPED',
            carrier = 'DHL', version = 2, updated_at = now()
         where order_id = 4",
    )
    .execute(&mut shop.conn)
    .await
    .unwrap();
    let before = shop.everything().await;
    let summary = shop.import(ORDERS, ITEMS).await.unwrap();
    assert_eq!((summary.orders_new, summary.orders_known), (0, 5));
    assert_eq!(shop.everything().await, before);
}

#[tokio::test]
async fn new_order_ids_start_after_the_imported_ones() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();
    assert_eq!(shop.place().await, (31, 91));
    shop.import(ORDERS, ITEMS).await.unwrap();
    assert_eq!(shop.place().await, (32, 92));
}

#[tokio::test]
async fn files_with_only_a_header_import_nothing() {
    let mut shop = ImportShop::new().await;
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    let summary = shop.import(header(ORDERS), header(ITEMS)).await.unwrap();
    assert_eq!(summary, ImportSummary::default());
    assert_eq!(shop.place().await, (1, 1));
}

#[tokio::test]
async fn concurrent_imports_leave_one_set_of_orders() {
    let mut shop = ImportShop::new().await;
    let mut other = shop.database.options.connect().await.unwrap();
    shop.import("", "").await.unwrap_err();
    let path = |name: &str| shop.folder.path().join(name);
    let (orders, items) = (path("orders.csv"), path("items.csv"));
    std::fs::write(&orders, ORDERS).unwrap();
    std::fs::write(&items, ITEMS).unwrap();
    let files = ImportFiles { orders, items };
    let options = ImportOptions {
        batch_rows: 1,
        ..ImportOptions::new(Currency::from_code("USD").unwrap())
    };
    let mut quiet = |_| {};
    let mut silent = |_| {};
    let (one, two) = tokio::join!(
        import(&mut shop.conn, files.clone(), options, &mut quiet),
        import(&mut other, files, options, &mut silent),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.orders_new + two.orders_new, 5);
    assert_eq!(one.items_known + two.items_known, 3);
    assert_eq!(shop.rows("select from order_events").await.len(), 5);
}
