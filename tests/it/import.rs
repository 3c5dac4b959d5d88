//! The importer against a real database.

mod rejections;
mod reruns;

use order_service::domain::money::Currency;
use order_service::import::{
    Error, ImportFiles, ImportOptions, ImportProgress, ImportStage, ImportSummary, import,
};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::support::database::TestDatabase;

const ORDERS: &str = "\
order_id,customer_id,order_status,payment_status,order_total,created_at
7,44,CREATED,FAILED,966.29,2024-09-18 14:40:32
2,98,CANCELLED,SUCCESS,786.9,2023-02-06 02:26:38
30,98,DELIVERED,FAILED,0,2023-02-06T04:26:38+02:00
4,1,CREATED,SUCCESS,10,2022-12-31 23:59:59
5,2,CREATED,SUCCESS,20.00,2022-12-31 23:59:59
";

const ITEMS: &str = "\
order_item_id,order_id,product_id,sku,quantity,unit_price
1,4,105,SKU0095,3,385.72
2,30,74,SKU0056,1,600.1
90,4,,\"SKU, odd\",2,0
";

const BOTH: ImportSummary = ImportSummary {
    orders_new: 5,
    orders_known: 0,
    items_new: 3,
    items_known: 0,
};

/// A database and a folder for the import files.
struct ImportShop {
    database: TestDatabase,
    conn: PgConnection,
    folder: TempDir,
}

impl ImportShop {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        Self {
            conn: database.options.connect().await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            database,
        }
    }

    /// Imports these files in batches of two rows, so that even short files need several.
    async fn import(
        &mut self,
        orders: impl AsRef<[u8]>,
        items: impl AsRef<[u8]>,
    ) -> Result<ImportSummary, Error> {
        self.watched_import(orders, items, &mut |_| {}).await
    }

    async fn watched_import(
        &mut self,
        orders: impl AsRef<[u8]>,
        items: impl AsRef<[u8]>,
        progress: &mut (dyn FnMut(ImportProgress) + Send),
    ) -> Result<ImportSummary, Error> {
        let files = ImportFiles {
            orders: self.folder.path().join("orders.csv"),
            items: self.folder.path().join("items.csv"),
        };
        std::fs::write(&files.orders, orders).unwrap();
        std::fs::write(&files.items, items).unwrap();
        let options = ImportOptions {
            batch_rows: 2,
            ..ImportOptions::new(Currency::from_code("USD").unwrap())
        };
        import(&mut self.conn, files, options, progress).await
    }

    /// Imports invalid files and returns the lines of the message, without the folder.
    async fn rejection(
        &mut self,
        orders: impl AsRef<[u8]>,
        items: impl AsRef<[u8]>,
    ) -> Vec<String> {
        let error = self.import(orders, items).await.unwrap_err();
        let folder = format!("{}/", self.folder.path().display());
        let message = error.to_string().replace(&folder, "");
        message.lines().map(str::to_owned).collect()
    }

    /// The rows of a query, each as text.
    async fn rows(&mut self, query: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select row::text from ({query}) as row"
        )))
        .fetch_all(&mut self.conn)
        .await
        .unwrap()
    }

    /// Every row that an import may touch, with the transaction that wrote it.
    async fn everything(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for query in [
            "select xmin, orders from orders order by order_id",
            "select xmin, order_items from order_items order by order_item_id",
            "select xmin, order_events from order_events order by order_id, seq",
            "select * from fulfilments",
            "select sequencename, last_value from pg_sequences",
        ] {
            all.extend(self.rows(query).await);
        }
        all
    }

    /// Places an order; returns its id and the id of its line.
    async fn place(&mut self) -> (i64, i64) {
        sqlx::query_as(
            "with placed as (
                insert into orders (customer_id, order_status, payment_status, shipping_status,
                    currency, subtotal, tax, shipping_fee, order_total, created_at)
                values (3, 'PENDING', 'PENDING', 'PENDING', 'USD', 5, 0, 0, 5, '2025-01-01Z')
                returning order_id
            ), told as (
                insert into order_events (order_id, seq, code, actor)
                select order_id, 1, 'order_placed', 'customer:3' from placed
            )
            insert into order_items (order_id, sku, quantity, unit_price, line_total)
            select order_id, 'A', 1, 5, 5 from placed
            returning order_id, order_item_id",
        )
        .fetch_one(&mut self.conn)
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn orders_are_imported_as_history() {
    let mut shop = ImportShop::new().await;
    assert_eq!(shop.import(ORDERS, ITEMS).await.unwrap(), BOTH);

    let orders = shop
        .rows(
            "select order_id, customer_id, order_status, payment_status, shipping_status,
                cancel_reason, currency, subtotal, tax, shipping_fee, order_total, version,
                cancel_requested
             from orders order by order_id",
        )
        .await;
    assert_eq!(
        orders,
        [
            "(2,98,CANCELLED,PAID,CANCELLED,imported,USD,786.9000,0.0000,0.0000,786.9000,1,f)",
            "(4,1,CONFIRMED,PAID,UNKNOWN,,USD,10.0000,0.0000,0.0000,10.0000,1,f)",
            "(5,2,CONFIRMED,PAID,UNKNOWN,,USD,20.0000,0.0000,0.0000,20.0000,1,f)",
            "(7,44,CANCELLED,FAILED,CANCELLED,payment_declined,USD,966.2900,0.0000,0.0000,966.2900,1,f)",
            "(30,98,DELIVERED,FAILED,DELIVERED,,USD,0.0000,0.0000,0.0000,0.0000,1,f)",
        ]
    );
    let items = shop
        .rows("select * from order_items order by order_item_id")
        .await;
    assert_eq!(
        items,
        [
            "(4,1,105,SKU0095,3,385.7200,1157.1600,)",
            "(30,2,74,SKU0056,1,600.1000,600.1000,)",
            "(4,90,,\"SKU, odd\",2,0.0000,0.0000,)",
        ]
    );
}

