-- Everything secret of letting people in. Texts that were given out (tokens, recovery codes, invitations) stand here as SHA-256 alone, so
-- whoever reads the file can't use them; seeds of codes and of signing keys can't be hashed and are sealed under a key that lies elsewhere
-- (sealing.rs; the table is in sealing.sql).
-- Instants are nanoseconds since 1970.

create table accounts (
    operator text primary key,
    -- PHC string of argon2id
    password text,
    -- seed that codes are checked by, and the last step of 30 s whose code was taken
    totp_seed blob,
    totp_step integer not null default 0,
    -- seed that waits for its first code
    totp_pending blob,
    -- what the next password is set with, and until when
    invitation blob,
    invitation_until integer not null default 0
) strict, without rowid;

create table recovery_codes (
    operator text not null references accounts on delete cascade,
    code blob not null,
    primary key (operator, code)
) strict, without rowid;

create table log_ins (
    id text primary key,
    operator text not null,
    role text not null,
    client text,
    kind text not null,
    address text not null,
    -- of a browser's cookie
    token blob unique,
    begun_at integer not null,
    seen_at integer not null,
    ends_at integer not null,
    ended_at integer
) strict, without rowid;

create index log_ins_of_operator on log_ins (operator, ends_at);
create index log_ins_by_end on log_ins (ends_at);

create table refresh_tokens (
    token blob primary key,
    log_in text not null references log_ins on delete cascade,
    used_at integer
) strict, without rowid;

create index refresh_tokens_of_log_in on refresh_tokens (log_in);

create table signing_keys (
    kid text primary key,
    seed blob not null,
    made_at integer not null,
    -- from then on nothing is signed with it; what it signed may live on a little
    retired_at integer,
    -- from then on nothing that it signed counts
    distrusted_at integer
) strict, without rowid;

create table failures (
    -- SHA-256 of what was tried and where from: whoever reads the file learns no names that were tried in vain
    attempt blob primary key,
    count integer not null,
    last_at integer not null
) strict, without rowid;

create index failures_by_time on failures (last_at);

create table challenges (
    challenge blob primary key,
    -- whose it is, once that is found; never for who is no client
    client text,
    -- what is forgotten of failures when it is answered
    attempt blob not null,
    tries integer not null default 0,
    ends_at integer not null
) strict, without rowid;

create index challenges_by_end on challenges (ends_at);

create table sent_codes (
    client text primary key,
    code blob not null,
    sent_at integer not null,
    ends_at integer not null
) strict, without rowid;

create index sent_codes_by_end on sent_codes (ends_at);
