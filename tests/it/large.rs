//! Lists of a large table read an index for every filter, sort and page; `auto_explain` reports the plans.

use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock, Mutex};

use order_service::db::Error;
use order_service::db::order_list::{COUNT_LIMIT, counts, list};
use order_service::domain::ids::CustomerId;
use order_service::domain::money::Currency;
use order_service::domain::search::{
    MatchRank, OrderFilter, OrderListQuery, PagePosition, SortBy, SortDir, SortKey, SortValue,
};
use order_service::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status as _};
use rust_decimal::Decimal;
use sqlx::{ConnectOptions, Executor as _, PgConnection};
use time::macros::datetime;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::support::database::TestDatabase;

mod histories;

use histories::{asked_by, history};

/// Tables that must never be scanned as a whole.
const LARGE: [&str; 4] = ["orders", "order_items", "order_events", "fulfilments"];

/// With a single subscriber, tracing caches its lack of interest in callsites that another thread,
/// such as another test's, meets first. A second subscriber prevents that.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Notices::default()));

/// Records the server's messages.
#[derive(Clone, Default)]
struct Notices(Arc<Mutex<String>>);

impl Visit for Notices {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{value:?}");
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        let _ = writeln!(self.0.lock().unwrap(), "{value}");
    }
}

impl Subscriber for Notices {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The defects of the plans of a search.
async fn faults(conn: &mut PgConnection, search: &OrderListQuery) -> Vec<String> {
    faults_of(&format!("{search:?}"), list(conn, search)).await
}

/// Collects the server's messages during `work`.
async fn told<T>(work: impl Future<Output = Result<T, Error>>) -> String {
    LazyLock::force(&ANOTHER);
    let notices = Notices::default();
    work.with_subscriber(notices.clone()).await.unwrap();
    let told = notices.0.lock().unwrap().clone();
    assert!(told.contains("Query Text"), "nothing was explained: {told}");
    told
}

async fn faults_of<T>(what: &str, work: impl Future<Output = Result<T, Error>>) -> Vec<String> {
    let told = told(work).await;
    let is_wrong = |line: &&str| {
        let reads_all = |table| {
            let table: &str = table;
            line.contains(&format!("Seq Scan on {table} "))
        };
        LARGE.into_iter().any(reads_all) || line.contains("Disk:")
    };
    let wrong: Vec<_> = told.lines().filter(is_wrong).collect();
    match wrong.is_empty() {
        true => Vec::new(),
        false => vec![format!("{what}: {wrong:#?}\n{told}")],
    }
}

async fn explaining() -> (PgConnection, u64) {
    let (options, orders) = TestDatabase::large().await;
    let mut conn = options.connect().await.unwrap();
    explain(&mut conn).await;
    (conn, orders)
}

async fn explain(conn: &mut PgConnection) {
    for sql in [
        "load 'auto_explain'",
        "set auto_explain.log_min_duration = 0",
        "set auto_explain.log_analyze = on",
        "set auto_explain.log_timing = off",
        "set client_min_messages = log",
    ] {
        conn.execute(sql).await.unwrap();
    }
}

/// Each filter alone, with common and rare values, and some combinations.
fn filters() -> Vec<OrderFilter> {
    let none = OrderFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let order = |statuses: &[OrderStatus]| OrderFilter {
        order_statuses: statuses.to_vec(),
        ..none()
    };
    vec![
        none(),
        order(&[OrderStatus::Delivered]),
        order(&[OrderStatus::Confirmed]),
        order(&[OrderStatus::Cancelled]),
        order(&[OrderStatus::Pending, OrderStatus::Cancelling]),
        OrderFilter {
            payment_statuses: vec![PaymentStatus::Paid],
            ..none()
        },
        OrderFilter {
            payment_statuses: vec![PaymentStatus::Failed],
            ..none()
        },
        OrderFilter {
            shipping_statuses: vec![ShippingStatus::Failed],
            ..none()
        },
        OrderFilter {
            shipping_statuses: vec![ShippingStatus::Unknown],
            ..none()
        },
        OrderFilter {
            customer_id: Some(CustomerId(1)),
            ..none()
        },
        OrderFilter {
            customer_id: Some(CustomerId(7)),
            payment_statuses: vec![PaymentStatus::Failed],
            search: text("lamp"),
            ..none()
        },
        OrderFilter {
            currency: Currency::from_code("USD"),
            ..none()
        },
        OrderFilter {
            currency: Currency::from_code("EUR"),
            ..none()
        },
        OrderFilter {
            open: Some(true),
            ..none()
        },
        OrderFilter {
            open: Some(false),
            ..none()
        },
        OrderFilter {
            needs_attention: Some(true),
            ..none()
        },
        OrderFilter {
            needs_attention: Some(false),
            ..none()
        },
        OrderFilter {
            created_from: Some(datetime!(2025-05-01 00:00 UTC)),
            created_to: Some(datetime!(2025-05-02 00:00 UTC)),
            ..none()
        },
        OrderFilter {
            created_from: Some(datetime!(2024-05-01 00:00 UTC)),
            ..none()
        },
        OrderFilter {
            min_total: Some(Decimal::from(400)),
            max_total: Some(Decimal::from(401)),
            ..none()
        },
        OrderFilter {
            min_total: Some(Decimal::from(40)),
            ..none()
        },
        OrderFilter {
            sku: text("SKU00001"),
            ..none()
        },
        OrderFilter {
            sku: text("SKU03900"),
            ..none()
        },
        OrderFilter {
            sku: text("nonesuch"),
            ..none()
        },
        OrderFilter {
            search: text("SKU00001"),
            ..none()
        },
        OrderFilter {
            search: text("SKU0"),
            ..none()
        },
        OrderFilter {
            search: text("lamp"),
            ..none()
        },
        OrderFilter {
            search: text("alnut L"),
            ..none()
        },
        OrderFilter {
            search: text("wa"),
            ..none()
        },
        OrderFilter {
            search: text("TRK100000777"),
            ..none()
        },
        OrderFilter {
            search: text("77"),
            ..none()
        },
        OrderFilter {
            search: text("nonesuch"),
            ..none()
        },
        OrderFilter {
            search: text("lamp"),
            shipping_statuses: vec![ShippingStatus::Failed],
            ..none()
        },
    ]
}

/// The positions of a list to test: first page, middle, by page number and backwards.
fn places(sort_by: SortBy, orders: u64) -> Vec<PagePosition> {
    let value = match sort_by {
        SortBy::CreatedAt => SortValue::CreatedAt(datetime!(2025-05-01 12:00 UTC)),
        SortBy::Total => SortValue::Total(Decimal::from(300)),
        SortBy::OrderId => SortValue::OrderId,
        SortBy::Relevance => SortValue::Relevance(MatchRank::Prefix),
    };
    let order_id = i64::try_from(orders / 2).unwrap();
    let key = SortKey { value, order_id };
    vec![
        PagePosition::First,
        PagePosition::Page(50),
        PagePosition::After(key),
        PagePosition::Before(key),
    ]
}

#[tokio::test]
async fn every_filter_and_sort_uses_an_index() {
    let (mut conn, orders) = explaining().await;
    let mut wrong = Vec::new();
    for filter in filters() {
        let mut sorts = vec![SortBy::CreatedAt, SortBy::Total, SortBy::OrderId];
        sorts.extend(filter.search.is_some().then_some(SortBy::Relevance));
        for sort_by in sorts {
            for position in places(sort_by, orders) {
                for sort_dir in [SortDir::Desc, SortDir::Asc] {
                    let search = OrderListQuery {
                        filter: filter.clone(),
                        sort_by,
                        sort_dir,
                        position,
                        size: 20,
                    };
                    wrong.extend(faults(&mut conn, &search).await);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them: {}", wrong.len(), wrong[0]);
}

/// Frequent statements stay prepared, and PostgreSQL may switch them to a generic plan.
#[tokio::test]
async fn generic_plans_use_an_index_too() {
    let (mut conn, orders) = explaining().await;
    conn.execute("set plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    let of_customer = history(77).filter;
    let of_status = OrderFilter {
        order_statuses: vec![OrderStatus::Confirmed],
        ..OrderFilter::default()
    };
    let mut wrong = Vec::new();
    for filter in [OrderFilter::default(), of_customer, of_status] {
        for position in places(SortBy::CreatedAt, orders) {
            let search = OrderListQuery {
                filter: filter.clone(),
                sort_by: SortBy::CreatedAt,
                sort_dir: SortDir::Desc,
                position,
                size: 20,
            };
            wrong.extend(faults(&mut conn, &search).await);
        }
    }
    wrong.extend(faults_of("counts", counts(&mut conn)).await);
    wrong.extend(faults_of("histories", asked_by(&mut conn, &[1, 2, 77])).await);
    assert!(wrong.is_empty(), "{} of them: {}", wrong.len(), wrong[0]);
}

#[tokio::test]
async fn a_missing_index_is_detected() {
    let (mut conn, _) = explaining().await;
    for (index, filter, sort_by) in [
        ("orders_created_idx", 0, SortBy::CreatedAt),
        ("orders_total_idx", 0, SortBy::Total),
        ("orders_customer_created_idx", 9, SortBy::Total),
        ("orders_active_idx", 2, SortBy::Total),
        ("order_items_sku_order_idx", 22, SortBy::CreatedAt),
        ("fulfilments_open_idx", 15, SortBy::CreatedAt),
    ] {
        let search = OrderListQuery {
            filter: filters()[filter].clone(),
            sort_by,
            sort_dir: SortDir::Desc,
            position: PagePosition::First,
            size: 20,
        };
        assert_eq!(faults(&mut conn, &search).await, [""; 0]);
        conn.execute("begin").await.unwrap();
        let sql = format!("drop index {index}");
        conn.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        let missed = faults(&mut conn, &search).await;
        conn.execute("rollback").await.unwrap();
        assert!(!missed.is_empty(), "{index} is not needed for {search:?}");
    }
}

#[tokio::test]
async fn counts_are_exact_up_to_a_limit_and_marked_beyond_it() {
    let (mut conn, orders) = explaining().await;
    let of = |filter| OrderListQuery {
        filter,
        size: 1,
        ..history(1)
    };
    let all = list(&mut conn, &of(OrderFilter::default())).await.unwrap();
    assert!(orders > 10_000);
    assert_eq!((all.count, all.count_capped), (COUNT_LIMIT, true));
    let failed = OrderFilter {
        shipping_statuses: vec![ShippingStatus::Failed],
        ..OrderFilter::default()
    };
    let few = list(&mut conn, &of(failed)).await.unwrap();
    let counted: i64 =
        sqlx::query_scalar("select count(*) from orders where shipping_status = 'FAILED'")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!(counted > 0);
    assert_eq!((few.count, few.count_capped), (counted, false));
}

#[tokio::test]
async fn the_desk_counts_like_lists() {
    let (mut conn, _) = explaining().await;
    let found = counts(&mut conn).await.unwrap();
    assert_eq!(found.len(), OrderStatus::ALL.len());
    for counted in found {
        let all: i64 = sqlx::query_scalar("select count(*) from orders where order_status = $1")
            .bind(counted.status.as_str())
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(
            (counted.count, counted.is_capped),
            (all.min(COUNT_LIMIT), all > COUNT_LIMIT),
            "{}",
            counted.status
        );
    }
}
