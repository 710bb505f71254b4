// What the Node client `@kurrent/kurrentdb-client` sees of the server. Fails at the first thing that is not as KurrentDB's.
//
// usage: node peer.js <connection string> write|read

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const {
  ANY, BACKWARDS, END, FORWARDS, NO_STREAM, START, STREAM_EXISTS,
  AccessDeniedError, StreamNotFoundError, WrongExpectedVersionError, MaxAppendSizeExceededError,
  KurrentDBClient, eventTypeFilter, jsonEvent, persistentSubscriptionToAllSettingsFromDefaults, streamNameFilter,
} = require("@kurrent/kurrentdb-client");

const event = (type, n, more = {}) => jsonEvent({ id: randomUUID(), type, data: { n }, ...more });

async function numbers(reading) {
  const found = [];
  for await (const { event } of reading) found.push(event.data.n);
  return found;
}

const stream = "peer-node";

async function write(client) {
  const first = [0, 1, 2].map((n) => event("Began", n));
  const options = { streamState: NO_STREAM };
  const appended = await client.appendToStream(stream, first, options);
  assert.equal(appended.nextExpectedRevision, 2n);
  // The same again is answered as the first time.
  assert.deepEqual(await client.appendToStream(stream, first, options), appended);
  await client.appendToStream(stream, event("Went", 3, { metadata: { actor: "asha" } }), { streamState: 2n });
  await client.appendToStream(stream, event("Went", 4), { streamState: ANY });
  await client.appendToStream(stream, event("Ended", 5), { streamState: STREAM_EXISTS });

  // A typed conflict, with the numbers in it; the session goes on.
  await assert.rejects(client.appendToStream(stream, event("Went", 0), { streamState: 3n }), (error) => {
    assert.ok(error instanceof WrongExpectedVersionError, String(error));
    assert.deepEqual([error.streamName, error.expectedState, error.actualState], [stream, 3n, 5n]);
    return true;
  });
  await assert.rejects(client.appendToStream("peer-none", event("Went", 0), { streamState: 0n }), (error) => {
    assert.ok(error instanceof WrongExpectedVersionError, String(error));
    assert.deepEqual([error.expectedState, error.actualState], [0n, "no_stream"]);
    return true;
  });
  const many = await Promise.all(
    Array.from({ length: 200 }, (_, n) => client.appendToStream(`many-${n}`, event("Counted", n), { streamState: NO_STREAM })),
  );
  assert.ok(many.every(({ success }) => success));
  // In several parts.
  const parts = Array.from({ length: 30 }, (_, n) => event("Counted", n, { data: { n, pad: "x".repeat(10_000) } }));
  await client.appendToStream("parts", parts, { streamState: NO_STREAM, batchAppendSize: 50_000 });
  assert.deepEqual(await numbers(client.readStream("parts")), parts.map(({ data }) => data.n));
  const huge = event("Went", 0, { data: { pad: "x".repeat(1 << 20) } });
  await assert.rejects(client.appendToStream(stream, huge, { streamState: ANY }), MaxAppendSizeExceededError);
  await assert.rejects(client.appendToStream(stream, event("Went", 0, { metadata: { tenant: 7 } }), { streamState: ANY }), /tenant/);

  // Reading.
  assert.deepEqual(await numbers(client.readStream(stream)), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(await numbers(client.readStream(stream, { direction: BACKWARDS, fromRevision: END })), [5, 4, 3, 2, 1, 0]);
  assert.deepEqual(await numbers(client.readStream(stream, { fromRevision: 4n })), [4, 5]);
  assert.deepEqual(await numbers(client.readStream(stream, { direction: BACKWARDS, fromRevision: 4n, maxCount: 2 })), [4, 3]);
  await assert.rejects(numbers(client.readStream("peer-none")), StreamNotFoundError);
  const read = [];
  for await (const { event } of client.readStream(stream)) read.push(event);
  assert.deepEqual(read.slice(0, 3).map(({ id }) => id), first.map(({ id }) => id));
  assert.equal(read[3].metadata.actor, "asha");
  assert.equal(read[5].revision, 5n);

  const all = [];
  for await (const { event } of client.readAll({ direction: FORWARDS, fromPosition: START })) all.push(event.position.commit);
  assert.equal(all.length, 236);
  const back = [];
  for await (const { event } of client.readAll({ direction: BACKWARDS, fromPosition: END })) back.push(event.position.commit);
  assert.deepEqual(back, [...all].reverse());
  assert.deepEqual(await numbers(client.readAll({ filter: eventTypeFilter({ prefixes: ["Went", "End"] }) })), [3, 4, 5]);
  assert.deepEqual(await numbers(client.readAll({ filter: streamNameFilter({ regex: "^many-7.?$" }) })), [7, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79]);

  // A filtered subscription: what was, that it has caught up, what comes.
  await new Promise((resolve, reject) => {
    const seen = [];
    let checkpoints = 0;
    const checkpointReached = async () => { checkpoints += 1; };
    const filter = eventTypeFilter({ prefixes: ["Went"], maxSearchWindow: 10, checkpointReached });
    const subscription = client.subscribeToAll({ fromPosition: START, filter });
    subscription
      .on("error", reject)
      .on("caughtUp", () => client.appendToStream(stream, [event("Skipped", 6), event("Went", 7)], { streamState: 5n }).catch(reject))
      .on("data", async ({ event }) => {
        seen.push(event.data.n);
        if (seen.length < 3) return;
        try {
          assert.deepEqual(seen, [3, 4, 7]);
          assert.ok(checkpoints > 0, "no checkpoints");
          await subscription.unsubscribe();
          resolve();
        } catch (error) { reject(error); }
      });
  });
  await never(client);
}

async function read(client) {
  assert.equal((await numbers(client.readStream(stream))).length, 8);
  await assert.rejects(client.appendToStream(stream, event("Went", 0), { streamState: ANY }), AccessDeniedError);
  await never(client);
}

async function never(client) {
  await assert.rejects(client.deleteStream(stream), AccessDeniedError);
  await assert.rejects(client.tombstoneStream(stream), AccessDeniedError);
  const settings = persistentSubscriptionToAllSettingsFromDefaults();
  await assert.rejects(client.createPersistentSubscriptionToAll("group", settings), /not served|requires server version/);
}

const client = KurrentDBClient.connectionString(process.argv[2]);
({ write, read })[process.argv[3]](client)
  .then(() => client.dispose())
  .then(() => process.exit(0))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
