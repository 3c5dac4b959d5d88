//! Keyset pagination: every order appears once under every sort and concurrent inserts, and only
//! the service's own cursors are accepted.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use order_service::domain::search::{
    MatchRank, OrderFilter, OrderListQuery, PagePosition, SortBy, SortDir, SortKey, SortValue,
};
use order_service::http::Cursors;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::Value as Json;
use time::OffsetDateTime;

use super::assert_fault;
use super::rows::Row;
use crate::support::app::TestApp;
use crate::support::client::{Client, Reply};

fn ids(reply: &Reply) -> Vec<i64> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let results = reply.body["results"].as_array().unwrap();
    results
        .iter()
        .map(|order| order["order_id"].as_i64().unwrap())
        .collect()
}

async fn follow(app: &TestApp, client: &Client, link: &Json) -> Reply {
    let path = link.as_str().unwrap().strip_prefix(&app.base).unwrap();
    client.get(path).await
}

#[derive(Clone, Debug)]
struct Walk {
    totals: Vec<usize>,
    moments: Vec<usize>,
    sort_by: &'static str,
    sort_dir: &'static str,
    size: usize,
}

/// Orders with few distinct totals and timestamps, so that there are ties, and a list to paginate
/// through.
fn walk() -> impl Strategy<Value = Walk> {
    let rows = prop::collection::vec((0..4_usize, 0..4_usize), 1..25);
    let sort_by = prop::sample::select(vec!["created_at", "total", "order_id", "relevance"]);
    let sort_dir = prop::sample::select(vec!["asc", "desc"]);
    (rows, sort_by, sort_dir, 1..8_usize).prop_map(|(rows, sort_by, sort_dir, size)| {
        let (totals, moments) = rows.into_iter().unzip();
        Walk {
            totals,
            moments,
            sort_by,
            sort_dir,
            size,
        }
    })
}

const TOTALS: [&str; 4] = ["1.00", "9.99", "10.00", "200.00"];
const MOMENTS: [&str; 4] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000001Z",
    "2026-01-02T00:00:00Z",
    "2026-02-01T00:00:00Z",
];
const SKUS: [&str; 4] = ["LAMP", "LAMP-1", "X-LAMP", "lamp"];

#[tokio::test]
async fn pagination_sees_each_order_once_in_both_directions() {
    let app = TestApp::start().await;
    let mut runner = TestRunner::default();
    for customer_id in 1..=15 {
        let walk = walk().new_tree(&mut runner).unwrap().current();
        let row = |(total, moment): (&usize, &usize)| Row {
            customer_id,
            total: TOTALS[*total],
            created_at: MOMENTS[*moment],
            sku: SKUS[(total + moment) % 4],
            ..Row::default()
        };
        let rows: Vec<Row> = walk.totals.iter().zip(&walk.moments).map(row).collect();
        let all: BTreeSet<i64> = Row::insert_all(&app, &rows).await.into_iter().collect();
        let client = app.customer(customer_id);
        let Walk {
            sort_by,
            sort_dir,
            size,
            ..
        } = walk;
        let path = format!(
            "/v1/orders/?search=lamp&sort_by={sort_by}&sort_dir={sort_dir}&page_size={size}"
        );
        let mut page = client.get(&path).await;
        let whole = client
            .get(&path.replace(&format!("page_size={size}"), "page_size=100"))
            .await;
        assert!(page.body["previous"].is_null());
        let mut forwards = ids(&page);
        while !page.body["next"].is_null() {
            page = follow(&app, &client, &page.body["next"]).await;
            forwards.extend(ids(&page));
        }
        assert_eq!(forwards, ids(&whole), "{walk:?}");
        assert_eq!(forwards.iter().copied().collect::<BTreeSet<_>>(), all);
        assert_eq!(forwards.len(), all.len());

        // Backwards, with some orders inserted meanwhile.
        let mut new = rows.iter().take(3);
        let mut backwards = vec![ids(&page)];
        while !page.body["previous"].is_null() {
            if let Some(row) = new.next() {
                row.insert(&app).await;
            }
            page = follow(&app, &client, &page.body["previous"]).await;
            backwards.push(ids(&page));
        }
        let seen: Vec<i64> = backwards.into_iter().rev().flatten().collect();
        let old: Vec<i64> = seen.iter().copied().filter(|id| all.contains(id)).collect();
        assert_eq!(old, forwards, "{walk:?}");
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{walk:?}");
    }
}

