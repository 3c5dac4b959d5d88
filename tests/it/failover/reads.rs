//! Lists are read from the standby while it is usable; all other reads go to the primary.

use super::ReplicatedShop;
use crate::support::client::{Client, cart};
use crate::support::service::{Service, eventually};

/// Starts a service that reads lists from a standby, whose replication has stopped.
async fn with_a_standby_that_stands_still() -> (ReplicatedShop, Client) {
    let mut shop = ReplicatedShop::open(&[]).await;
    let earlier = shop.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(earlier.status, 201, "{earlier:?}");
    shop.servers.part().await;
    let url = shop.servers.standby_url();
    shop.environment.set("DATABASE_READ_URL", url);
    shop.service.kill().await;
    shop.service = Service::start(&shop.environment).await;
    let customer = shop.customer(5);
    (shop, customer)
}

#[tokio::test]
async fn lists_are_read_from_the_standby_and_orders_from_primary() {
    let (shop, customer) = with_a_standby_that_stands_still().await;
    let body = cart("SKU0001", 1, "10.00");
    let placed = customer.place_with_key("key-1", &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let order_id = placed.order_id();
    assert_eq!(customer.details(order_id).await.status, 200);
    let events = format!("/v1/orders/{order_id}/events/");
    assert_eq!(customer.get(&events).await.status, 200);
    let again = customer.place_with_key("key-1", &body).await;
    assert_eq!(again.order_id(), order_id, "{again:?}");
    for path in ["/v1/orders/", "/v1/orders/my-orders/5/"] {
        let list = customer.get(path).await;
        assert_eq!(
            (list.status, &list.body["count"]),
            (200, &1.into()),
            "{list:?}"
        );
    }
    let export = customer.get("/v1/orders/export/?format=ndjson").await;
    assert_eq!(export.text.lines().count(), 1, "{export:?}");
    shop.close().await;
}

#[tokio::test]
async fn the_primary_is_read_while_the_standby_is_down() {
    let (mut shop, customer) = with_a_standby_that_stands_still().await;
    let placed = customer.place(&cart("SKU0001", 1, "10.00")).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let count = async || {
        let list = customer.get("/v1/orders/").await;
        assert_eq!(list.status, 200, "{list:?}");
        list.body["count"].as_i64().unwrap()
    };
    assert_eq!(count().await, 1);
    shop.servers.kill_standby().await;
    assert_eq!(count().await, 2);
    // The service avoids the standby for a while.
    assert_eq!(count().await, 2);
    let metrics = shop.staff().get("/metrics/").await;
    let once = "db_repeats_total{reason=\"standby\"} 1";
    assert!(metrics.text.contains(once), "{}", metrics.text);
    shop.servers.start_standby().await;
    eventually("the standby is read again", async || {
        (count().await == 1).then_some(())
    })
    .await;
    shop.close().await;
}