#[tokio::test]
async fn an_imported_order_has_one_dated_event_and_no_saga() {
    let mut shop = ImportShop::new().await;
    shop.import(ORDERS, ITEMS).await.unwrap();

    let events = shop
        .rows("select order_id, seq, code, actor, data from order_events order by order_id")
        .await;
    let expected = [2, 4, 5, 7, 30].map(|id| format!("({id},1,order_imported,import,{{}})"));
    assert_eq!(events, expected);
    let times: Vec<(OffsetDateTime, OffsetDateTime, OffsetDateTime)> = sqlx::query_as(
        "select created_at, updated_at, at from orders join order_events using (order_id)
         where order_id in (2, 30)",
    )
    .fetch_all(&mut shop.conn)
    .await
    .unwrap();
    let then = datetime!(2023-02-06 02:26:38 UTC);
    assert_eq!(times, [(then, then, then); 2]);
    assert!(shop.rows("select * from fulfilments").await.is_empty());
}

#[tokio::test]
async fn columns_are_found_in_any_position() {
    let mut shop = ImportShop::new().await;
    let orders = "\u{feff}note,created_at,Order_Total, payment_status,order_status,customer_id,order_id\r\n\
        \"two\nlines\",2024-09-18 14:40:32, 1.5 ,paid,delivered,44,1\r\n";
    let items = "sku,unit_price,quantity,product_id,order_id,order_item_id\nA,1,1,1,1,1\n";
    let summary = shop.import(orders, items).await.unwrap();
    assert_eq!((summary.orders_new, summary.items_new), (1, 1));
    let orders = shop
        .rows("select order_id, customer_id, order_status, order_total from orders")
        .await;
    assert_eq!(orders, ["(1,44,DELIVERED,1.5000)"]);
}

#[tokio::test]
async fn line_names_are_imported_when_present() {
    let mut shop = ImportShop::new().await;
    let orders = "order_id,customer_id,order_status,payment_status,order_total,created_at\n\
        1,44,delivered,paid,2,2024-09-18 14:40:32\n";
    let items = "order_item_id,order_id,product_id,sku,quantity,unit_price,name\n\
        1,1,1,A,1,1,Walnut Lamp\n2,1,2,B,1,1,\n";
    shop.import(orders, items).await.unwrap();
    let names = shop
        .rows("select sku, name from order_items order by 1")
        .await;
    assert_eq!(names, ["(A,\"Walnut Lamp\")", "(B,)"]);
    let terms = shop
        .rows("select sku, name from item_terms order by 1")
        .await;
    assert_eq!(terms, ["(A,\"Walnut Lamp\")", "(B,\"\")"]);
    // Repeated with and without names: the same lines.
    let without =
        "order_item_id,order_id,product_id,sku,quantity,unit_price\n1,1,1,A,1,1\n2,1,2,B,1,1\n";
    for items in [items, without] {
        assert_eq!(shop.import(orders, items).await.unwrap().items_known, 2);
    }
    let other = items.replace("Walnut", "Oak");
    shop.import(orders, other).await.unwrap_err();
}

#[tokio::test]
async fn progress_reaches_the_total_of_both_files() {
    let mut shop = ImportShop::new().await;
    let mut told = Vec::new();
    shop.watched_import(ORDERS, ITEMS, &mut |progress| told.push(progress))
        .await
        .unwrap();

    for (stage, text, rows) in [
        (ImportStage::Orders, ORDERS, [0, 2, 4, 5]),
        (ImportStage::Items, ITEMS, [0, 2, 3, 3]),
    ] {
        let length = u64::try_from(text.len()).unwrap();
        let told: Vec<_> = told.iter().filter(|told| told.stage == stage).collect();
        assert!(told.iter().all(|told| told.bytes_total == length));
        assert!(told.is_sorted_by_key(|told| told.bytes_read));
        assert_eq!(told.first().unwrap().bytes_read, 0);
        assert_eq!(told.last().unwrap().bytes_read, length);
        let told: Vec<_> = told.iter().map(|told| told.rows).collect();
        assert!(told.iter().all(|told| rows.contains(told)), "{told:?}");
        assert_eq!(told.last(), rows.last());
    }
}
