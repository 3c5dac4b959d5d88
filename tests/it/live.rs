//! Live tracking: subscribers receive each event of an order once and in order, whichever process
//! writes it.

mod endings;
mod load;

use order_service::app::App;
use order_service::config::Config;
use serde_json::{Value, json};

use crate::support::app::{TestApp, environment};
use crate::support::client::{Client, cart, send};
use crate::support::subscriber::{ReceivedEvent, Subscriber, ids, request};

/// A short polling interval.
const QUICK: (&str, &str) = ("LIVE_POLL_MS", "20");
const AT_REST: (&str, &str) = ("FOLLOW_INTERVAL_MS", "86400000");

async fn place(app: &TestApp) -> i64 {
    let placed = app.customer(5).place(&cart("SKU0001", 1, "10.00")).await;
    placed.order_id()
}

/// The events of an order from the list route.
async fn listed(client: &Client, order_id: i64) -> Vec<Value> {
    let path = format!("/v1/orders/{order_id}/events/?limit=500");
    let list = client.get(&path).await.body;
    assert_eq!(list["next"], Value::Null);
    list["results"].as_array().unwrap().clone()
}

fn data(heard: &[ReceivedEvent]) -> Vec<Value> {
    heard.iter().map(|event| event.data.clone()).collect()
}

async fn ship(client: &Client, order_id: i64, status: &str) -> u16 {
    let path = format!("/v1/orders/{order_id}/update/");
    let news = json!({ "shipping_status": status });
    client.patch(&path, &news).await.status
}

/// A second instance of the service in this process.
async fn another(app: &TestApp) -> (App, String) {
    let mut environment = environment(&app.database, &app.sandbox);
    environment.set(QUICK.0, QUICK.1);
    environment.set(AT_REST.0, AT_REST.1);
    let other = App::start(environment.read(Config::read).unwrap());
    let other = other.unwrap();
    let base = format!("http://{}", other.address());
    (other, base)
}

#[tokio::test]
async fn a_stream_follows_an_order_until_its_delivery() {
    let app = TestApp::with(&[("SETTLE_WAIT_MS", "0"), QUICK]).await;
    let customer = app.customer(5);
    let order_id = place(&app).await;
    let mut listener = Subscriber::start(&customer, order_id, None).await;
    let mut heard = listener.until("order_confirmed").await;
    assert!(
        listener
            .retry_ms
            .is_some_and(|ms| (1_000..=5_000).contains(&ms))
    );
    for _ in 0..2 {
        app.sandbox.advance_parcels();
    }
    heard.extend(listener.until("order_shipped").await);
    for _ in 0..3 {
        app.sandbox.advance_parcels();
    }
    // The stream ends by itself after the delivery.
    heard.extend(listener.rest().await);
    assert_eq!(heard.last().unwrap().code, "order_delivered");
    assert_eq!(data(&heard), listed(&customer, order_id).await);
    for (event, index) in heard.iter().zip(1..) {
        assert_eq!(event.id, index);
        assert_eq!(event.data["seq"], json!(index));
        assert_eq!(event.data["code"], json!(event.code));
    }
    let last = heard.last().unwrap().id;
    let again = send(request(&customer, order_id, Some(last))).await;
    assert_eq!((again.status, again.text.as_str()), (204, ""));
    let mut late = Subscriber::start(&customer, order_id, Some(last - 2)).await;
    assert_eq!(late.rest().await, heard[heard.len() - 2..]);
}

