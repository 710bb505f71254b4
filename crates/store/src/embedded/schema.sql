-- A stream's name, once. Every entry holds it too: this table is only how a stream is found.
create table streams (
    id integer primary key,
    name text not null,
    constraint streams_name unique (name)
) strict;

-- `before` is the position of the stream's event before it, 0 for the first: a stream is read backwards along it, which costs an append
-- nothing. An index over all versions would cost more than the rest of the append: every event would change a page of its own.
create table events (
    position integer primary key,
    stream integer not null,
    version integer not null,
    before integer not null,
    entry blob not null
) strict;

-- Where to step into a long stream; the reader's `MILESTONE` is the same number.
create unique index events_milestones on events (stream, version)
where version % 64 = 0;

-- Where each stream ends. Made from the events by the triggers, and by nothing else. They refuse with `fail`: one that may `abort` makes
-- SQLite keep a journal of its own for every insert.
create table ends (
    stream integer primary key,
    version integer not null,
    position integer not null
) strict;

-- The next position, the next version: also what keeps `insert or replace`, which fires no delete trigger, from erasing.
create trigger events_are_only_appended
before insert on events
when
    new.position is not (select coalesce(max(position), 0) + 1 from events)
    or (new.version - 1, new.before) is not (select version, position from ends where stream = new.stream)
begin
    select raise(fail, 'events are only appended: wrong position or version');
end;

create trigger events_end_their_stream
after insert on events
begin
    update ends set version = new.version, position = new.position where stream = new.stream;
end;

create trigger events_are_never_changed
before update on events
begin
    select raise(abort, 'an event is never changed');
end;

create trigger events_are_never_deleted
before delete on events
begin
    select raise(abort, 'an event is never deleted');
end;

create trigger streams_are_only_added
before insert on streams
when
    exists (select 1 from streams where id = new.id or name = new.name)
begin
    select raise(fail, 'a stream is only added: its id or name is taken');
end;

create trigger streams_are_never_changed
before update on streams
begin
    select raise(abort, 'a stream is never renamed');
end;

create trigger streams_are_never_deleted
before delete on streams
begin
    select raise(abort, 'a stream is never deleted');
end;

create trigger streams_begin_empty
after insert on streams
begin
    insert into ends (stream, version, position) values (new.id, 0, 0);
end;

create trigger ends_are_only_added
before insert on ends
when
    new.version is not 0 or exists (select 1 from ends where stream = new.stream)
begin
    select raise(fail, 'the end of a stream is made by its events');
end;

create trigger ends_only_move_on
before update on ends
when
    new.stream is not old.stream or new.version is not old.version + 1 or new.position <= old.position
begin
    select raise(fail, 'the end of a stream is made by its events');
end;

create trigger ends_are_never_deleted
before delete on ends
begin
    select raise(abort, 'the end of a stream is never deleted');
end;
