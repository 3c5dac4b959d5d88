-- Names of what was bought, and what lists and searches of any size need. The release before this
-- one goes on working beside it: what it writes is kept up by triggers.

alter table order_items add column name text;

-- With the order's number the lines of a SKU are gathered from the index alone.
create index order_items_sku_order_idx on order_items (sku collate "C", order_id);
drop index order_items_sku_idx;
drop index order_items_product_id_idx;
create index order_items_product_order_idx on order_items (product_id, order_id)
    where product_id is not null;

-- What is under way is little, whatever the size of the table, and is asked for by its status. An
-- index of all statuses would cost every change of a status its place in the same page.
create index orders_active_idx on orders (order_status, created_at, order_id)
    where order_status in ('PENDING', 'CONFIRMED', 'SHIPPED', 'CANCELLING');
drop index orders_open_idx;

-- Every SKU with every name it was ever sold under; '' where a line has none. A text is searched
-- for here, not in the lines, of which there are a thousand times as many.
create table item_terms (
    sku  text collate "C" not null,
    name text collate "C" not null,

    primary key (sku, name)
);

-- pg_trgm comes with PostgreSQL (Debian: in postgresql-NN itself; Fedora: postgresql-contrib), and the
-- owner of a database may create it. Where it cannot be had, the terms are read as a whole instead:
-- see docs/performance.md, also on how to make up for it later.
do $$
begin
    create extension if not exists pg_trgm;
    create index item_terms_sku_trgm_idx on item_terms using gin (lower(sku) gin_trgm_ops)
        with (fastupdate = off);
    create index item_terms_name_trgm_idx on item_terms using gin (lower(name) gin_trgm_ops)
        with (fastupdate = off);
exception
    when undefined_file or feature_not_supported or insufficient_privilege then
        raise warning 'searches go without trigrams: %', sqlerrm;
end $$;

insert into item_terms (sku, name) select distinct sku, '' from order_items;

-- What is known already is only looked at, so that a popular SKU leaves neither locks nor dead rows.
-- All writers go by one order, so that two new orders with the same new SKUs never deadlock.
create function order_items_note_terms() returns trigger
    language plpgsql as $$
begin
    insert into item_terms (sku, name)
    select distinct added.sku, coalesce(added.name, '')
    from added
    -- A scalar subquery: one look at the key for each line. As a join it would read all terms.
    where (
        select true from item_terms known
        where known.sku = added.sku and known.name = coalesce(added.name, '')) is null
    order by 1, 2
    on conflict do nothing;
    return null;
end $$;

create trigger order_items_terms after insert on order_items
    referencing new table as added
    for each statement execute function order_items_note_terms();

-- Orders by each status that few orders ever come to, so that these few are found without an index
-- over all. A row says that the order came there, not that it still stands there.
create table rare_statuses (
    status   text   not null,
    order_id bigint not null,

    primary key (status, order_id)
);

create function orders_note_rare_statuses() returns trigger
    language plpgsql as $$
begin
    insert into rare_statuses (status, order_id)
    select status, new.order_id
    from unnest(array['order:' || new.order_status, 'payment:' || new.payment_status,
        'shipping:' || new.shipping_status]) as status
    where status in ('order:CANCELLED', 'payment:FAILED', 'payment:REFUNDED', 'shipping:FAILED',
        'shipping:CANCELLED', 'shipping:RETURNED', 'shipping:UNKNOWN')
    on conflict do nothing;
    return null;
end $$;

create trigger orders_rare_statuses_of_new after insert on orders for each row
    when (new.order_status = 'CANCELLED' or new.payment_status in ('FAILED', 'REFUNDED')
        or new.shipping_status in ('FAILED', 'CANCELLED', 'RETURNED', 'UNKNOWN'))
    execute function orders_note_rare_statuses();

create trigger orders_rare_statuses_of_changed after update on orders for each row
    when ((new.order_status = 'CANCELLED' or new.payment_status in ('FAILED', 'REFUNDED')
        or new.shipping_status in ('FAILED', 'CANCELLED', 'RETURNED', 'UNKNOWN'))
        and (old.order_status <> new.order_status or old.payment_status <> new.payment_status
            or old.shipping_status <> new.shipping_status))
    execute function orders_note_rare_statuses();

insert into rare_statuses (status, order_id)
select rare.status, order_id
from orders, unnest(array['order:' || order_status, 'payment:' || payment_status,
    'shipping:' || shipping_status]) as rare (status)
where rare.status in ('order:CANCELLED', 'payment:FAILED', 'payment:REFUNDED', 'shipping:FAILED',
    'shipping:CANCELLED', 'shipping:RETURNED', 'shipping:UNKNOWN');