#[tokio::test]
async fn a_stream_is_exactly_once_despite_cuts_and_many_writers() {
    const WRITES: usize = 20;
    let app = TestApp::with(&[AT_REST, QUICK]).await;
    let (other, other_base) = another(&app).await;
    let order_id = place(&app).await;
    let writers = [app.staff(), app.service(), Client::staff(&other_base)];
    let write = async |client: &Client| {
        for round in 0..WRITES {
            let to = if round % 2 == 0 { "SHIPPED" } else { "FAILED" };
            assert!(matches!(ship(client, order_id, to).await, 200 | 409));
        }
    };
    let last_words = async {
        futures_util::future::join_all(writers.iter().map(&write)).await;
        // RETURNED is reachable from both, and final.
        ship(&app.staff(), order_id, "RETURNED").await
    };
    let is_last = |event: &ReceivedEvent| event.data["carrier_status"] == "RETURNED";
    let follow = async |client: Client, cut_after: usize| {
        let mut heard: Vec<ReceivedEvent> = Vec::new();
        while !heard.last().is_some_and(is_last) {
            let last = heard.last().map(|event| event.id);
            let mut listener = Subscriber::start(&client, order_id, last).await;
            for _ in 0..cut_after {
                match listener.next().await {
                    Some(event) => heard.push(event),
                    None => break,
                }
                if heard.last().is_some_and(is_last) {
                    break;
                }
            }
        }
        heard
    };
    let customer = Client::customer(&other_base, 5);
    let (status, whole, cut, elsewhere) = tokio::join!(
        last_words,
        follow(app.customer(5), usize::MAX),
        follow(app.customer(5), 3),
        follow(customer, usize::MAX),
    );
    assert_eq!(status, 200);
    let listed = listed(&app.customer(5), order_id).await;
    assert!(listed.len() > WRITES, "{} events", listed.len());
    for heard in [whole, cut, elsewhere] {
        assert_eq!(data(&heard), listed, "{:?}", ids(&heard));
    }
    other.stop().await;
}

#[tokio::test]
async fn a_stream_delivers_events_of_other_processes() {
    let app = TestApp::with(&[AT_REST, QUICK]).await;
    let (other, other_base) = another(&app).await;
    let order_id = place(&app).await;
    let mut listener = Subscriber::start(&app.customer(5), order_id, Some(5)).await;
    assert_eq!(
        ship(&Client::staff(&other_base), order_id, "SHIPPED").await,
        200
    );
    let heard = listener.until("order_shipped").await;
    assert_eq!(ids(&heard), [6, 7]);
    other.stop().await;
}

#[tokio::test]
async fn a_stream_is_only_for_callers_who_may_see_the_order() {
    let app = TestApp::with(&[AT_REST]).await;
    let order_id = place(&app).await;
    let theirs = send(request(&app.customer(6), order_id, None)).await;
    theirs.assert_problem(404, "not-found");
    let none = send(request(&app.customer(5), order_id + 1, None)).await;
    none.assert_problem(404, "not-found");
    let anonymous = send(request(&app.anonymous(), order_id, None)).await;
    anonymous.assert_problem(401, "unauthenticated");
    let mut staff = Subscriber::start(&app.staff(), order_id, None).await;
    let mut owner = Subscriber::start(&app.customer(5), order_id, None).await;
    for _ in 0..2 {
        let (seen_by_staff, seen) = (staff.next().await.unwrap(), owner.next().await.unwrap());
        assert!(seen_by_staff.data["data"].is_object());
        assert_eq!(seen.data.get("data"), None);
    }
}

#[tokio::test]
async fn an_unknown_last_event_id_starts_at_the_current_version() {
    let app = TestApp::with(&[AT_REST, QUICK]).await;
    let order_id = place(&app).await;
    let mut listener = Subscriber::start(&app.customer(5), order_id, Some(1_000)).await;
    assert_eq!(ship(&app.staff(), order_id, "SHIPPED").await, 200);
    assert_eq!(ids(&listener.until("order_shipped").await), [6, 7]);
}

#[tokio::test]
async fn a_silent_stream_sends_keep_alives() {
    let app = TestApp::with(&[AT_REST, ("LIVE_HEARTBEAT_MS", "20")]).await;
    let order_id = place(&app).await;
    let mut listener = Subscriber::start(&app.customer(5), order_id, Some(5)).await;
    listener.heartbeats(3).await;
}
