-- How many turns of its saga a fulfilment has written: by this a worker that lost the answer to a write
-- knows what of it is there.
alter table fulfilments add column turns integer not null default 0;
