//! The desk: the staff page with stuck orders and decisions.

use sandbox::{Fault, Kind, Operation};

use super::{AT_REST, place};
use crate::support::app::TestApp;
use crate::support::client::send;
use crate::support::service::eventually;
use crate::support::visitor::{Visitor, assert_page};

/// A stuck order, whose refund Payment has refused.
pub async fn stuck(app: &TestApp) -> i64 {
    let order_id = place(app, 5).await;
    app.sandbox
        .set_fault(Fault::new(Operation::Refund, Kind::Refuse));
    app.customer(5).cancel(order_id).await;
    eventually("the order is stuck", async || {
        let stuck = app.staff().get("/v1/ops/orders/stuck/").await;
        (stuck.body["results"].as_array()?.len() == 1).then_some(())
    })
    .await;
    app.sandbox.clear_faults();
    order_id
}

#[tokio::test]
async fn the_desk_is_for_staff() {
    let app = TestApp::with(AT_REST).await;
    let order_id = place(&app, 5).await;
    let path = format!("/desk/orders/{order_id}/");
    let customer = Visitor::signed_in(&app, "customer5").await;
    for path in ["/desk/", "/desk/?search=x", path.as_str()] {
        assert_page(&customer.get(path).await, 403);
        assert_eq!(Visitor::stranger(&app).get(path).await.status, 303);
    }
    let fields = [("decision", "retry"), ("reason", "x")];
    assert_page(&customer.post(&path, &fields).await, 403);
}

#[tokio::test]
async fn the_desk_finds_orders_and_shows_why_one_is_stuck() {
    let app = TestApp::with(AT_REST).await;
    let other = place(&app, 6).await;
    let order_id = stuck(&app).await;
    let staff = Visitor::signed_in(&app, "staff").await;
    let desk = staff.get("/desk/").await;
    assert_page(&desk, 200);
    for expected in [
        "Needs attention",
        "stuck at charge_payment",
        "Last answer: ",
        &format!("/desk/orders/{order_id}/"),
        &format!("/desk/orders/{other}/"),
    ] {
        assert!(desk.text.contains(expected), "{expected} in {}", desk.text);
    }
    let found = staff.get(&format!("/desk/?search={other}")).await;
    assert!(found.text.contains("1 order found"), "{}", found.text);
    assert!(!found.text.contains("Needs attention"));

    let page = staff.get(&format!("/desk/orders/{order_id}/")).await;
    assert_page(&page, 200);
    let identity: uuid::Uuid =
        sqlx::query_scalar("select identity from fulfilments where order_id = $1")
            .bind(order_id)
            .fetch_one(&mut app.database.connection().await)
            .await
            .unwrap();
    for expected in [
        &identity.to_string(),
        "person_needed by saga",
        "charge_payment",
        "Last answer",
    ] {
        assert!(page.text.contains(expected), "{expected} in {}", page.text);
    }
    assert_page(&staff.get("/desk/orders/999999/").await, 404);
}

#[tokio::test]
async fn desk_decisions_need_a_reason() {
    let app = TestApp::with(AT_REST).await;
    let order_id = stuck(&app).await;
    let staff = Visitor::signed_in(&app, "staff").await;
    let path = format!("/desk/orders/{order_id}/");
    let decide = async |decision: &str, reason: &str| {
        let fields = [("decision", decision), ("reason", reason)];
        staff.post(&path, &fields).await
    };
    let fields = [("decision", "retry"), ("reason", "repaired")];
    let request = staff.form(&path, &fields);
    let foreign = request.header("origin", "https://evil.example");
    assert_page(&send(foreign).await, 403);
    assert_page(&decide("retry", " ").await, 400);
    assert_page(&decide("retry", &"x".repeat(501)).await, 400);
    let unknown = decide("forget", "kept <as> it was").await;
    assert_page(&unknown, 400);
    assert!(
        unknown.text.contains("kept &#60;as&#62; it was"),
        "{}",
        unknown.text
    );
    assert_page(&decide("completed", "by mistake").await, 409);
    let reply = decide("cancelled", "refunded by bank transfer").await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (303, Some(path.as_str()))
    );
    let page = staff.get(&path).await;
    for expected in ["refunded by bank transfer", "person_decided by staff:1000"] {
        assert!(page.text.contains(expected), "{expected} in {}", page.text);
    }
    assert_page(&decide("completed", "again").await, 409);
    let now = app.customer(5).details(order_id).await.body;
    assert_eq!(
        (&now["order_status"], &now["payment_status"]),
        (&"CANCELLED".into(), &"REFUNDED".into())
    );
}
