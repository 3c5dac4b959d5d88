-- Commits an order, its lines, first event, idempotency key and saga in one statement.
with key as (
    insert into idempotency_keys (scope, operation, key, fingerprint, order_id)
    select $1, $2, $3, $4, nextval('orders_order_id_seq') where $3::text is not null
    on conflict do nothing
    returning order_id
), fresh as (
    select order_id from key
    union all
    select nextval('orders_order_id_seq') where $3::text is null
), placed as (
    insert into orders (order_id, customer_id, order_status, payment_status, shipping_status,
        currency, subtotal, tax, shipping_fee, order_total, payment_method, shipping_address)
    select order_id, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 from fresh
    returning order_id, created_at
), lines as (
    insert into order_items (order_id, product_id, sku, name, quantity, unit_price, line_total)
    select placed.order_id, line.product_id, line.sku, line.name, line.quantity, line.unit_price,
        line.line_total
    from placed, unnest($16::bigint[], $17::text[], $25::text[], $18::integer[], $19::numeric[],
        $20::numeric[])
        with ordinality as line (product_id, sku, name, quantity, unit_price, line_total, place)
    order by line.place
    returning order_item_id, sku
), event as (
    insert into order_events (order_id, seq, code, actor)
    select order_id, 1, $21, $22 from placed
), fulfilment as (
    insert into fulfilments (order_id, identity, epoch, step, leased, due_at)
    select order_id, $23, $26, 'reserve_stock', $24::float8 is not null,
        now() + make_interval(secs => coalesce($24, 0))
    from placed
)
select placed.order_id as "order_id!", placed.created_at as "created_at!",
    lines.order_item_id as "order_item_id!", lines.sku as "sku!"
from placed, lines
order by lines.order_item_id
