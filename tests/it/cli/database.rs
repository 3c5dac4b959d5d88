//! Commands that use a database and exit.

use crate::support::database::TestDatabase;

use super::{end, folder, order_service, run};

#[tokio::test]
async fn migrate_is_idempotent() {
    let database = TestDatabase::new().await;
    let mut conn = database.connection().await;
    for sql in ["drop schema public cascade", "create schema public"] {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    for _ in 0..2 {
        let migrated = run(&["migrate"], &[("DATABASE_URL", &database.url())]).await;
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        assert!(migrated.stdout.contains("up to date"), "{migrated:?}");
        assert_eq!(database.count("orders").await, 0);
    }
}

#[tokio::test]
async fn migrate_without_a_database_names_the_missing_variable() {
    let refused = run(&["migrate"], &[]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("DATABASE_URL is not set"),
        "{refused:?}"
    );
}

const ORDERS: &str = "\
order_id,customer_id,order_status,payment_status,order_total,created_at
1,44,CREATED,SUCCESS,21.00,2024-09-18 14:40:32
2,98,CANCELLED,FAILED,10.00,2023-02-06 02:26:38
";

const ITEMS: &str = "\
order_item_id,order_id,product_id,sku,quantity,unit_price
1,1,105,SKU0095,2,10.50
2,2,74,SKU0056,1,10.00
3,2,75,SKU0057,1,0.00
";

#[tokio::test]
async fn import_is_all_or_nothing_and_idempotent() {
    let database = TestDatabase::new().await;
    let folder = folder();
    let path = |name: &str| format!("{}/{name}", folder.path().display());
    let import = async || {
        let (orders, items) = (path("orders.csv"), path("items.csv"));
        let arguments = ["import", "--orders", &orders, "--items", &items];
        let mut command = order_service(folder.path(), &arguments);
        command.env("DATABASE_URL", database.url());
        end(command).await
    };

    let faulty = ITEMS.replace("SKU0057,1", "SKU0057,-1");
    std::fs::write(path("orders.csv"), ORDERS).unwrap();
    std::fs::write(path("items.csv"), faulty).unwrap();
    let refused = import().await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for hint in ["items.csv", "line 4", "quantity"] {
        assert!(refused.stderr.contains(hint), "{refused:?}");
    }
    assert_eq!(database.count("orders").await, 0);

    std::fs::write(path("items.csv"), ITEMS).unwrap();
    let first = import().await;
    assert_eq!(
        first.stdout, "orders: 2 imported, 0 known already; items: 3 imported, 0 known already\n",
        "{first:?}"
    );
    let second = import().await;
    assert_eq!(
        second.stdout, "orders: 0 imported, 2 known already; items: 0 imported, 3 known already\n",
        "{second:?}"
    );
    assert_eq!(database.count("orders").await, 2);
}
