// A short tour of the API, with the types that are generated from docs/openapi.json: a mistake in a path, a field or a word of a closed
// set does not compile.
//
// usage: node tour.js URL TOKEN

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Position = components["schemas"]["Position"];

const [url, token] = process.argv.slice(2);
assert(url && token, "usage: node tour.js URL TOKEN");
// Lists can be had as CSV too: what is not said is JSON.
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

const platform = await client.GET("/v1/platform");
assert(platform.data, "the platform answers");
assert.equal(platform.data.platform, "active");

const page = await client.GET("/v1/positions", { params: { query: { open: true, limit: 5 } } });
assert(page.data && page.data.positions.length > 0, "the sample book has positions");
const position: Position = page.data.positions[0]!;

const body: components["schemas"]["SquareOff"] = {
  client_code: position.client_code,
  venue: position.venue,
  symbol: position.symbol,
  product: position.product,
  quantity: "all",
};
const header = { "Idempotency-Key": randomUUID() };
const first = await client.POST("/v1/square-offs", { body, params: { header } });
assert(first.data, `accepted: ${JSON.stringify(first.error)}`);
const again = await client.POST("/v1/square-offs", { body, params: { header } });
assert.deepEqual(again.data, first.data);
assert.equal(again.response.headers.get("idempotency-replayed"), "true");

const shown = await client.GET("/v1/orders/{order_id}", {
  params: { path: { order_id: first.data.order_ids[0]! }, query: { at_least: first.data.position } },
});
assert.equal(shown.data?.stream, position.stream);

const nobody = await client.GET("/v1/orders/{order_id}", { params: { path: { order_id: randomUUID() } } });
assert.equal(nobody.response.status, 404);
assert.equal(nobody.error?.type, "urn:squareoff:problem:unknown-order");

console.log("the tour is over");
