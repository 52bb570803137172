/**
 * The chat as Node's `ws` sees it: a client that nobody here wrote.
 *
 *   HOLDFAST_TEST_NODE_MODULES=<folder with node_modules/ws> node ws_client.mjs <host:port> <maya's token> <staff's token>
 *
 * Prints a line for each thing that held, and ends with 1 at the first that does not.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { WebSocket } = createRequire(path.join(process.env.HOLDFAST_TEST_NODE_MODULES, "here.js"))("ws");
const [address, maya, olive] = process.argv.slice(2);
const MESSAGE = ["event", "message", "id", "seq", "user_id", "identifier", "from_admin", "sent_at"];
const ERROR = ["event", "error", "code", "retry_after", "client_msg_id"];

/** One open socket with a queue of what was heard. */
class Chat {
  static async open(room, token, { query = "", protocols = [], headers = {} } = {}) {
    const chat = new Chat();
    chat.heard = [];
    chat.waiting = [];
    const given = token ? { Authorization: `Token ${token}`, ...headers } : headers;
    chat.socket = new WebSocket(`ws://${address}/ws/chat/${room}/${query}`, protocols, { headers: given });
    chat.socket.on("message", (data, binary) => {
      assert(!binary, "events are text frames");
      const event = JSON.parse(data);
      chat.waiting.length ? chat.waiting.shift()(event) : chat.heard.push(event);
    });
    chat.closed = new Promise((resolve) => chat.socket.on("close", resolve));
    await new Promise((resolve, reject) => {
      chat.socket.on("open", resolve);
      chat.socket.on("unexpected-response", (_, response) => reject(Object.assign(new Error("refused"), { status: response.statusCode })));
      chat.socket.on("error", reject);
    });
    return chat;
  }

  hear() {
    if (this.heard.length) return Promise.resolve(this.heard.shift());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nothing was heard")), 5000);
      this.waiting.push((event) => (clearTimeout(timer), resolve(event)));
    });
  }

  async message() {
    for (;;) {
      const event = await this.hear();
      if (event.event === "chat_message") return event;
    }
  }

  /** A message, past what a replay may bring again: whoever joins while another speaks gets the waiting conversation from where it was surely heard. */
  async until(id) {
    for (;;) {
      const message = await this.message();
      if (message.id === id) return message;
    }
  }

  send(frame) {
    this.socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  say(message, more = {}) {
    this.send({ message, ...more });
    return this.message();
  }

  async silent(milliseconds = 200) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return this.heard.length === 0;
  }

  async close(code) {
    this.socket.close(code);
    return this.closed;
  }
}

const refusal = async (...given) => {
  try {
    const chat = await Chat.open(...given);
    await chat.close();
    return 101;
  } catch (error) {
    if (!error.status) throw error;
    return error.status;
  }
};

const held = (what) => console.log(`ok - ${what}`);

// Both sides.
let user = await Chat.open("me", maya);
let staff = await Chat.open("1", olive);
const first = await user.say("is anybody there?");
assert.deepEqual(Object.keys(first), MESSAGE);
assert.deepEqual(await staff.message(), first);
const answer = await staff.say("I am here.");
assert.deepEqual([answer.seq, answer.from_admin, answer.identifier], [2, true, "olive"]);
assert.deepEqual(await user.hear(), answer);
held("both sides talk");

const everywhere = await Chat.open("admin", olive);
const third = await user.say("who hears this?");
assert.deepEqual(await everywhere.until(third.id), third);
const fourth = await everywhere.say("everybody on duty", { user_id: "1" });
assert.deepEqual(await user.hear(), fourth);
assert.deepEqual([(await staff.message()).seq, (await staff.message()).seq], [3, 4]);
await everywhere.close();
held("the staff's room hears and answers");

// Bad frames.
const bad = ["hello", "[]", "null", '{"message": NaN}', Buffer.from("{}"), "7", '{"message": null}', '{"message": "\\ud800 x"}', "[".repeat(10000)];
for (const [number, frame] of bad.entries()) {
  if (number === 5) await user.silent(1000); // at most five errors a second are told
  user.send(frame);
  const error = await user.hear();
  assert.deepEqual(Object.keys(error), ERROR);
  assert.equal(error.code, "bad_frame");
}
user.send({ message: "x".repeat(4001), client_msg_id: "long" });
assert.deepEqual([(await user.hear()).code], ["too_long"]);
const fifth = await user.say("жизнь".repeat(800));
assert.equal(fifth.message.length, 4000);
assert.equal(fifth.seq, 5);
assert.deepEqual(await staff.message(), fifth);
held("bad frames get an error and the next good one is stored");

const once = await user.say("once", { client_msg_id: "n-1" });
assert.deepEqual(await user.say("once", { client_msg_id: "n-1" }), once);
assert.deepEqual(await staff.message(), once);
assert(await staff.silent());
held("a resend is the first message again");

// Reconnect with replay: what came meanwhile; nothing again after a goodbye; the same again after a cut line.
for (const code of [1000, undefined]) {
  await user.close(code);
  const meanwhile = await staff.say("while you were away");
  user = await Chat.open("me", maya);
  assert.deepEqual(await user.hear(), meanwhile);
  assert(await user.silent());
}
held("a goodbye repeats nothing");
const crossing = await staff.say("can you still hear me?");
assert.deepEqual(await user.hear(), crossing);
user.socket.terminate();
await user.closed;
user = await Chat.open("me", maya);
const again = [await user.hear(), await user.hear()];
assert.equal(again.at(-1).id, crossing.id);
held("a cut line repeats the last seconds under the same id");

user.send(`{"message": "${"x".repeat(65 * 1024)}"}`);
assert.equal(await user.closed, 1009);
user = await Chat.open("me", maya);
assert.deepEqual([await user.hear(), await user.hear()], again);
assert.equal((await user.say("small again")).message, "small again");
held("a frame that is too big closes with 1009, and the next socket replays");

// Every way in, and every way not.
const ticket = async (token, place) => {
  const response = await fetch(`http://${address}/api/v1/${place}`, { method: "POST", headers: { Authorization: `Token ${token}` } });
  return (await response.json()).ticket;
};
const withProtocol = await Chat.open("me", null, { protocols: ["token", maya] });
assert.equal(withProtocol.socket.protocol, "token");
await withProtocol.close();
assert.equal(await refusal("me", null, { query: `?token=${maya}` }), 101);
const one = await ticket(maya, "chat/user/support/me/ticket/");
assert.equal(await refusal("2", null, { query: `?ticket=${one}` }), 404);
assert.equal(await refusal("1", null, { query: `?ticket=${one}` }), 101);
assert.equal(await refusal("1", null, { query: `?ticket=${one}` }), 401);
assert.equal(await refusal("admin", null, { query: `?ticket=${await ticket(olive, "staff/chat/ticket/")}` }), 101);
held("header, query, subprotocol and ticket open the chat");

assert.equal(await refusal("me", null), 401);
assert.equal(await refusal("2", maya), 404);
assert.equal(await refusal("admin", maya), 404);
assert.equal(await refusal("me", maya, { headers: { Origin: "https://evil.example" } }), 403);
assert.equal(await refusal("me", maya, { headers: { Origin: "null" } }), 403);
assert.equal(await refusal("me", maya, { headers: { Origin: `http://${address}` } }), 101);
held("token, room and origin are refused before accept");
await Promise.all([user.close(1000), staff.close(1000)]);