#[tokio::test]
async fn a_cursor_is_valid_for_its_own_list_only() {
    let app = TestApp::start().await;
    Row::insert_all(&app, &vec![Row::default(); 3]).await;
    let list = "/v1/orders/?page_size=1&status_filter=CONFIRMED";
    let first = app.customer(5).get(list).await;
    let next = first.body["next"].as_str().unwrap();
    let (_, cursor) = next.split_once("&cursor=").unwrap();

    let longer = format!("/v1/orders/?page_size=2&status_filter=confirmed&cursor={cursor}");
    assert_eq!(ids(&app.customer(5).get(&longer).await).len(), 2);
    let elsewhere = [
        format!("/v1/orders/?cursor={cursor}"),
        format!("{list}&sort_by=total&cursor={cursor}"),
        format!("{list}&sort_dir=asc&cursor={cursor}"),
        format!("{list}&sku=A&cursor={cursor}"),
        format!("{list}&cursor=x"),
        format!("{list}&cursor={cursor}A"),
        format!("{list}&cursor={}", &cursor[..40]),
        format!("{list}&cursor=%C3%BC"),
    ];
    for path in &elsewhere {
        let reply = app.customer(5).get(path).await;
        assert_fault(&reply, "/cursor", "invalid_cursor", path);
    }
    for client in [app.customer(6), app.staff()] {
        let reply = client.get(&format!("{list}&cursor={cursor}")).await;
        assert_fault(&reply, "/cursor", "invalid_cursor", cursor);
    }
    let own = format!("/v1/orders/my-orders/5/?status_filter=CONFIRMED&cursor={cursor}");
    assert_eq!(ids(&app.staff().get(&own).await).len(), 2);
    let both = app
        .customer(5)
        .get(&format!("{list}&page=2&cursor={cursor}"))
        .await;
    assert_fault(&both, "/page", "beside_cursor", cursor);
}

#[tokio::test]
async fn replicas_with_different_token_keys_share_cursors() {
    let mut app = TestApp::with(&[("CURSOR_KEY", "a-key-for-cursors-of-at-least-32-bytes")]).await;
    Row::insert_all(&app, &vec![Row::default(); 2]).await;
    let first = app.customer(5).get("/v1/orders/?page_size=1").await;
    let next = first.body["next"].as_str().unwrap().to_owned();
    let path = next.strip_prefix(&app.base).unwrap().to_owned();
    app.restart().await;
    assert_eq!(ids(&app.customer(5).get(&path).await).len(), 1);
    app.set("CURSOR_KEY", "another-key-for-cursors-of-32-bytes-");
    app.restart().await;
    let reply = app.customer(5).get(&path).await;
    assert_fault(&reply, "/cursor", "invalid_cursor", &path);
}

fn search(sort_by: SortBy) -> OrderListQuery {
    OrderListQuery {
        filter: OrderFilter::default(),
        sort_by,
        sort_dir: SortDir::Desc,
        position: PagePosition::First,
        size: 20,
    }
}

/// A list and a position in it.
fn place() -> impl Strategy<Value = (OrderListQuery, PagePosition)> {
    let value = prop_oneof![
        (0..253_402_300_799_000_000_i64).prop_map(|micros| {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
            (SortBy::CreatedAt, SortValue::CreatedAt(moment.unwrap()))
        }),
        (any::<i64>(), 0..5_u32).prop_map(|(units, scale)| (
            SortBy::Total,
            SortValue::Total(Decimal::new(units, scale))
        )),
        Just((SortBy::OrderId, SortValue::OrderId)),
        prop::sample::select(MatchRank::ALL.to_vec())
            .prop_map(|rank| (SortBy::Relevance, SortValue::Relevance(rank))),
    ];
    (value, any::<i64>(), any::<bool>()).prop_map(|((sort_by, value), order_id, back)| {
        let key = SortKey { value, order_id };
        let place = if back {
            PagePosition::Before(key)
        } else {
            PagePosition::After(key)
        };
        (search(sort_by), place)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cursor_survives_a_round_trip((search, place) in place()) {
        let cursors = Cursors::new(&SecretString::from("some secret"));
        let cursor = cursors.write(&search, place).unwrap();
        prop_assert_eq!(cursors.read(&search, &cursor), Some(place));
        let others = Cursors::new(&SecretString::from("another secret"));
        prop_assert_eq!(others.read(&search, &cursor), None);
        let ascending = OrderListQuery { sort_dir: SortDir::Asc, ..search };
        prop_assert_eq!(cursors.read(&ascending, &cursor), None);
    }

    #[test]
    fn an_altered_cursor_is_refused((search, place) in place(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let cursors = Cursors::new(&SecretString::from("some secret"));
        let cursor = cursors.write(&search, place).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let altered = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert_eq!(cursors.read(&search, &altered), None);
        prop_assert_eq!(cursors.read(&search, &cursor[..cursor.len() - 1]), None);
    }

    #[test]
    fn arbitrary_text_is_refused_as_a_cursor(text in "\\PC{0,200}") {
        let cursors = Cursors::new(&SecretString::from("some secret"));
        prop_assert_eq!(cursors.read(&search(SortBy::CreatedAt), &text), None);
    }
}
