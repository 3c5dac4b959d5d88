-- A placement whose answer was lost with its connection is repeated with the same identity: at most
-- one of the two may stand.
alter table fulfilments add constraint fulfilments_identity_key unique (identity);
